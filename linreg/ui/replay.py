"""The replay: the slider, the play button, and the step that they show."""

from __future__ import annotations

import streamlit as st

from linreg.ui.state import page_state
from linreg.ui.url import write_url

FRAMES, FRAME_SECONDS = 40, 0.2  # of a replay
SLIDER, MOVING_SLIDER = "control.step", "playing.step"  # their keys


def step_to_show(last: int) -> int:
    """The step of the session, which is `last` if it has none; while playing, each call is one
    frame further."""
    state = page_state()
    step = last if state.step is None else min(state.step, last)
    if state.playing:
        step = min(step + max(last // FRAMES, 1), last)
        state.step = step if step < last else None
        if step == last:
            state.playing = False
            st.rerun()
    return step


def step_controls(step: int, last: int) -> None:
    """The slider and the play button, where there is more than one step."""
    if not last:
        st.caption("There is nothing to replay: the runs diverge at step 0.")
        return
    state = page_state()
    label = "Replay: step"
    button, slider = st.columns([1, 7], vertical_alignment="bottom", gap="medium")
    if button.button(
        "Pause" if state.playing else "Play",
        key="play",
        on_click=_play_or_pause,
        args=(last,),
        width="stretch",
    ):
        st.rerun()  # a fragment's clock starts and stops with the whole page
    if state.playing:  # a slider that moves by itself would report its own moves as the visitor's
        state.set_widget(MOVING_SLIDER, step)
        slider.slider(label, 0, last, key=MOVING_SLIDER, format="localized", disabled=True)
    else:
        state.set_widget(SLIDER, step)
        slider.slider(label, 0, last, key=SLIDER, format="localized", on_change=_show_chosen_step)


def forget_step_controls() -> None:
    """Call this where a fragment stops drawing the step controls: Streamlit keeps their state, and
    a slider that comes back would show 0."""
    for key in (SLIDER, MOVING_SLIDER):
        page_state().remove_widget(key)


def _play_or_pause(last: int) -> None:
    state = page_state()
    state.playing = not state.playing
    if state.playing and (state.step is None or state.step >= last):
        state.step = 0


def _show_chosen_step() -> None:
    state = page_state()
    if state.was_removed(SLIDER) or state.playing:
        return  # the slider that Play has replaced reports its last value once more
    state.show_step(state.widget(SLIDER))
    write_url()
