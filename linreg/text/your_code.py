"""The page for your own code in words.

Its second result is PyTorch's own: a `Reaction`, which the cause page shows too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linreg.experiments.your_code import CodeResult
    from linreg.guard.report import Reaction


def shapes_verdict(result: CodeResult) -> str:
    """The verdict on two shapes in a few words, and what the loss computes, in a sentence."""
    verdicts = {
        "matched": "✓ Matched",
        "silent": "✕ A silent broadcast",
        "outer": "All pairs, written out",
        "one-sided": "One side is repeated",
        "raises": "✕ PyTorch raises",
    }
    return f"**{verdicts[result.diagnosis.kind]}.** {result.diagnosis.finding}"


def reaction(answer: Reaction) -> str:
    """What PyTorch did: raised, warned, or nothing."""
    if answer.error is not None:
        return "It raises:"
    return "It runs, and warns:" if answer.warnings else "It runs, and says nothing."


def guarded(answer: Reaction) -> str:
    """Whether the guard reports it."""
    return "`no_silent_broadcast` " + ("**reports it**." if answer.broadcast else "lets it pass.")
