"""The page of your own code: what a loss computes from two shapes, and the guard at work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from linreg.experiments import your_code as experiment
from linreg.experiments.pasted_shapes import EXAMPLE, Reading, read_paste, read_shape
from linreg.figures import your_code as figures
from linreg.settings.losses import LOSSES
from linreg.settings.pages import CodeView
from linreg.text import pasted_shapes as pasted_text
from linreg.text import your_code as text
from linreg.text.markdown import escape_markdown
from linreg.ui.cache import RESOURCES, result_of
from linreg.ui.controls import choice
from linreg.ui.figure_view import draw
from linreg.ui.state import CONTROL, page_state

if TYPE_CHECKING:
    from linreg.guard.report import Reaction

EXAMPLE_OF_GUARD = Path(__file__).parents[1] / "experiments/guard_example.py"
BOX = f"{CONTROL}paste"


# ---- what is pasted and typed --------------------------------------------------------------------


def shapes_section() -> None:
    """Two shapes and a loss, and all that follows from them.

    What is pasted or typed is parsed, and never run.
    """
    left, right = st.columns([1, 1], gap="large")
    with left:
        _paste_box()
    with right:
        first, second = st.columns(2, gap="medium")
        with first:
            _shape_field("prediction", "Shape of the prediction")
        with second:
            _shape_field("truth", "Shape of the target")
        choice("view.loss", "Loss", titles=lambda key: LOSSES[key].title)
    _diagnosis(page_state().view(CodeView))


def _paste_box() -> None:
    """One box for a warning, an error, or two shapes in any notation."""
    state = page_state()
    readings = () if state.refusal(BOX) else _readings(state.widget(BOX) or "")
    if len(readings) == 1 and not _is_shown(readings[0]):
        state.set_widget(BOX, "")  # the shapes have been changed since
        readings = ()
    st.text_area(
        "Paste a warning, an error, or two shapes",
        key=BOX,
        height=100,
        placeholder=f"{EXAMPLE}\nUserWarning: Using a target size (torch.Size([100])) …",
        on_change=_read_box,
    )
    buttons = st.container(horizontal=True)
    buttons.button("Check my shapes", type="primary", on_click=_read_box)
    _show_refusal(BOX)
    if len(readings) > 1:
        st.markdown(pasted_text.question(readings))
        answers = st.container(horizontal=True)
        for reading in readings:
            answers.button(pasted_text.answer(reading), on_click=_answer, args=(reading,))
    elif readings:
        st.caption(pasted_text.known_by(readings[0]))
        if readings[0].known_by in ("order", "sizes"):
            buttons.button("Swap", icon=":material/swap_horiz:", on_click=_swap)


def _readings(pasted: str) -> tuple[Reading, ...]:
    """The readings of what is in the box, none where there is nothing to read."""
    try:
        return read_paste(pasted)
    except ValueError:
        return ()


def _read_box() -> None:
    """Show what was pasted, or refuse it; where it has several readings, the page asks."""
    state = page_state()
    pasted = state.widget(BOX)
    if not (pasted or "").strip():
        state.refusals.pop(BOX, None)
        return
    try:
        readings = read_paste(pasted)
    except ValueError as error:
        state.refuse(str(error), BOX)
        return
    state.refusals.clear()
    if len(readings) == 1:
        _take(readings[0])


def _answer(reading: Reading) -> None:
    """Take one of several readings, and empty the box, which would ask again."""
    page_state().set_widget(BOX, "")
    _take(reading)


def _take(reading: Reading) -> None:
    """Show the shapes of a reading."""
    state = page_state()
    loss = reading.loss or state.view(CodeView).loss
    state.change_view(
        prediction=reading.prediction, truth=reading.target, names=reading.names, loss=loss
    )


def _swap() -> None:
    state = page_state()
    view = state.view(CodeView)
    state.change_view(prediction=view.truth, truth=view.prediction, names=view.names[::-1])


def _is_shown(reading: Reading) -> bool:
    """Whether the page shows the shapes of a reading."""
    view = page_state().view(CodeView)
    return (reading.prediction, reading.target) == (view.prediction, view.truth)


def _shape_field(name: str, label: str) -> None:
    """A field for one shape, written as PyTorch prints it. What is refused stays in it."""
    state = page_state()
    key = f"{CONTROL}view.{name}"
    if not state.refusal(key):
        state.set_widget(key, pasted_text.shape(getattr(state.view(CodeView), name)))

    def apply() -> None:
        if state.was_removed(key):
            return
        try:
            sizes = read_shape(state.widget(key))
        except ValueError as error:
            state.refuse(str(error), key)
        else:
            state.refusals.pop(key, None)
            state.change_view(**{name: sizes})

    st.text_input(label, key=key, help="such as (100, 1), [64] or (B, 1)", on_change=apply)
    _show_refusal(key)


def _show_refusal(key: str) -> None:
    """Say below a field why its text was refused."""
    reason = page_state().refusal(key)
    if reason:
        st.error(escape_markdown(reason))


# ---- the diagnosis -------------------------------------------------------------------------------


def _diagnosis(view: CodeView) -> None:
    result = result_of(experiment.run, view)
    st.markdown(text.shapes_verdict(result))
    left, right = st.columns(2, gap="large")
    with left:
        if figures.drawn_shapes(result.diagnosis):
            draw(lambda theme: figures.pairs(result, theme), "shapes")
        else:
            st.caption(
                "There is nothing to draw: the shapes do not broadcast, hold nothing, or have too"
                " many axes."
            )
        st.caption(text.stand_ins(result))
    with right:
        blocks = text.fixes(result)
        if blocks:
            st.markdown(text.fixes_title(result))
        for block in blocks:
            st.code(block, language="python", wrap_lines=True)
        st.markdown("**What PyTorch does**, run here on numbers of these shapes")
        try:
            answer = experiment.reaction(view, RESOURCES)
        except ValueError as error:
            st.caption(f"Not run: {escape_markdown(str(error))}.")
            return
        show_reaction(answer)
        if answer.error is None:
            st.markdown(text.guarded(answer))


def show_reaction(answer: Reaction) -> None:
    """What PyTorch did, and its own words."""
    st.markdown(text.reaction(answer))
    for words in (*answer.warnings, *([answer.error] if answer.error else [])):
        st.code(words, language=None, wrap_lines=True)


def guard_section() -> None:
    """A training loop under the guard, and what comes of running it."""
    st.code(
        EXAMPLE_OF_GUARD.read_text(encoding="utf-8"),
        language="python",
        line_numbers=True,
        wrap_lines=True,
    )
    st.markdown("It stops at the first batch:")
    st.code(experiment.guard_example_output(RESOURCES), language=None, wrap_lines=True)
