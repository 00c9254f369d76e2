"""The command `claims`: every claim of the thread over many seeds."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from linreg.cli.output import (
    aligned,
    counting,
    markdown_table,
    named_rows,
    unmarked,
    wrapped,
)
from linreg.cli.request import parse_link, resolve_view
from linreg.cli.result_output import emit, link_of
from linreg.experiments import claims as claims_experiments
from linreg.experiments.claim_trials import Trials, arms
from linreg.experiments.claims import ClaimsResult
from linreg.experiments.resources import local_resources
from linreg.settings.pages import ClaimsView
from linreg.text import claims as claims_text


def claims(chosen: SimpleNamespace) -> None:
    """Every claim of the thread as an experiment over many seeds, as on the claims page."""
    link = parse_link(chosen.link or "")
    view = resolve_view(ClaimsView, chosen, link)
    resources = local_resources()
    with counting(f"Running {len(arms())} experiments on {view.seeds:,} seeds") as progress:
        claims_experiments.outstanding(view, resources).run(progress)
    result = claims_experiments.run(view, resources)
    emit(chosen, lambda: _claims_text(result), lambda: _claims_numbers(result))


def _claims_text(result: ClaimsResult) -> str:
    parts = [
        wrapped(claims_text.cause_finding(result)),
        markdown_table(claims_text.factors_table(result), indent=4),
        wrapped(claims_text.claims_finding(result)),
    ]
    shown = ("predicted", "converged (95 % interval)")
    for number, found in enumerate(result.claims, 1):
        claim = found.claim
        asks = f" {claim.check.answered(*found.answer)}" if claim.check and found.answer else ""
        parts.append(
            f"{number}. {unmarked(claim.says)}\n    {found.verdict.upper()}\n"
            + wrapped(f"{claim.who} {claim.why}{asks}", indent=4)
        )
        table = named_rows(claims_text.trials_table(found), shown)
        parts.append(aligned([["", *shown], *table], indent=4))
    return "\n\n".join(parts)


def _claims_numbers(result: ClaimsResult) -> dict[str, Any]:
    return {
        "seeds": result.seeds,
        "claims": [
            {
                "key": found.claim.key,
                "who": found.claim.who,
                "says": found.claim.says,
                "why": found.claim.why,
                "verdict": found.verdict,
                "pytorch": {"agrees": found.answer[0], "says": found.answer[1]}
                if found.answer
                else None,
                "arms": _arms(found.claim.arms, found.trials),
            }
            for found in result.claims
        ],
        "factors": [
            {
                "key": found.factor.key,
                "title": found.factor.title,
                "is": found.cause,
                "arms": _arms(found.factor.arms, found.trials),
            }
            for found in result.factors
        ],
    }


def _arms(experiments: Sequence[Any], found: Sequence[Trials]) -> list[dict[str, Any]]:
    """What was run and what came of it, each with the link that opens its first seed."""
    return [
        {
            "label": arm.label,
            "link": link_of(arm.comparison()),
            "predicted": arm.predicted,
            "converged": int(one.converged.sum()),
            "seeds": len(one),
            "share": one.share,
            "interval": one.interval,
        }
        for arm, one in zip(experiments, found, strict=True)
    ]
