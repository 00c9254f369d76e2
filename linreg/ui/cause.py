"""The cause page: the bug step by step, each step computed and drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from linreg.experiments import cause as experiment
from linreg.experiments.cause import CauseResult
from linreg.experiments.layer_attribute import Attribute
from linreg.figures import cause as figures
from linreg.figures.figure import FigureSet
from linreg.figures.theme import Theme
from linreg.settings.fields import specs_of
from linreg.settings.losses import LOSSES
from linreg.settings.model import Comparison
from linreg.settings.pages import CauseView
from linreg.settings.wirings import STRANGE_LINE
from linreg.text import cause as text
from linreg.text import comparison as comparison_text
from linreg.text import numbers
from linreg.ui.cache import RESOURCES, result_of
from linreg.ui.controls import number, show_refusal
from linreg.ui.elements import compiled, plain_table
from linreg.ui.figure_view import draw, draw_live
from linreg.ui.live import fade as live_data
from linreg.ui.live import live_fade
from linreg.ui.live.messages import read_count, read_values
from linreg.ui.state import page_state
from linreg.ui.your_code import show_reaction

GROUP = "cause"  # of the live figures
MOVED = (
    "alpha",
    "batch_rows",
    "w1",
    "w2",
)  # settings of the view that the browser's sliders change


def cause_section(comparison: Comparison) -> None:
    """All six steps.

    What is written as the original pairs all rows here, whatever the comparison has there.
    """
    result = result_of(experiment.run, comparison, page_state().view(CauseView))
    st.markdown(f"**{text.cause_finding(result)}**")
    st.subheader("1. The wrong pairs move the minimum")
    _fade(comparison, result)
    st.subheader("2. Broadcasting erases the covariance")
    _terms(result)
    st.subheader("3. The predictions collapse to the mean")
    _predictions(result)
    st.subheader("4. The larger the batch, the further the minimum moves")
    _walk(result)
    st.subheader("5. The strange line drops a dimension of the weight")
    _strange_line(comparison, result)
    st.subheader("6. PyTorch warns, says nothing, or raises")
    _pytorch(result)


def fade_bar(result: CauseResult) -> None:
    """The sliders for the share of the wrong pairs and the batch size."""
    data = live_data.fade_bar(result, page_state().view(CauseView))
    show_refusal(live_fade(GROUP, "bar", data, page_state().heard, _take_values))


def _take_values(key: str) -> None:
    """Take over what the visitor has chosen with the sliders, now that they have let go."""
    state = page_state()
    if not state.was_removed(key):
        specs = specs_of(CauseView)
        message = state.widget(key)["move"]
        values = {name: specs[name] for name in MOVED}
        state.heard[key] = read_count(message)
        state.change_view_by(lambda: read_values(message, values), key)


def _drawn(
    figures_of: Callable[[CauseResult, Theme], FigureSet],
    result: CauseResult,
    key: str,
    caption: bool = True,
) -> None:
    """A figure set that the sliders move."""
    draw_live(GROUP, lambda theme, _: figures_of(result, theme), (), key, caption=caption)


def _fade(comparison: Comparison, result: CauseResult) -> None:
    fade_bar(result)
    drawn = (
        (figures.matrix, "matrix"),
        (figures.both_surfaces, "bowls"),
        (figures.section, "section"),
    )
    for column, (figures_of, key) in zip(st.columns([6, 5, 5], gap="medium"), drawn, strict=True):
        with column:
            _drawn(figures_of, result, key, caption=False)
    st.markdown(f"{text.surfaces_finding(result)} {text.fade_finding(result)}")
    st.markdown(f"Data: {comparison_text.setup(comparison, ['optimizer'])}")
    st.caption(text.batch_rows_note(result))


def _terms(result: CauseResult) -> None:
    view = page_state().view(CauseView)
    sliders, rows = st.columns([5, 1], gap="medium", vertical_alignment="bottom")
    with sliders:
        weights = live_data.fade_weights(result, view)
        show_refusal(live_fade(GROUP, "weights", weights, page_state().heard, _take_values))
    with rows:
        number("view.rows", "Matrix rows")
    left, right = st.columns([3, 2], gap="large")
    with left:
        _drawn(figures.terms, result, "terms")
    with right:
        st.markdown(text.terms_finding(result))
        st.markdown(
            "Matched, mean (pᵢ − yᵢ)² = Var(p) + Var(y) − 2·Cov(p, y) + (p̄ − ȳ)².  \n"
            "All pairs, mean (pᵢ − yⱼ)² = Var(p) + Var(y) + (p̄ − ȳ)²."
        )
        if result.settings.bias:
            st.caption(
                "The bias is at its best for these weights, which makes the means equal over all"
                " rows."
            )
    st.markdown(text.matrix_finding(result))
    st.markdown(text.matrix_table(result))
    st.caption(
        "The weights set the predictions of the matrix above, too. Its batch is the first"
        f" {len(result.pairs)} rows of the table; in training a batch has {result.batch_rows:,}."
        " In brackets: shares."
    )


def _predictions(result: CauseResult) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        _drawn(figures.predictions, result, "predictions")
    right.markdown(text.predictions_finding(result))


def _walk(result: CauseResult) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        draw(lambda theme: figures.minimum_by_batch_size(result, theme), "walk")
    with right:
        st.markdown(text.minimum_by_batch_size_finding(result))
        st.markdown(
            "In a batch of B rows, one pair in B is a row with its own target, so 1/B of the"
            " covariance stays: for independent rows E[x̄ȳ] = E[x]E[y] + Cov(x, y)/B, and the"
            " correct solution w* shrinks to w*/B where the means are near zero."
        )
        number("batch_size", "Batch size of the comparison", key_suffix=".again")


def _strange_line(comparison: Comparison, result: CauseResult) -> None:
    st.markdown("The asker's workaround is a line in the model that sets the weight by hand:")
    st.code(STRANGE_LINE, wrap_lines=True)
    layer = experiment.layer_attributes(result.settings.seed, RESOURCES)
    st.markdown(text.attributes_finding(layer))
    _attributes_table(layer.changed)
    with st.expander(f"All {len(layer.attributes)} rows of vars(layer)"):
        _attributes_table(layer.attributes)
    with compiled([result.settings.optimizer]):
        runs = result_of(experiment.shape_or_value_runs, comparison)
    st.markdown(text.shape_or_value_finding(runs))
    plain_table(text.shape_or_value_table(runs))


def _attributes_table(attributes: Sequence[Attribute]) -> None:
    plain_table(
        {one.name: {"before the line": one.before, "after it": one.after} for one in attributes}
    )


def _pytorch(result: CauseResult) -> None:
    answer = experiment.ask_pytorch(result, RESOURCES)
    columns = st.columns(3, gap="large")
    for column, (key, reaction) in zip(columns, answer.reactions.items(), strict=True):
        with column:
            st.markdown(f"`{LOSSES[key].title}`")
            show_reaction(reaction)
    st.markdown(
        f"The loss that PyTorch gives at {numbers.point(result.weights[:2])} on the first"
        f" {answer.rows:,} rows, as written and with each of"
        f" {len(answer.losses) - 1} fixes:"
    )
    plain_table(text.fixes_table(answer))
