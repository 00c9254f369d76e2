"""The cause page: the bug step by step, each step computed and drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from linreg.experiments import pytorch_calls
from linreg.experiments.cause import (
    BatchStatistics,
    MinimumByBatchSize,
    batch_statistics,
    minimum_by_batch_size,
    pairs_of,
    shape_or_value,
)
from linreg.figures import cause as cause_figures
from linreg.figures import gallery
from linreg.figures.gallery import single_figure
from linreg.figures.layers import round_number
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.limits import LIMITS
from linreg.settings.losses import LOSSES
from linreg.settings.model import Comparison, Data, Settings
from linreg.settings.pages import CauseView
from linreg.settings.wirings import STRANGE_INIT, STRANGE_LINE
from linreg.text import cause as cause_text
from linreg.text import comparison as comparison_text
from linreg.text import numbers
from linreg.training.worker import PYTORCH
from linreg.ui.cache import AS_TEXT, surface_of, table_of, yardstick_of
from linreg.ui.drawing import compiled, draw, plain_table
from linreg.ui.frame import change_view, number, slider, view
from linreg.ui.your_code import reaction_of, show_reaction


def cause_section(comparison: Comparison) -> None:
    """All six steps. What is written as the original pairs all rows here, whatever the comparison
    has there."""
    asked = replace(comparison.original, wiring="original")
    matched = replace(asked, wiring="squeeze")
    st.markdown(f"**{cause_text.cause_finding(asked, surface_of(asked), _least_squares(asked))}**")
    st.markdown(
        comparison_text.setup(comparison, ["optimizer"])
        + " Each step below is computed on this data."
    )
    st.subheader("1. Each prediction meets every target")
    weights = _weights_controls(asked)
    _matrix(asked, weights)
    st.subheader("2. Broadcasting erases the covariance")
    _terms(asked, weights)
    st.subheader("3. The same bowl, moved and lifted")
    _bowls(asked, matched)
    st.subheader("4. The larger the batch, the further the minimum walks")
    _walk(asked)
    st.subheader("5. The strange line drops a dimension of the weight")
    _strange_line(asked)
    st.subheader("6. PyTorch warns, says nothing, or raises")
    _said(asked, weights)


def _least_squares(asked: Settings) -> Quadratic:
    """The loss of all rows at once: where batches are of unequal sizes, the mean over them is least
    elsewhere."""
    return yardstick_of(asked.data, asked.bias).surface


def _weights_controls(asked: Settings) -> np.ndarray:
    """The rows of the matrix and the weights that the reader moves, with two places to go to;
    returns the weights."""
    best, wrong = _least_squares(asked).minimum, surface_of(asked).minimum
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
        "To least squares", key="at_best", on_click=_stand, args=(None, None), width="stretch"
    )
    ends = tuple(float(weight) for weight in wrong[:2])
    here.button("To the bug's minimum", key="at_wrong", on_click=_stand, args=ends, width="stretch")
    return np.array(list(view(CauseView).weights(best.tolist())))


def _stand(w1: float | None, w2: float | None) -> None:
    change_view(w1=w1, w2=w2)


def _with_bias(asked: Settings, weights: np.ndarray) -> np.ndarray:
    """The weights, and where there is a bias the best one beside them, which is the same for both
    losses."""
    if not asked.bias:
        return weights
    return np.append(weights, _statistics(asked.data, asked.batch_size).best_bias(weights))


@st.cache_data(hash_funcs=AS_TEXT, max_entries=32, show_spinner=False)
def _statistics(data: Data, batch_size: int) -> BatchStatistics:
    return batch_statistics(table_of(data), batch_size)


def _matrix(asked: Settings, weights: np.ndarray) -> None:
    pairs = pairs_of(table_of(asked.data), _with_bias(asked, weights), view(CauseView).rows)
    left, right = st.columns(2, gap="large")
    with left:
        draw(
            lambda theme: single_figure(
                gallery.MATRIX, cause_figures.matrix_figure(pairs, theme), theme
            ),
            "matrix",
        )
    with right:
        st.markdown(cause_text.matrix_finding(pairs))
        st.markdown(cause_text.matrix_table(pairs))
        st.caption(
            "The parts add up to the loss of this batch, the mean over all its pairs, and to its"
            " gradient; in brackets their"
            f" shares. The batch is the first {len(pairs)} rows of the table; in training it has"
            f" {asked.batch_size:,}."
        )


def _terms(asked: Settings, weights: np.ndarray) -> None:
    terms = _statistics(asked.data, asked.batch_size).terms(_with_bias(asked, weights))
    left, right = st.columns([3, 2], gap="large")
    with left:
        draw(
            lambda theme: single_figure(
                gallery.TERMS, cause_figures.terms_figure(terms, theme), theme
            ),
            "terms",
        )
    with right:
        st.markdown(cause_text.terms_finding(terms, weights))
        st.markdown(
            "Matched, mean (pᵢ − yᵢ)² = Var(p) + Var(y) − 2·Cov(p, y) + (p̄ − ȳ)².  \n"
            "Broadcast, mean (pᵢ − yⱼ)² = Var(p) + Var(y) + (p̄ − ȳ)²."
        )
        if asked.bias:
            st.caption(
                "The bias is at its best for these weights, which makes the means equal over all"
                " rows."
            )
        st.caption(
            "Move the weights above: Var(p), Var(y) and (p̄ − ȳ)² are the same in both losses,"
            " wherever they are."
        )


def _bowls(asked: Settings, matched: Settings) -> None:
    surfaces = [surface_of(asked), surface_of(matched)]
    st.markdown(cause_text.bowls_finding(*surfaces))
    left, right = st.columns(2, gap="medium")
    with left:
        draw(
            lambda theme: single_figure(
                gallery.BOWLS, cause_figures.bowls_figure(surfaces, theme), theme
            ),
            "bowls",
        )
    with right:
        draw(
            lambda theme: single_figure(
                gallery.SECTION, cause_figures.section_figure(surfaces, theme), theme
            ),
            "section",
        )


@st.cache_data(hash_funcs=AS_TEXT, max_entries=32, show_spinner=False)
def _walked(data: Data, batch_size: int, bias: bool) -> MinimumByBatchSize:
    return minimum_by_batch_size(table_of(data), Settings(data, batch_size=batch_size, bias=bias))


def _walk(asked: Settings) -> None:
    walk = _walked(asked.data, asked.batch_size, asked.bias)
    left, right = st.columns([3, 2], gap="large")
    with left:
        draw(
            lambda theme: single_figure(
                gallery.WALK, cause_figures.walk_figure(walk, asked.batch_size, theme), theme
            ),
            "walk",
        )
    with right:
        st.markdown(cause_text.walk_finding(walk, asked.batch_size, surface_of(asked)))
        st.markdown(
            "In a batch of B rows, one pair in B is a row with its own target, so 1/B of the"
            " covariance stays: for"
            " independent rows E[x̄ȳ] = E[x]E[y] + Cov(x, y)/B, and w*, the weights of least"
            " squares, shrink to w*/B where"
            " the means are near zero."
        )
        number("batch_size", "Batch size of the comparison", again=".again")


@st.cache_data(hash_funcs=AS_TEXT, max_entries=32, show_spinner=False)
def _four_runs(settings: Settings) -> Any:
    return shape_or_value(table_of(settings.data), settings, yardstick_of(settings.data, False))


@st.cache_data(show_spinner="Asking PyTorch …")
def _attributes(seed: int) -> list[tuple[str, str, str, bool]]:
    rows = PYTORCH.call(
        pytorch_calls.layer_attributes,
        Settings(wiring="weight_1d", init=STRANGE_INIT, seed=seed),
    )
    return [(row.name, row.before, row.after, row.changed) for row in rows]


def _strange_line(asked: Settings) -> None:
    st.markdown("The question's way out is a line in the model that sets the weight by hand:")
    st.code(STRANGE_LINE, wrap_lines=True)
    rows = _attributes(asked.seed)
    changed = [row for row in rows if row[3]]
    st.markdown(cause_text.attributes_finding([row[0] for row in changed], len(rows)))
    plain_table(
        {name: {"before the line": before, "after it": after} for name, before, after, _ in changed}
    )
    with st.expander(f"All {len(rows)} rows of vars(layer)"):
        plain_table(
            {
                name: {"before the line": before, "after it": after}
                for name, before, after, _ in rows
            }
        )
    with compiled([asked.optimizer]):
        cells = _four_runs(asked)
    st.markdown(cause_text.shape_or_value_finding(cells))
    plain_table(cause_text.shape_or_value_table(cells))


@st.cache_data(hash_funcs=AS_TEXT, max_entries=64, show_spinner="Asking PyTorch …")
def _losses_of_fixes(
    data: Data, rows: int, weights: tuple[float, ...]
) -> list[tuple[str, str, float]]:
    table = table_of(data)
    return PYTORCH.call(
        pytorch_calls.losses_of_fixes, table.X[:rows], table.y[:rows], np.array(weights)
    )


def _said(asked: Settings, weights: np.ndarray) -> None:
    rows = min(asked.batch_size, LIMITS.paired_rows)  # PyTorch holds all their pairs
    told = {key: reaction_of((rows, 1), (rows,), key) for key in ("mse", "raw", "bce_with_logits")}
    for column, (key, answer) in zip(st.columns(3, gap="large"), told.items(), strict=True):
        with column:
            st.markdown(f"`{LOSSES[key].title}`")
            show_reaction(answer)
    losses = _losses_of_fixes(asked.data, rows, tuple(_with_bias(asked, weights).tolist()))
    st.markdown(
        f"The loss that PyTorch gives at {numbers.point(weights)} on the first {rows:,} rows, as"
        " written and with each of"
        f" {len(losses) - 1} fixes:"
    )
    plain_table(cause_text.fixes_table(losses))
