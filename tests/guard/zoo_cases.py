"""One training step of a public package: without the guard, under it, and with a planted bug.

A package's module (`zoo_timm.py`, ...) has a function `cases`, which yields `Case`s. The worker
below runs them one after the other and prints a line of JSON for each."""

from __future__ import annotations

import math
import random
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import zoo_vision_ops  # noqa: F401 - has to come before what imports torchvision
from torch import Tensor
from torch.distributions import Laplace, Normal

from linreg.guard import Broadcast, SilentBroadcastError, no_silent_broadcast

Criterion = Callable[[Tensor], Tensor]
Step = Callable[[Criterion], Tensor]


@dataclass(frozen=True)
class Case:
    """A training step to run.

    `build` makes the model, and returns the step: a function that trains once, and returns the
    loss. It adds the criterion that it is given, a loss of (N,) predictions with N > 1, to the loss
    of the package."""

    name: str
    build: Callable[[], Step]


@dataclass
class Outcome:
    """What the guard said of one case.

    `alarms` are the reports of a step that is sound. `planted` is how many steps had a bug, and
    `missed` names those in which the guard did not report it. `error` is a traceback."""

    case: str
    steps: int = 0
    alarms: list[dict[str, str]] = field(default_factory=list)
    planted: int = 0
    missed: list[str] = field(default_factory=list)
    error: str = ""


# ---- losses of a prediction (N,) and a target (N,), one of them (N, 1) in a planted bug ----------


def by_hand(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target).square().mean()


def entropy_by_hand(prediction: Tensor, target: Tensor) -> Tensor:
    p = prediction.sigmoid().clamp(0.01, 0.99)
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()


def policy_gradient(log_prob: Tensor, advantage: Tensor) -> Tensor:
    return -(log_prob * advantage).mean()


def ppo(log_prob: Tensor, advantage: Tensor) -> Tensor:
    ratio = (log_prob - log_prob.detach()).exp()
    return -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()


def normal(mean: Tensor, target: Tensor) -> Tensor:
    return -Normal(mean, 1.0).log_prob(target).mean()


def laplace(mean: Tensor, target: Tensor) -> Tensor:
    return -Laplace(mean, torch.ones_like(mean)).log_prob(target).mean()


def gaussian_nll(mean: Tensor, target: Tensor) -> Tensor:
    return F.gaussian_nll_loss(mean, target, torch.ones_like(mean))


LOSSES = {
    "mse_loss": F.mse_loss,
    "difference": by_hand,
    "l1_loss": F.l1_loss,
    "Normal.log_prob": normal,
    "smooth_l1_loss": F.smooth_l1_loss,
    "cross entropy by hand": entropy_by_hand,
    "huber_loss": F.huber_loss,
    "policy gradient": policy_gradient,
    "Laplace.log_prob": laplace,
    "PPO": ppo,
    "gaussian_nll_loss": gaussian_nll,
}


def criterion(loss: Callable[[Tensor, Tensor], Tensor], planted: bool, swapped: bool) -> Criterion:
    """A loss against random targets in [0, 1]; planted, one side of it is (N, 1)."""

    def compute(prediction: Tensor) -> Tensor:
        assert prediction.dim() == 1, f"a case has to give (N,), not {tuple(prediction.shape)}"
        assert len(prediction) > 1, "one row cannot be broadcast"
        prediction = prediction.float()
        target = torch.rand_like(prediction)  # (N,)
        if planted and swapped:
            prediction = prediction.unsqueeze(1)  # (N, 1)
        elif planted:
            target = target.unsqueeze(1)  # (N, 1)
        return loss(prediction, target)

    return compute


# ---- running a case ------------------------------------------------------------------------------


def seed() -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - packages draw from it
    torch.manual_seed(0)


def run_case(case: Case, number: int) -> Outcome:
    """A sound step with and without the guard, then two planted steps under it.

    It is an error if the two losses of the sound step differ in a single bit."""
    outcome = Outcome(case.name)
    names = list(LOSSES)
    sound = criterion(LOSSES[names[number % len(names)]], planted=False, swapped=False)
    reports: list[Broadcast] = []
    losses = []
    for guard in (nullcontext(), no_silent_broadcast(reports.append)):
        seed()
        with guard:
            step = case.build()
            losses.append(float(step(sound)))
    outcome.steps = 1
    if losses[0] != losses[1] and not math.isnan(losses[0]):
        outcome.error = f"the loss is {losses[1]} under the guard, and {losses[0]} without"
    outcome.alarms = [{"where": one.where, "message": one.message} for one in reports]
    for turn, swapped in enumerate((False, True)):
        name = names[(2 * number + turn) % len(names)]
        outcome.planted += 1
        try:
            with no_silent_broadcast():
                step(criterion(LOSSES[name], planted=True, swapped=swapped))
        except SilentBroadcastError as error:
            if error.broadcast is None or __file__ not in error.broadcast.where:
                outcome.planted -= 1  # an alarm of the sound part came first
        else:
            outcome.missed.append(name + (", prediction (N, 1)" if swapped else ", target (N, 1)"))
    return outcome


def outcomes(cases: Iterable[Case], first: int) -> Iterator[dict[str, Any]]:
    """The outcomes of the cases from number `first` on. Each is announced by its bare name, so that
    a crash can be attributed."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for number, case in enumerate(cases):
        if number < first:
            continue
        yield {"case": case.name, "number": number}
        try:
            outcome = run_case(case, number)
        except Exception:
            outcome = Outcome(case.name, error=traceback.format_exc(limit=-3))
        yield {"number": number, **asdict(outcome)}
