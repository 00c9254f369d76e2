"""The replay: its controls, and the step that the session shows."""

from __future__ import annotations

import streamlit as st

from linreg.ui.live import live_controls
from linreg.ui.live.messages import read_count, read_step
from linreg.ui.state import page_state
from linreg.ui.url import write_url


def step_to_show(last: int) -> int | None:
    """The step of the session; None is `last`."""
    step = page_state().step
    return None if step is None or step >= last else step


def step_controls(group: str, last: int) -> None:
    """The controls of the live figures of a group, where there is more than one step."""
    if last:
        live_controls(group, last, step_to_show(last), page_state().heard, _show_chosen_step)
    else:
        st.caption("There is nothing to replay: the runs diverge at step 0.")


def _show_chosen_step(key: str) -> None:
    state = page_state()
    if not state.was_removed(key):
        message = state.widget(key)["step"]
        state.step = read_step(message)
        state.heard[key] = read_count(message)
        write_url()
