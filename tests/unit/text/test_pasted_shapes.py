"""What was pasted, in words: how the sides are told apart, and what is asked."""

import pytest

from linreg.experiments.pasted_shapes import read_paste
from linreg.text import pasted_shapes as text


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("(8, 1) (8,)", "the first one is taken: `(8, 1)`"),
        ("y: (8,) pred: (8, 1)", "`(8, 1)` is the prediction, `(8,)` the target"),
        (
            "Target size (torch.Size([8])) must be the same as input size (torch.Size([8, 1]))",
            "the input `(8, 1)` is the prediction, the target is `(8,)`",
        ),
        (
            "The size of tensor a (64) must match the size of tensor b (100) at non-singleton"
            " dimension 0",
            "one size of each side and does not name them",
        ),
    ],
)
def test_it_says_how_the_sides_are_told_apart(pasted, says):
    (reading,) = read_paste(pasted)
    assert says in text.known_by(reading)


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("(100, 1)", "Only one shape is given, `(100, 1)`. Which is the other?"),
        ("y.shape: (100,)", "Only one shape is given, `(100,)`. Which is the other?"),
        ("32 1", "This can be read in several ways. Which are your two shapes?"),
    ],
)
def test_what_is_not_clear_is_asked(pasted, says):
    assert text.question(read_paste(pasted)) == says
