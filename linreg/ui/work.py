"""Work that takes long, on a page: a progress bar, and buttons that start and stop it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from linreg.experiments.work import Work
from linreg.text.numbers import duration
from linreg.ui.elements import compiled
from linreg.ui.state import page_state


def run_behind_bar(
    work: Work[Any, Any],
    bar_text: Callable[[int, int], str],
    total: int,
    optimizers: Sequence[str] = (),
    parameters: int = 2,
) -> None:
    """Run work, and show how far it is; `total` is what `bar_text` counts to.

    A click anywhere on the page ends it: Streamlit then interrupts the script as it draws the bar.
    What is done by then is kept. `optimizers` are those whose compiled kernels it needs.
    """
    bar = st.progress(0.0, bar_text(0, total))

    def progress(done: int, of: int) -> None:
        bar.progress(done / of, bar_text(done, of))

    with compiled(optimizers, parameters):
        work.run(progress)


def work_bar(place: DeltaGenerator) -> DeltaGenerator:
    """A container for a progress bar and a stop button, fixed to the edge of the window.

    On the page itself, what is drawn above would move the button away from the mouse that presses
    it, and the browser would report no click. Its style comes with it: on a busy machine Streamlit
    applies that of the page seconds after it has drawn the button.
    """
    container = place.container(key="work")
    style = Path(__file__).with_name("work.css").read_text(encoding="utf-8")
    container.html(f"<style>{style}</style><i></i>")  # style alone would go to the page's
    return container


def stop_button(label: str, key: str, question: Any) -> None:
    """A button that stops the work on a question, until the visitor asks for it again."""
    st.button(label, key=key, on_click=page_state().stop, args=(question,))


def start_button(label: str, key: str, question: Any, primary: bool = False) -> None:
    """A button that starts the work on a question, or goes on with it."""
    st.button(
        label,
        key=key,
        type="primary" if primary else "secondary",
        on_click=page_state().agree,
        args=(question,),
    )


def time_left() -> Callable[[int, int], str]:
    """A function of (done, total) that says how long the rest takes at the pace so far."""
    started = time.monotonic()

    def said(done: int, total: int) -> str:
        if not done:
            return ""
        return f", {duration((time.monotonic() - started) / done * (total - done))} left"

    return said
