"""The shapes page: what a loss makes of two shapes, what PyTorch says of it, and the guard at
work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from linreg.experiments import pytorch_calls
from linreg.figures import gallery
from linreg.figures.your_code import drawn_shapes
from linreg.guard.shapes import diagnose_shapes
from linreg.settings.losses import LOSSES
from linreg.settings.pages import CodeView
from linreg.text import markdown
from linreg.text import your_code as your_code_text
from linreg.training.worker import PYTORCH
from linreg.ui.drawing import draw
from linreg.ui.frame import choice, shape, view

if TYPE_CHECKING:
    from linreg.guard.report import Reaction

EXAMPLE = Path(__file__).parents[1] / "experiments/guard_example.py"


def shapes_section() -> None:
    """Two shapes and a loss, and all that follows from them. What is typed is matched as a shape,
    and never run."""
    first, second, third = st.columns(3, gap="medium")
    with first:
        shape("view.prediction", "Shape of the prediction")
    with second:
        shape("view.truth", "Shape of the target")
    with third:
        choice("view.loss", "Loss", titles=lambda key: LOSSES[key].title)
    shown = view(CodeView)
    found = diagnose_shapes(shown.prediction, shown.truth, shown.loss)
    left, right = st.columns(2, gap="large")
    with left:
        if drawn_shapes(found):
            draw(lambda theme: gallery.shapes_plate(found, theme), "shapes")
        else:
            st.caption(
                "There is nothing to draw: the shapes do not broadcast, hold nothing, or have too"
                " many axes."
            )
    with right:
        st.markdown(your_code_text.verdict_of_shapes(found))
        if found.corrected:
            st.markdown("**The fix**" if len(found.corrected) == 1 else "**The fix**, either of")
            st.code("\n".join(found.corrected), language="python", wrap_lines=True)
        st.markdown("**What PyTorch does**, run here on numbers of these shapes")
        try:
            answer = reaction_of(shown.prediction, shown.truth, shown.loss)
        except ValueError as error:
            st.caption(f"Not run: {markdown.escape_markdown(str(error))}.")
            return
        show_reaction(answer)
        st.markdown(your_code_text.guarded(answer))


def show_reaction(answer: Reaction) -> None:
    """What PyTorch did, and its own words."""
    st.markdown(your_code_text.reaction(answer))
    for text in (*answer.warnings, *([answer.error] if answer.error else [])):
        st.code(text, language=None, wrap_lines=True)


@st.cache_data(max_entries=256, show_spinner="Asking PyTorch …")
def reaction_of(prediction: tuple[int, ...], target: tuple[int, ...], loss: str) -> Reaction:
    """What PyTorch does with a loss of these shapes."""
    return PYTORCH.call(pytorch_calls.reaction, prediction, target, loss)


def guard_section() -> None:
    """A training loop under the guard, and what comes of running it."""
    st.code(
        EXAMPLE.read_text(encoding="utf-8"), language="python", line_numbers=True, wrap_lines=True
    )
    st.markdown("It stops at the first batch:")
    st.code(_output(), language=None, wrap_lines=True)


@st.cache_data(show_spinner="Running it …")
def _output() -> str:
    return PYTORCH.call(pytorch_calls.guard_example_end)
