"""The claims page in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from linreg.text.markdown import table_in_markdown
from linreg.text.numbers import coordinate, quantity, spreads

if TYPE_CHECKING:
    from linreg.experiments.claims import ClaimResult, ClaimsResult, FactorResult


def cause_finding(result: ClaimsResult) -> str:
    """Which of the factors is the cause, which matters in part, and which do not matter."""
    causes, in_part, others = (
        [found for found in result.factors if found.cause == cause]
        for cause in ("cause", "in part", "not the cause")
    )
    asked = f"{result.asked.share:.0%} of the runs converge as asked"
    if len(causes) == 1:
        (found,) = causes
        title = found.factor.title
        arms = _joined(
            f"{arm.label} {trials.share:.0%}"
            for arm, trials in zip(found.factor.arms, found.trials, strict=True)
        )
        verb = "matter" if title.endswith("s") else "matters"
        sentences = [f"**Only the {title} {verb}: {asked}, with the {title} {arms}.**"]
    elif causes:
        titles = _joined(f"the {found.factor.title}" for found in causes)
        sentences = [f"**More than one change is enough: {titles}; {asked}.**"]
    else:
        sentences = [f"**No single change is always enough; {asked}.**"]
    if others:
        titles = _joined((f"the {found.factor.title}" for found in others), "or")
        sentences.append(f"Changing {titles} does not help.")
    return " ".join([*sentences, *map(_in_part, in_part)])


def _in_part(found: FactorResult) -> str:
    """With which of its values a factor helps."""
    pairs = list(zip(found.factor.arms, found.trials, strict=True))
    helpful = [arm for arm, trials in pairs if trials.most_converge]
    rest = [arm.label for arm, trials in pairs if not trials.most_converge]
    sentence = (
        f"The {found.factor.title} helps only at {_joined(arm.label for arm in helpful)}, not at"
        f" {_joined(rest)}"
    )
    if all(arm.settings.batch_size == 1 for arm in helpful):
        sentence += ": with one pair per batch, broadcasting has no effect"
    return f"{sentence}."


def claims_finding(result: ClaimsResult) -> str:
    """How many claims hold, how many runs that took, and what the tolerance in R² means."""
    verdicts, runs = result.verdicts, result.experiments * result.seeds
    counts = [f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts))]
    return (
        f"**{len(verdicts)} claims: {', '.join(counts)}.** {result.experiments} different"
        f" experiments, each on {result.seeds:,} random data sets with initial weights of their"
        f" own: {runs:,} runs. A run has converged if its R² is within 0.01 of that of least"
        f" squares, which corresponds to an increase of {quantity(result.tolerance)} in the loss"
        " (seed 0)."
    )


def claim_finding(result: ClaimResult) -> str:
    """With which of a claim's changes the runs converge, and what PyTorch says to it."""
    pairs = list(zip(result.claim.arms, result.trials, strict=True))
    if len(pairs) == 1:
        ((_, trials),) = pairs
        sentence = f"{trials.converged.sum():,} of {len(trials):,} runs converge."
    else:
        groups: dict[str, list[str]] = {"": [], "not ": [], "about half of the time ": []}
        for arm, trials in pairs:
            few = trials.interval[1] < 0.5
            how = "" if trials.most_converge else "not " if few else "about half of the time "
            groups[how].append(f"*{_escaped(arm.label)}* ({trials.share:.0%})")
        parts = [f"{how}with {_joined(arms)}" for how, arms in groups.items() if arms]
        runs = "The runs converge" if groups[""] else "The runs do"
        sentence = f"{runs} {', '.join(parts)}."
        if not groups[""] and not groups["about half of the time "]:
            sentence = f"The runs do not converge with {_joined(groups['not '], 'or')}."
    if result.claim.check and result.answer:
        sentence += f" {result.claim.check.question} {'Yes' if result.answer[0] else 'No'}."
    return sentence


def _joined(parts: Iterable[str], conjunction: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = parts
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def _escaped(label: str) -> str:
    return label.replace("[", "\\[")


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
            "loss, median (5th to 95th percentile)": loss,
            "w1, median (5th to 95th percentile)": w1,
            "w2, median (5th to 95th percentile)": w2,
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
