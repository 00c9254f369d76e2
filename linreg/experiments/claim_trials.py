"""The claims of the thread, tested by experiments over many seeds of data and initial weights.

A claim is tested by a few arms. An arm is a run that is repeated for every seed, together with the
prediction of the claim: that it converges, or that it does not. The verdict is computed from the
shares of runs that converge."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from linreg.data.dataset import initial_weights
from linreg.data.tables import make_data
from linreg.quadratic.evaluation import baseline
from linreg.quadratic.moments import batch_moments
from linreg.settings.changes import with_changes
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.wirings import MATCHED, STRANGE_INIT, WIRINGS

CAUSE, NO_CAUSE, IN_PART = "cause", "not the cause", "in part"
CONFIRMED, REFUTED, LIMITED = "confirmed", "refuted", "true within limits"
PRINTED_RUNS = 40  # that are compared with the path printed in the answer
Z = 1.959963984540054  # quantile for a two-sided 95 % interval


@dataclass(frozen=True)
class Arm:
    """A run that is repeated for every seed, and whether the claim predicts that it converges."""

    label: str
    settings: Settings
    predicted: bool

    def seeded(self, seed: int) -> Settings:
        """The settings for one seed of data and initial weights."""
        return with_changes(self.settings, {"seed": seed, "data_seed": seed})

    def comparison(self) -> Comparison:
        """The comparison of the arm, at its first seed, with the same run with matched shapes."""
        settings = self.seeded(0)
        return Comparison(settings, replace(settings, wiring=MATCHED))


@dataclass(frozen=True)
class Check:
    """A question that PyTorch answers; `ask` returns whether the claim is right, and why."""

    question: str
    ask: Callable[[], tuple[bool, str]]

    def answered(self, right: bool | None, how: str) -> str:
        """The question with its answer."""
        return f"{self.question} {'Yes' if right else 'No'}: {how}."


@dataclass(frozen=True)
class Claim:
    """A claim: what is said, who says it, the arms that test it, and why these arms."""

    key: str
    who: str
    says: str
    why: str
    arms: tuple[Arm, ...]
    check: Check | None = field(default=None, compare=False)
    shown: int = 0  # the arm that its link opens


def _arm(label: str, predicted: bool, **changes: Any) -> Arm:
    return Arm(label, with_changes(Settings(), changes), predicted)


ASKED = _arm("as asked", False)
TRUTH = DataSettings().weights


def _line_changes_only_the_weight() -> tuple[bool, str]:
    """Compare `vars(layer)` before and after the line."""
    from linreg.experiments.pytorch_demos import layer_attributes

    changes = [
        row
        for row in layer_attributes(Settings(wiring="weight_1d", init=STRANGE_INIT))
        if row.changed
    ]
    said = "; ".join(f"`{row.name}`: `{row.before}` → `{row.after}`" for row in changes)
    return [row.name for row in changes] == ["weight"], f"`vars(layer)` differs in {said}"


def _line_does_not_run() -> tuple[bool, str]:
    """Train a model with the line on two batches."""
    from linreg.training.pytorch import train

    settings = Settings(wiring="weight_1d", init=STRANGE_INIT, epochs=1)
    try:
        (run,) = train([with_changes(settings, {"samples": 200})])
    except RuntimeError as error:
        return True, f"PyTorch raises: {error}"
    return False, f"it runs, and the output has the shape `{run.prediction_shape}`"


def asked(key: str) -> tuple[bool, str]:
    """The answer of PyTorch to the question of a claim: whether it is right, and the details."""
    check = CLAIMS[key].check
    if check is None:
        raise ValueError(f"claim {key} asks nothing of PyTorch")
    return check.ask()


CLAIMS: dict[str, Claim] = {
    claim.key: claim
    for claim in (
        Claim(
            "never",
            "Said in the question.",
            "Without the line the model never converges.",
            "The script as asked, without the line: PyTorch's own init.",
            (ASKED,),
        ),
        Claim(
            "line",
            "Said in the question.",
            "With the line it converges, to a loss of about 1.",
            "The line makes the weight `[2, 3]`, of shape `(2,)`.",
            (_arm("weight [2, 3]", True, wiring="weight_1d", init=STRANGE_INIT),),
        ),
        Claim(
            "any_values",
            "Said in the question.",
            "Any values in the line work.",
            "The line with other values. RMSprop moves about one lr a step, so a run gets about"
            f" {Settings().steps:,} × {Settings().lr:g} = {Settings().steps * Settings().lr:g} away"
            " from its start.",
            tuple(
                _arm(
                    f"[{value}, {value}]",
                    True,
                    wiring="weight_1d",
                    init=(float(value), float(value)),
                )
                for value in (0, 20, 30, 35, 40, 100)
            ),
            shown=3,
        ),
        Claim(
            "too_small",
            "Said in the question.",
            "The default weights are too small, and that is why.",
            "If so, a start at the truth must stay, and a start at (0, 0) must fail even with the"
            " shapes matched.",
            (
                _arm("started at the truth", True, init=TRUTH),
                _arm("matched, started at (0, 0)", False, wiring=MATCHED, init=(0.0, 0.0)),
            ),
        ),
        Claim(
            "debugger",
            "Said in the question.",
            "In the debugger the line changes the weight and nothing else.",
            "True, and it is the clue. Here its shape and its values change one at a time.",
            (
                _arm("(1, 2), drawn", False),
                _arm("(1, 2), [[2, 3]]", False, init=STRANGE_INIT),
                _arm("(2,), drawn", True, wiring="weight_1d"),
                _arm("(2,), [2, 3]", True, wiring="weight_1d", init=STRANGE_INIT),
            ),
            Check("Does `vars(layer)` differ in the weight alone?", _line_changes_only_the_weight),
        ),
        Claim(
            "does_not_compile",
            "Said in the answer.",
            "The line does not compile; it must read [[2, 3]].",
            "The corrected line has to converge, and the question's line has to fail.",
            (
                _arm("weight [[2, 3]]", True, wiring="weight_2d", init=STRANGE_INIT),
                _arm("weight [2, 3]", False, wiring="weight_1d", init=STRANGE_INIT),
            ),
            Check("Does PyTorch refuse the line?", _line_does_not_run),
        ),
        Claim(
            "whatever_init",
            "Said in the answer.",
            "With [[2, 3]] it does not converge, whatever the initial weights.",
            "The corrected line with other values, all within reach, the true ones among them.",
            tuple(
                _arm(f"[[{value[0]:g}, {value[1]:g}]]", False, wiring="weight_2d", init=value)
                for value in ((0.0, 0.0), STRANGE_INIT, TRUTH, (20.0, 20.0), (-20.0, 20.0))
            ),
        ),
        Claim(
            "batch_of_one",
            "Said in the answer.",
            "A batch size of one makes it converge.",
            "`(1, 1)` against `(1,)` gives one element, so nothing is mixed; with two rows a batch"
            " it is.",
            (
                _arm("batch size 1", True, batch_size=1, epochs=1),
                _arm("batch size 2", False, batch_size=2, epochs=2),
            ),
        ),
        Claim(
            "dropped_squeeze",
            "Implied by the forum's copy.",
            "`x.squeeze()` in `forward` matters.",
            "Kept, as `x = x.squeeze()`, it would match the shapes. Its result is dropped: does it"
            " matter all the same?",
            (_arm("x.squeeze(), dropped", True, wiring="noop_squeeze"),),
        ),
        Claim(
            "broadcast",
            "Ours: nobody in the thread says it.",
            "The shapes are the cause: `(B, 1)` against `(B,)` compares all pairs.",
            "As asked, and with each of three ways to match the shapes, nothing else changed.",
            (
                ASKED,
                _arm("pred.squeeze(-1)", True, wiring=MATCHED),
                _arm("target.unsqueeze(1)", True, wiring="unsqueeze"),
                _arm("a weight of shape (2,)", True, wiring="weight_1d"),
            ),
        ),
    )
}


@dataclass(frozen=True)
class Factor:
    """A possible cause, changed alone; the arms converge if it is the cause."""

    key: str
    title: str
    arms: tuple[Arm, ...]


FACTORS: dict[str, Factor] = {
    factor.key: factor
    for factor in (
        Factor("shape", "shape", (_arm("matched", True, wiring=MATCHED),)),
        Factor(
            "init",
            "initial weights",
            (_arm("(5, 3), the truth", True, init=TRUTH), _arm("(0, 0)", True, init=(0.0, 0.0))),
        ),
        Factor("lr", "learning rate", (_arm("0.001", True, lr=0.001), _arm("0.1", True, lr=0.1))),
        Factor(
            "scale", "feature scale", (_arm("1", True, scale=1.0), _arm("10", True, scale=10.0))
        ),
        Factor(
            "optimizer",
            "optimizer",
            (
                _arm("Adam", True, optimizer="Adam"),
                _arm("SGD, lr 0.00001", True, optimizer="SGD", lr=1e-5),
            ),
        ),
        Factor(
            "batch_size",
            "batch size",
            (_arm("10", True, batch_size=10, epochs=3), _arm("1", True, batch_size=1, epochs=1)),
        ),
    )
}


@cache
def arms() -> tuple[Arm, ...]:
    """All arms of the claims and factors, without duplicates."""
    every = [arm for claim in CLAIMS.values() for arm in claim.arms] + [
        arm for entry in FACTORS.values() for arm in entry.arms
    ]
    return tuple({arm.settings: arm for arm in every}.values())


# ---- the runs ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Trials:
    """The results of one arm over S seeds: final weights, final loss, and whether it converged."""

    weights: Float[np.ndarray, "S P"]
    loss: Float[np.ndarray, " S"]
    converged: Bool[np.ndarray, " S"]

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def most_converge(self) -> bool:
        """Whether significantly more than half of the runs converge."""
        return self.interval[0] > 0.5

    @property
    def share(self) -> float:
        return float(self.converged.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the share; see `wilson`."""
        return wilson(int(self.converged.sum()), len(self))


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson, 1927); also valid for 0 and all of n."""
    p, n = successes / trials, trials
    middle, half = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    low, high = ((middle + sign * half) / (1 + Z**2 / n) for sign in (-1, 1))
    return (0.0 if successes == 0 else low), (1.0 if successes == trials else high)


def of_seed(seed: int) -> dict[Settings, tuple[Float[np.ndarray, " P"], float, bool]]:
    """All arms for one seed: final weights, mean batch loss there, and whether it converged."""
    from linreg.training.ensemble import train_ensemble

    found = {}
    runs = [arm.settings for arm in arms()]
    for data, table_runs in _grouped(runs, lambda run: run.data):
        table = make_data(replace(data, seed=seed))
        judge = baseline(table)
        for _, batch_runs in _grouped(
            table_runs, lambda run: (run.batch_size, WIRINGS[run.wiring].pairs)
        ):
            moments = batch_moments(table, batch_runs[0])
            surface = moments.mean()
            for (optimizer, steps), group in _grouped(
                batch_runs, lambda run: (run.optimizer, run.steps)
            ):
                final_weights = train_ensemble(
                    moments,
                    np.stack([initial_weights(run, seed) for run in group]),
                    np.array([run.lr for run in group]),
                    optimizer,
                    steps=steps,
                    record_every=steps,
                ).final
                losses, converged = surface.value(final_weights), judge.converged(final_weights)
                for run, weights, loss, good in zip(
                    group, final_weights, losses, converged, strict=True
                ):
                    found[run] = (weights, float(loss), bool(good))
    return found


def _grouped(
    runs: Sequence[Settings], key: Callable[[Settings], Any]
) -> list[tuple[Any, list[Settings]]]:
    """The runs grouped by key, in the order of first appearance."""
    groups: dict[Any, list[Settings]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return list(groups.items())


def trials(
    by_seed: Sequence[Mapping[Settings, tuple[np.ndarray, float, bool]]], arm: Arm
) -> Trials:
    """The results of one arm for all seeds."""
    weights, loss, converged = zip(*(runs[arm.settings] for runs in by_seed), strict=True)
    return Trials(np.stack(weights), np.array(loss), np.array(converged))


# ---- verdicts ------------------------------------------------------------------------------------


def agrees(arm: Arm, found: Trials) -> bool:
    """Whether significantly more than half of the runs do what the claim predicts."""
    low, high = found.interval
    return low > 0.5 if arm.predicted else high < 0.5


def verdict(claim: Claim, found: Sequence[Trials], checked: bool | None = None) -> str:
    """Confirmed if all arms, and the check if there is one, agree with the claim.

    Refuted if none agrees, and otherwise true within limits."""
    answers = [agrees(arm, of) for arm, of in zip(claim.arms, found, strict=True)] + (
        [] if checked is None else [checked]
    )
    return CONFIRMED if all(answers) else LIMITED if any(answers) else REFUTED


def cause(found: Sequence[Trials]) -> str:
    """Whether a factor is the cause: most runs converge in all of its arms, in some, or in none."""
    answers = [of.most_converge for of in found]
    return CAUSE if all(answers) else IN_PART if any(answers) else NO_CAUSE


# ---- the answer's printed path -------------------------------------------------------------------

PRINTED = (
    (0.7388, 0.3678), (1.7438, 1.0657), (2.3338, 1.5431), (2.9008, 1.9784), (3.2375, 2.1437),
    (3.6419, 2.4014), (4.0652, 2.6458), (4.5095, 2.7628), (4.7711, 2.8982), (4.9131, 2.9768),
    (4.9887, 2.9979),
)  # fmt: skip  # in the answer, after step 1 and then every hundred steps
PRINT_STEPS = tuple(range(1, 100 * len(PRINTED), 100))


def printed_paths(seeds: int) -> Float[np.ndarray, "seeds 11 2"]:
    """The weights of runs with a batch size of one at the steps printed in the answer.

    The initial weights follow from the first printed ones: the first step of RMSprop moves each
    weight by lr/√(1 − α) = 10·lr = 0.1, whatever the size of the gradient."""
    from linreg.training.ensemble import train_ensemble

    settings = Settings(batch_size=1, epochs=1, init=(PRINTED[0][0] - 0.1, PRINTED[0][1] - 0.1))
    tables = [DataSettings(samples=PRINT_STEPS[-1], seed=seed) for seed in range(seeds)]
    groups = [batch_moments(make_data(table), replace(settings, data=table)) for table in tables]
    start = np.tile(np.array(settings.init), (seeds, 1))
    found = train_ensemble(
        groups, start, settings.lr, steps=PRINT_STEPS[-1], groups=np.arange(seeds)
    )
    path: np.ndarray = found.weights[list(PRINT_STEPS)].swapaxes(0, 1)
    return path
