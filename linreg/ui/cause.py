"""The cause page: the bug step by step, each step computed and drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from linreg.experiments import cause as experiment
from linreg.experiments.cause import CauseResult
from linreg.experiments.layer_attribute import Attribute
from linreg.figures import cause as figures
from linreg.figures.contours import round_number
from linreg.settings.losses import LOSSES
from linreg.settings.model import Comparison
from linreg.settings.pages import CauseView
from linreg.settings.wirings import STRANGE_LINE
from linreg.text import cause as text
from linreg.text import comparison as comparison_text
from linreg.text import numbers
from linreg.ui.cache import RESOURCES, result_of
from linreg.ui.controls import number, slider
from linreg.ui.elements import compiled, plain_table
from linreg.ui.figure_view import draw
from linreg.ui.state import page_state
from linreg.ui.your_code import show_reaction


def cause_section(comparison: Comparison) -> None:
    """All six steps.

    What is written as the original pairs all rows here, whatever the comparison has there.
    """
    result = result_of(experiment.run, comparison, page_state().view(CauseView))
    finding = text.cause_finding(result)
    st.markdown(f"**{finding}**")
    st.markdown(
        comparison_text.setup(comparison, ["optimizer"])
        + " Each step below is computed on this data."
    )
    st.subheader("1. Each prediction meets every target")
    _weights_controls(result)
    _matrix(result)
    st.subheader("2. Broadcasting erases the covariance")
    _terms(result)
    st.subheader("3. The same bowl, moved and lifted")
    _bowls(result)
    st.subheader("4. The larger the batch, the further the minimum walks")
    _walk(result)
    st.subheader("5. The strange line drops a dimension of the weight")
    _strange_line(comparison, result)
    st.subheader("6. PyTorch warns, says nothing, or raises")
    _pytorch(result)


def _weights_controls(result: CauseResult) -> None:
    """The rows of the matrix, the weights that the reader moves, and two places to move them to."""
    best, wrong = result.least_squares.minimum, result.broadcast.minimum
    reach = 2 * round_number(float(np.abs(best[:2]).max())) or 1.0
    rows, first, second, there, here = st.columns(
        [1, 1.6, 1.6, 1.5, 1.9], gap="medium", vertical_alignment="bottom"
    )
    with rows:
        number("view.rows", "Matrix rows")
    for column, name, at in ((first, "w1", best[0]), (second, "w2", best[1])):
        with column:
            slider(f"view.{name}", f"Weight {name[1]}", -reach, reach, reach / 200, float(at))
    there.button(
        "To least squares", key="at_best", on_click=_move_to, args=(None, None), width="stretch"
    )
    ends = tuple(float(weight) for weight in wrong[:2])
    here.button(
        "To the bug's minimum", key="at_wrong", on_click=_move_to, args=ends, width="stretch"
    )


def _move_to(w1: float | None, w2: float | None) -> None:
    page_state().change_view(w1=w1, w2=w2)


def _matrix(result: CauseResult) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        draw(lambda theme: figures.matrix(result, theme), "matrix")
    with right:
        st.markdown(text.matrix_finding(result))
        st.markdown(text.matrix_table(result))
        st.caption(
            "The parts add up to the loss of this batch, the mean over all its pairs, and to its"
            f" gradient; in brackets their shares. The batch is the first {len(result.pairs)} rows"
            f" of the table; in training it has {result.settings.batch_size:,}."
        )


def _terms(result: CauseResult) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        draw(lambda theme: figures.terms(result, theme), "terms")
    with right:
        st.markdown(text.terms_finding(result))
        st.markdown(
            "Matched, mean (pᵢ − yᵢ)² = Var(p) + Var(y) − 2·Cov(p, y) + (p̄ − ȳ)².  \n"
            "Broadcast, mean (pᵢ − yⱼ)² = Var(p) + Var(y) + (p̄ − ȳ)²."
        )
        if result.settings.bias:
            st.caption(
                "The bias is at its best for these weights, which makes the means equal over all"
                " rows."
            )
        st.caption(
            "Move the weights above: Var(p), Var(y) and (p̄ − ȳ)² are the same in both losses,"
            " wherever they are."
        )


def _bowls(result: CauseResult) -> None:
    st.markdown(text.surfaces_finding(result))
    left, right = st.columns(2, gap="medium")
    with left:
        draw(lambda theme: figures.both_surfaces(result, theme), "bowls")
    with right:
        draw(lambda theme: figures.section(result, theme), "section")


def _walk(result: CauseResult) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        draw(lambda theme: figures.minimum_by_batch_size(result, theme), "walk")
    with right:
        st.markdown(text.minimum_by_batch_size_finding(result))
        st.markdown(
            "In a batch of B rows, one pair in B is a row with its own target, so 1/B of the"
            " covariance stays: for independent rows E[x̄ȳ] = E[x]E[y] + Cov(x, y)/B, and w*, the"
            " weights of least squares, shrink to w*/B where the means are near zero."
        )
        number("batch_size", "Batch size of the comparison", key_suffix=".again")


def _strange_line(comparison: Comparison, result: CauseResult) -> None:
    st.markdown("The question's way out is a line in the model that sets the weight by hand:")
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
