"""The page of your own code: what a loss computes from two shapes, and the guard at work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from linreg.experiments import your_code as experiment
from linreg.figures import your_code as figures
from linreg.settings.losses import LOSSES
from linreg.settings.pages import CodeView
from linreg.text import your_code as text
from linreg.text.markdown import escape_markdown
from linreg.ui.cache import RESOURCES, result_of
from linreg.ui.controls import choice, shape
from linreg.ui.figure_view import draw
from linreg.ui.state import page_state

if TYPE_CHECKING:
    from linreg.guard.report import Reaction

EXAMPLE = Path(__file__).parents[1] / "experiments/guard_example.py"


def shapes_section() -> None:
    """Two shapes and a loss, and all that follows from them.

    What is typed is parsed as a shape, and never run.
    """
    first, second, third = st.columns(3, gap="medium")
    with first:
        shape("view.prediction", "Shape of the prediction")
    with second:
        shape("view.truth", "Shape of the target")
    with third:
        choice("view.loss", "Loss", titles=lambda key: LOSSES[key].title)
    view = page_state().view(CodeView)
    result = result_of(experiment.run, view)
    found = result.diagnosis
    left, right = st.columns(2, gap="large")
    with left:
        if figures.drawn_shapes(found):
            draw(lambda theme: figures.pairs(result, theme), "shapes")
        else:
            st.caption(
                "There is nothing to draw: the shapes do not broadcast, hold nothing, or have too"
                " many axes."
            )
    with right:
        st.markdown(text.shapes_verdict(result))
        if found.corrected:
            st.markdown("**The fix**" if len(found.corrected) == 1 else "**The fix**, either of")
            st.code("\n".join(found.corrected), language="python", wrap_lines=True)
        st.markdown("**What PyTorch does**, run here on numbers of these shapes")
        try:
            answer = experiment.reaction(view, RESOURCES)
        except ValueError as error:
            st.caption(f"Not run: {escape_markdown(str(error))}.")
            return
        show_reaction(answer)
        st.markdown(text.guarded(answer))


def show_reaction(answer: Reaction) -> None:
    """What PyTorch did, and its own words."""
    st.markdown(text.reaction(answer))
    for words in (*answer.warnings, *([answer.error] if answer.error else [])):
        st.code(words, language=None, wrap_lines=True)


def guard_section() -> None:
    """A training loop under the guard, and what comes of running it."""
    st.code(
        EXAMPLE.read_text(encoding="utf-8"), language="python", line_numbers=True, wrap_lines=True
    )
    st.markdown("It stops at the first batch:")
    st.code(experiment.guard_example_output(RESOURCES), language=None, wrap_lines=True)
