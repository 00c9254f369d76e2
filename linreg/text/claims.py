"""The claims page in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from linreg.text.markdown import table_in_markdown
from linreg.text.numbers import coordinate, quantity, spreads

if TYPE_CHECKING:
    from linreg.experiments.claims import ClaimResult, ClaimsResult


def claims_finding(result: ClaimsResult) -> str:
    """How many claims hold, how many runs that took, and what the tolerance in R² means."""
    verdicts, runs = result.verdicts, result.experiments * result.seeds
    counts = [f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts))]
    return (
        f"**{len(verdicts)} claims: {', '.join(counts)}.** {result.experiments} different"
        f" experiments, some in more than one claim, each on {result.seeds:,} tables with inits of"
        f" their own: {runs:,} runs. An R² lower by 0.01 is a loss higher by"
        f" {quantity(result.tolerance)} on the first table."
    )


def trials_table(result: ClaimResult) -> dict[str, dict[str, str]]:
    """For each arm of a claim the share of runs that converge, their losses and their weights.

    Row -> column -> text.
    """
    rows = {}
    for arm, runs in zip(result.claim.arms, result.trials, strict=True):
        low, high = runs.interval
        interval = f"({100 * low:.1f} to {100 * high:.1f} %)"
        loss, w1, w2 = spreads(
            np.column_stack([runs.loss, runs.weights[:, :2]]), (quantity, coordinate, coordinate)
        )
        rows[arm.label] = {
            "predicted": "converges" if arm.predicted else "does not",
            "converged (95 % interval)": f"{runs.converged.sum()} of {len(runs)} {interval}",
            "loss, median (middle 90 %)": loss,
            "w1, likewise": w1,
            "w2, likewise": w2,
        }
    return rows


def factors_table(result: ClaimsResult) -> str:
    """Each factor, the share of runs that converge once it is changed, and if it is the cause.

    As a Markdown table.
    """
    marks = {"cause": "✓", "not the cause": "✕"}
    rows = {}
    for found in result.factors:
        shares = [
            f"{arm.label}: {trials.share:.0%}"
            for arm, trials in zip(found.factor.arms, found.trials, strict=True)
        ]
        verdict = f"{marks.get(found.cause, '–')} {found.cause}"
        rows[found.factor.title] = ["; ".join(shares), verdict]
    return table_in_markdown(rows, ("changed to: share that converges", "is it the cause"))
