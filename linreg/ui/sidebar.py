"""The sidebar: the menu, and the controls of the comparison."""

from __future__ import annotations

import streamlit as st

from linreg.settings.changes import overrides, without_table
from linreg.settings.model import Data, TableSettings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.presets import PRESETS, closest_preset
from linreg.text.comparison import regression
from linreg.ui.controls import (
    choice,
    number,
    set_unless_refused,
    show_refusal,
    text,
    toggle,
)
from linreg.ui.navigation import menu, present_button
from linreg.ui.state import CONTROL, page_state
from linreg.ui.url import copy_link

PRESET, LEAVE_TABLE = f"{CONTROL}preset", "no_table"  # keys of widgets


def sidebar(has_controls: bool) -> None:
    """The menu, Copy link, the lecture view, and the controls of the comparison where the page has
    them."""
    menu()
    st.fragment(copy_link)()
    present_button()
    if has_controls:
        _comparison_controls()
    else:
        page_state().expected = st.empty()


def _comparison_controls() -> None:
    _preset_control()
    st.subheader("Model")
    _model_controls()
    st.subheader("Optimizer")
    _optimizer_controls()
    st.subheader("Run")
    _run_controls()
    page_state().expected = st.empty()  # the replay fills it once it knows the pace
    with st.expander("Data"):
        _data_controls(page_state().comparison.original.data)
    _fixed_side_controls()


def _preset_control() -> None:
    state = page_state()
    closest = closest_preset(state.comparison, state.preset)
    is_unchanged = closest is not None and closest.comparison == state.comparison
    set_unless_refused(PRESET, closest.key if closest and is_unchanged else None)
    chosen = st.selectbox(
        "Preset",
        list(PRESETS),
        format_func=lambda key: PRESETS[key].title,
        key=PRESET,
        index=None,
        placeholder=f"{closest.title} (modified)" if closest else "your own settings",
        on_change=_apply_preset,
    )
    comment = st.empty()  # always there, so that the controls below it keep their places
    if chosen:
        comment.caption(PRESETS[chosen].comment)
    show_refusal(PRESET)


def _apply_preset() -> None:
    state = page_state()
    key = state.widget(PRESET)
    if key and state.change(lambda: PRESETS[key].comparison, PRESET):
        state.preset = key


def _model_controls() -> None:
    choice("wiring", "Original code", titles=True)
    choice("fixed.wiring", "Fixed code", titles=True)
    text(
        "init",
        "Initial weights",
        "`default` is PyTorch's own init, drawn from the seed; or two numbers, such as 2, 3",
    )
    toggle("bias", "Bias")


def _optimizer_controls() -> None:
    optimizer = OPTIMIZERS[page_state().comparison.original.optimizer]
    choice("optimizer", "Optimizer", help=optimizer.explanation)
    left, right = st.columns(2)
    with left:
        number("lr", "Learning rate")
    with right:
        number("momentum", "Momentum", disabled=not optimizer.takes_momentum)


def _run_controls() -> None:
    left, right = st.columns(2)
    with left:
        number("batch_size", "Batch size")
        toggle("shuffle", "Shuffle")
    with right:
        number("epochs", "Epochs")
        number("seed", "Seed")


def _data_controls(data: Data) -> None:
    if isinstance(data, TableSettings):
        st.markdown(f"{regression(data)}, {data.samples:,} rows of a table.")
        st.button(
            "Back to the thread's data", key=LEAVE_TABLE, on_click=_leave_table, width="stretch"
        )
        show_refusal(LEAVE_TABLE)
        return
    text("weights", "True weights")
    left, right = st.columns(2)
    with left:
        number("samples", "Rows")
        number("mean", "Feature mean")
        number("noise", "Noise")
    with right:
        number("scale", "Feature scale")
        number("correlation", "Correlation")
        number("data_seed", "Data seed")


def _leave_table() -> None:
    state = page_state()
    comparison = state.comparison
    if state.change(lambda: state.other_comparison or without_table(comparison), LEAVE_TABLE):
        state.other_comparison = None


def _fixed_side_controls() -> None:
    """What the fixed side may have of its own, in an expander that stays open once it was."""
    state = page_state()
    if len(overrides(state.comparison)) > 1:
        state.fixed_side_open = True
    with st.expander("The fixed side also differs in …", expanded=state.fixed_side_open):
        st.caption("Left empty, a setting is the original's, shown after =.")
        text("fixed.init", "Initial weights")
        choice("fixed.optimizer", "Optimizer")
        left, right = st.columns(2)
        with left:
            number("fixed.lr", "Learning rate")
            number("fixed.batch_size", "Batch size")
            choice("fixed.bias", "Bias")
            number("fixed.seed", "Seed")
        with right:
            number("fixed.momentum", "Momentum")
            number("fixed.epochs", "Epochs")
            choice("fixed.shuffle", "Shuffle")
