"""The claims page: every claim of the thread as an experiment over many seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from linreg.experiments.claim_trials import (
    ASKED,
    CLAIMS,
    FACTORS,
    PRINTED_RUNS,
    Claim,
    Factor,
    Trials,
    arms,
    asked,
    cause,
    printed_paths,
    trials,
    verdict,
)
from linreg.experiments.resources import Resources
from linreg.experiments.work import Work, missing_keys
from linreg.quadratic.evaluation import CONVERGED_WITHIN
from linreg.settings.model import DataSettings, Settings
from linreg.settings.pages import ClaimsView


@dataclass(frozen=True, eq=False)
class ClaimResult:
    """What came of one claim: its trials, an arm each, PyTorch's answer if it is asked, and the
    verdict."""

    claim: Claim
    trials: tuple[Trials, ...]
    answer: tuple[bool, str] | None
    verdict: str


@dataclass(frozen=True, eq=False)
class FactorResult:
    """What came of one factor that may be the cause, switched alone."""

    factor: Factor
    trials: tuple[Trials, ...]
    cause: str


@dataclass(frozen=True, eq=False)
class ClaimsResult:
    """All claims and all factors over so many seeds; of fewer than asked for while they run.

    `tolerance` is the increase of the loss that a drop of R² by `CONVERGED_WITHIN` stands for, on
    the table of seed 0. `asked` are the runs of the script as asked, with nothing changed.
    `printed` (runs, prints, 2) are the weights at the steps that the answer
    printed.
    """

    seeds: int
    claims: tuple[ClaimResult, ...]
    factors: tuple[FactorResult, ...]
    asked: Trials
    tolerance: float
    printed: Float[np.ndarray, "runs prints 2"]
    complete: bool

    @property
    def verdicts(self) -> list[str]:
        """The verdict of each claim, in order."""
        return [found.verdict for found in self.claims]

    @property
    def experiments(self) -> int:
        """How many different experiments there are, each run once a seed."""
        return len(arms())


def outstanding(view: ClaimsView, resources: Resources) -> Work[int, Mapping[Settings, Any]]:
    """The seeds that have yet to be run."""
    missing = missing_keys(resources.seeds, range(view.seeds))
    steps = sum(arm.settings.steps for arm in arms())
    return Work(resources.seeds, missing, steps * len(missing))


def run(view: ClaimsView, resources: Resources) -> ClaimsResult:
    """Every claim over the seeds that are done, at least one of them."""
    found = [resources.seeds.get(seed) for seed in range(view.seeds)]
    by_seed = [one for one in found if one is not None]
    of_arm = {arm.settings: trials(by_seed, arm) for arm in arms()}  # shared by several claims
    return ClaimsResult(
        len(by_seed),
        tuple(_claim(key, of_arm, resources) for key in CLAIMS),
        tuple(_factor(factor, of_arm) for factor in FACTORS.values()),
        of_arm[ASKED.settings],
        CONVERGED_WITHIN * resources.baseline(DataSettings(), False).variance,
        resources.cached(_printed, PRINTED_RUNS),
        len(by_seed) == view.seeds,
    )


def _printed(runs: int, _resources: Resources) -> np.ndarray:
    return printed_paths(runs)


def _claim(key: str, of_arm: Mapping[Settings, Trials], resources: Resources) -> ClaimResult:
    claim = CLAIMS[key]
    found = _trials(claim, of_arm)
    answer = resources.demo(asked, key) if claim.check else None
    return ClaimResult(claim, found, answer, verdict(claim, found, answer[0] if answer else None))


def _factor(factor: Factor, of_arm: Mapping[Settings, Trials]) -> FactorResult:
    found = _trials(factor, of_arm)
    return FactorResult(factor, found, cause(found))


def _trials(one: Claim | Factor, of_arm: Mapping[Settings, Trials]) -> tuple[Trials, ...]:
    return tuple(of_arm[arm.settings] for arm in one.arms)
