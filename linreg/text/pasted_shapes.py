"""What was found in a pasted text, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linreg.experiments.pasted_shapes import Reading, Sizes


def known_by(reading: Reading) -> str:
    """How prediction and target were told apart in a pasted text."""
    first, second = shape(reading.prediction), shape(reading.target)
    reasons = {
        "message": f"The message names both: the input `{first}` is the prediction,"
        f" the target is `{second}`.",
        "names": f"The names beside the shapes say it: `{first}` is the prediction, `{second}`"
        " the target.",
        "order": f"Nothing says which is the prediction, so the first one is taken: `{first}`.",
        "sizes": "The message has one size of each side and does not name them, so the first is"
        f" taken for the prediction: `{first}`.",
    }
    return reasons[reading.known_by]


def question(readings: Sequence[Reading]) -> str:
    """The question where a text can be read in several ways."""
    for side in ("prediction", "target"):
        given = {getattr(reading, side) for reading in readings}
        if len(given) == 1:
            return f"Only one shape is given, `{shape(given.pop())}`. Which is the other?"
    return "This can be read in several ways. Which are your two shapes?"


def answer(reading: Reading) -> str:
    """One of the answers: the two shapes of a reading."""
    return f"prediction {shape(reading.prediction)}, target {shape(reading.target)}"


def shape(sizes: Sizes) -> str:
    """A shape as PyTorch users write it: `(100, 1)`, `(B,)`."""
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"
