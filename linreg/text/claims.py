"""The claims page in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg.text.markdown import table_in_markdown
from linreg.text.numbers import coordinate, quantity, spreads

if TYPE_CHECKING:
    from linreg.experiments.claim_trials import Arm, Trials
    from linreg.experiments.claims import ClaimsResult, FactorResult


def claims_finding(result: ClaimsResult) -> str:
    """How many claims hold, what was run to tell, and what the tolerance of the verdict "converged"
    means for the loss."""
    verdicts, runs = result.verdicts, result.experiments * result.seeds
    counts = [f"{verdicts.count(kind)} {kind}" for kind in dict.fromkeys(sorted(verdicts))]
    return (
        f"**{len(verdicts)} claims: {', '.join(counts)}.** {result.experiments} different"
        f" experiments, some in more than one claim, each on {result.seeds:,} tables with inits of"
        f" their own: {runs:,} runs. An R² lower by 0.01 is a loss higher by"
        f" {quantity(result.tolerance)} on the first table."
    )


def trials_table(arms: Sequence[Arm], found: Sequence[Trials]) -> dict[str, dict[str, str]]:
    """For each arm the share that converged, and median and spread of its final loss and weights:
    row -> column -> text."""
    rows = {}
    for arm, one in zip(arms, found, strict=True):
        low, high = one.interval
        loss, w1, w2 = spreads(
            np.column_stack([one.loss, one.weights[:, :2]]), (quantity, coordinate, coordinate)
        )
        rows[arm.label] = {
            "predicted": "converges" if arm.predicted else "does not",
            "converged (95 % interval)": f"{one.converged.sum()} of {len(one)} ({100 * low:.1f} to {100 * high:.1f} %)",
            "loss, median (middle 90 %)": loss,
            "w1, likewise": w1,
            "w2, likewise": w2,
        }
    return rows


def factors_table(factors: Sequence[FactorResult]) -> str:
    """Each factor, what it was switched to, the share of runs that then converges, and whether it
    is the cause."""
    marks = {"cause": "✓", "not the cause": "✕"}
    rows = {
        found.factor.title: [
            "; ".join(
                f"{arm.label}: {one.share:.0%}"
                for arm, one in zip(found.factor.arms, found.trials, strict=True)
            ),
            f"{marks.get(found.cause, '–')} {found.cause}",
        ]
        for found in factors
    }
    return table_in_markdown(rows, ("changed to: share that converges", "is it the cause"))
