"""The thread's claims as experiments: what was run, over many seeds of data and init, and what came
of it.

An experiment is a few arms. An arm is a run that is repeated for every seed, with the prediction
that follows from the claim: that it converges, or that it does not. The verdict is computed from
the arms' shares, never written down."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from linreg.data.dataset import initial_weights, make_data
from linreg.quadratic.evaluation import baseline
from linreg.quadratic.moments import batch_moments
from linreg.settings.changes import with_changes
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.wirings import STRANGE_INIT, WIRINGS

CAUSE, NO_CAUSE, IN_PART = "cause", "not the cause", "in part"
CONFIRMED, REFUTED, LIMITED = "confirmed", "refuted", "true within limits"
PRINTED_RUNS = 40  # beside the answer's printed path
Z = 1.959963984540054  # of a two-sided interval of 95 %


@dataclass(frozen=True)
class Arm:
    """One run, repeated for every seed: its settings but for the seeds, and whether the claim says
    that it converges."""

    label: str
    settings: Settings
    predicted: bool

    def seeded(self, seed: int) -> Settings:
        """The arm's run for one seed of data and init."""
        return with_changes(self.settings, {"seed": seed, "data_seed": seed})

    def comparison(self) -> Comparison:
        """The comparison that shows the arm's first seed: beside it the same run with the shapes
        matched."""
        settings = self.seeded(0)
        return Comparison(settings, replace(settings, wiring="squeeze"))


@dataclass(frozen=True)
class Check:
    """A question to PyTorch itself: what is asked, and a function that answers whether the claim
    has it right, and how."""

    question: str
    ask: Callable[[], tuple[bool, str]]

    def answered(self, right: bool | None, how: str) -> str:
        """The question with its answer."""
        return f"{self.question} {'Yes' if right else 'No'}: {how}."


@dataclass(frozen=True)
class Claim:
    """What is said, where, and the arms that test it. `why` says how the arms follow from the
    claim."""

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
    """Build the layer, apply the line, and compare `vars()`."""
    from linreg.experiments.pytorch_demos import layer_attributes

    changes = [
        row
        for row in layer_attributes(Settings(wiring="weight_1d", init=STRANGE_INIT))
        if row.changed
    ]
    said = "; ".join(f"`{row.name}`: `{row.before}` → `{row.after}`" for row in changes)
    return [row.name for row in changes] == ["weight"], f"`vars(layer)` differs in {said}"


def _line_does_not_run() -> tuple[bool, str]:
    """Train the line's model on two batches."""
    from linreg.training.pytorch import train

    settings = Settings(wiring="weight_1d", init=STRANGE_INIT, epochs=1)
    try:
        (run,) = train([with_changes(settings, {"samples": 200})])
    except RuntimeError as error:
        return True, f"PyTorch raises: {error}"
    return False, f"it runs, and the output has the shape `{run.prediction_shape}`"


def asked(key: str) -> tuple[bool, str]:
    """What PyTorch answers to a claim's question: whether the claim has it right, and how."""
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
                _arm("matched, started at (0, 0)", False, wiring="squeeze", init=(0.0, 0.0)),
            ),
        ),
        Claim(
            "debugger",
            "Said in the question.",
            "In the debugger the line changes the weight and nothing else.",
            "True, and it is the clue. With shape and values changed apart from each other, the"
            " shape decides.",
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
                _arm("pred.squeeze(-1)", True, wiring="squeeze"),
                _arm("target.unsqueeze(1)", True, wiring="unsqueeze"),
                _arm("a weight of shape (2,)", True, wiring="weight_1d"),
            ),
        ),
    )
}


@dataclass(frozen=True)
class Factor:
    """One thing that may be the cause, switched alone: if it is, the arms converge."""

    key: str
    title: str
    arms: tuple[Arm, ...]


FACTORS: dict[str, Factor] = {
    factor.key: factor
    for factor in (
        Factor("shape", "shape", (_arm("matched", True, wiring="squeeze"),)),
        Factor(
            "init",
            "init",
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
                _arm("SGD, lr 1e-5", True, optimizer="SGD", lr=1e-5),
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
    """Every arm once."""
    every = [arm for claim in CLAIMS.values() for arm in claim.arms] + [
        arm for entry in FACTORS.values() for arm in entry.arms
    ]
    return tuple({arm.settings: arm for arm in every}.values())


# ---- the runs ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Trials:
    """One arm over many seeds: the weights at the end, the loss there, and which of them
    converged."""

    weights: Float[np.ndarray, "S P"]
    loss: Float[np.ndarray, " S"]
    converged: Bool[np.ndarray, " S"]

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def share(self) -> float:
        return float(self.converged.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 % for the share (Wilson, 1927)."""
        return wilson(int(self.converged.sum()), len(self))


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The score interval of 95 % for a share (Wilson, 1927): within 0 and 1, and of use at 0 of n
    and n of n."""
    p, n = successes / trials, trials
    middle, half = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    low, high = ((middle + sign * half) / (1 + Z**2 / n) for sign in (-1, 1))
    return (0.0 if successes == 0 else low), (1.0 if successes == trials else high)


def of_seed(seed: int) -> dict[Settings, tuple[Float[np.ndarray, " P"], float, bool]]:
    """Every arm's run for one seed: its last weights, the mean loss of its batches there, and
    whether it converged."""
    from linreg.training.ensemble import train_ensemble

    found = {}
    runs = [arm.settings for arm in arms()]
    for data, of_table in _grouped(runs, lambda run: run.data):
        table = make_data(replace(data, seed=seed))
        judge = baseline(table)
        for _, of_batches in _grouped(
            of_table, lambda run: (run.batch_size, WIRINGS[run.wiring].pairs)
        ):
            moments = batch_moments(table, of_batches[0])
            surface = moments.mean()
            for (optimizer, steps), together in _grouped(
                of_batches, lambda run: (run.optimizer, run.steps)
            ):
                ended = train_ensemble(
                    moments,
                    np.stack([initial_weights(run, seed) for run in together]),
                    np.array([run.lr for run in together]),
                    optimizer,
                    steps=steps,
                    record_every=steps,
                ).final
                losses, converged = surface.value(ended), judge.converged(ended)
                for run, weights, loss, good in zip(
                    together, ended, losses, converged, strict=True
                ):
                    found[run] = (weights, float(loss), bool(good))
    return found


def _grouped(
    runs: Sequence[Settings], key: Callable[[Settings], Any]
) -> list[tuple[Any, list[Settings]]]:
    """The runs with the same key together, in the order in which the keys first come."""
    groups: dict[Any, list[Settings]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return list(groups.items())


def trials(
    by_seed: Sequence[Mapping[Settings, tuple[np.ndarray, float, bool]]], arm: Arm
) -> Trials:
    """One arm's runs of all seeds."""
    weights, loss, converged = zip(*(runs[arm.settings] for runs in by_seed), strict=True)
    return Trials(np.stack(weights), np.array(loss), np.array(converged))


# ---- verdicts ------------------------------------------------------------------------------------


def agrees(arm: Arm, found: Trials) -> bool:
    """Whether most runs do what the claim says: the whole interval lies on its side of one half."""
    low, high = found.interval
    return low > 0.5 if arm.predicted else high < 0.5


def verdict(claim: Claim, found: Sequence[Trials], checked: bool | None = None) -> str:
    """Confirmed if every arm, and PyTorch where it is asked, agrees with the claim; refuted if none
    does."""
    answers = [agrees(arm, of) for arm, of in zip(claim.arms, found, strict=True)] + (
        [] if checked is None else [checked]
    )
    return CONFIRMED if all(answers) else LIMITED if any(answers) else REFUTED


def cause(found: Sequence[Trials]) -> str:
    """What a factor is, switched alone: `cause` if most runs converge in each of its arms, `not the
    cause` if in none."""
    answers = [of.interval[0] > 0.5 for of in found]
    return CAUSE if all(answers) else IN_PART if any(answers) else NO_CAUSE


# ---- the answer's printed path -------------------------------------------------------------------

PRINTED = (
    (0.7388, 0.3678), (1.7438, 1.0657), (2.3338, 1.5431), (2.9008, 1.9784), (3.2375, 2.1437), (3.6419, 2.4014),
    (4.0652, 2.6458), (4.5095, 2.7628), (4.7711, 2.8982), (4.9131, 2.9768), (4.9887, 2.9979),
)  # fmt: skip  # of the answer, one print a hundred steps, the first after step 1
PRINT_STEPS = tuple(range(1, 100 * len(PRINTED), 100))


def printed_paths(seeds: int) -> Float[np.ndarray, "seeds 11 2"]:
    """What a batch of one prints at the answer's steps, from where its first print must have come,
    on so many tables.

    RMSprop's first step moves each weight by lr/√(1 − α) = 10·lr = 0.1, whatever the gradient's
    size."""
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
