"""Many optimizers from many starts on one surface: each at a learning rate that suits it, all steps
kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from linreg.quadratic.evaluation import Baseline
from linreg.quadratic.moments import Moments
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import Settings

SETTLED = 0.01  # of the excess loss at the start
MOST_RECORDED = 1_000  # steps of a path that are kept, its ends among them
COARSE = np.geomspace(1e-7, 100, 55)  # learning rates: six a decade, …
FINE = np.geomspace(10 ** (-1 / 6), 10 ** (1 / 6), 9)  # … then between the neighbours of the best
PROMISING = 8  # of the learning rates of a search: what is trained to the end at first


@dataclass(frozen=True, eq=False)
class Paths:
    """The runs of one optimizer, one from each start, at one learning rate."""

    optimizer: str
    lr: float
    steps: Int[np.ndarray, " S"]
    weights: Float[np.ndarray, "S R P"]
    diverged_at: Int[np.ndarray, " R"]

    def losses(self, surface: Quadratic) -> Float[np.ndarray, "S R"]:
        """The mean loss over all batches at each recorded step."""
        with np.errstate(over="ignore", invalid="ignore"):
            return surface.value(self.weights)

    def excess(self, surface: Quadratic) -> Float[np.ndarray, " S"]:
        """The mean over the starts of loss − floor at each recorded step; infinite once one of the
        runs has diverged."""
        with np.errstate(over="ignore", invalid="ignore"):
            excess: np.ndarray = (self.losses(surface) - surface.floor).mean(-1)
        return np.where(np.isnan(excess), np.inf, excess)

    def settled_at(self, surface: Quadratic) -> int | None:
        """The recorded step from which on the excess loss stays below 1 % of what it was at the
        start."""
        excess = self.excess(surface)
        above = np.flatnonzero(~(excess <= SETTLED * excess[0]))
        looks = int(above[-1]) + 1 if len(above) else 0
        return int(self.steps[looks]) if looks < len(self.steps) else None

    def distances(self, surface: Quadratic) -> Float[np.ndarray, "S R"]:
        """How far the weights are from the minimum."""
        with np.errstate(over="ignore", invalid="ignore"):
            away: np.ndarray = np.hypot.reduce(
                self.weights - surface.minimum, axis=-1
            )  # no square, which could overflow
        return away


@dataclass(frozen=True, eq=False)
class Panel:
    """One side: its surface, the baseline that its fit is measured against, and the paths that
    every optimizer took from the same starts."""

    label: str
    settings: Settings
    surface: Quadratic
    baseline: Baseline
    paths: tuple[Paths, ...]


def paths(
    moments: Moments,
    optimizer: str,
    lr: float,
    starts: Float[np.ndarray, "R P"],
    steps: int,
    momentum: float = 0.0,
) -> Paths:
    """Train one optimizer from every start, and keep up to MOST_RECORDED steps of it."""
    from linreg.training.ensemble import train_ensemble

    every = -(-steps // MOST_RECORDED)
    found = train_ensemble(
        moments, starts, lr, optimizer, steps=steps, record_every=every, momentum=momentum
    )
    return Paths(optimizer, lr, found.steps, found.weights, found.diverged_at)


def tuned_lr(
    moments: Moments,
    optimizer: str,
    starts: Float[np.ndarray, "R P"],
    steps: int,
    momentum: float = 0.0,
) -> float:
    """The learning rate that needs the fewest steps: of a sweep over nine decades, then of one
    around its best.

    Steps are counted until the excess loss, the mean over the starts of loss − floor, stays below 1
    % of what it was at the start; among equals, and where no rate gets there, the one with the
    least excess over the last tenth of the steps wins. A rate at which one start diverges is out;
    if all are, the smallest is returned."""
    search = _Search(moments, moments.mean(), optimizer, starts, steps, momentum)
    best = search.best_of(COARSE, 150)
    return search.best_of(best * FINE, MOST_RECORDED)


@dataclass(frozen=True, eq=False)
class _Search:
    """What the learning rates of one search have in common."""

    moments: Moments
    surface: Quadratic
    optimizer: str
    starts: Float[np.ndarray, "R P"]
    steps: int
    momentum: float

    def best_of(self, rates: Float[np.ndarray, " n"], looks: int) -> float:
        """The rate that needs the fewest of so many looks.

        A rate needs at least as many as it seems to need after the first few steps. So only those
        have to be trained to the end that seem to need no more than the best one does."""
        every = max(self.steps // looks, 1)
        first = looks // 16 * every
        least = (
            self._compared(rates, first, every)[0] if first < self.steps else np.zeros(len(rates))
        )
        run, rest = np.split(np.argsort(least, kind="stable"), [PROMISING])
        needed, last = self._compared(rates[run], self.steps, every)
        rest = rest[least[rest] <= needed.min()]
        if len(rest):
            more = self._compared(rates[rest], self.steps, every)
            run, needed, last = (
                np.concatenate(both)
                for both in zip((run, needed, last), (rest, *more), strict=True)
            )
        return float(rates[run[np.lexsort((run, last, needed))[0]]])

    def _compared(self, rates: np.ndarray, steps: int, every: int) -> tuple[np.ndarray, np.ndarray]:
        """For each rate the number of looks until it is there for good, one more than there are if
        it never is, and the excess over the last tenth of the steps."""
        from linreg.training.ensemble import train_ensemble
        from linreg.training.kernels import compile_scores

        found = train_ensemble(
            self.moments,
            np.tile(self.starts, (len(rates), 1)),
            np.repeat(rates, len(self.starts)),
            self.optimizer,
            steps=steps,
            record_every=every,
            momentum=self.momentum,
        )
        needed, last = np.empty(len(rates), dtype=np.int64), np.empty(len(rates))
        late = int(np.searchsorted(found.steps, 0.9 * steps))
        surface = self.surface
        A, c, origin = (
            np.ascontiguousarray(part, dtype=np.float64)
            for part in (surface.A, surface.c, surface.origin)
        )
        compile_scores()(
            found.weights,
            A,
            c,
            float(surface.s),
            origin,
            surface.floor,
            SETTLED,
            late,
            needed,
            last,
        )
        return needed, last


def ring(
    middle: Float[np.ndarray, " P"], radius: float, count: int
) -> Float[np.ndarray, "count P"]:
    """So many starts evenly around the first two weights of a point; further weights are the
    point's own."""
    angles = (
        2 * np.pi * (np.arange(count) + 0.25) / count
    )  # no start on an axis, where two would look like one
    around = np.repeat(middle[None], count, axis=0).astype(np.float64)  # (count, P)
    around[:, 0] += radius * np.cos(angles)
    around[:, 1] += radius * np.sin(angles)
    return around


@dataclass(frozen=True, eq=False)
class Curvature:
    """The bowl's axes: eigenvalues of the Hessian, the steepest first, their directions in rows,
    and what follows."""

    values: Float[np.ndarray, " P"]
    directions: Float[np.ndarray, "P P"]
    condition_number: float


def curvature(surface: Quadratic) -> Curvature:
    """The curvature of a surface: the same at every point, and the same with the bug and
    without."""
    values, vectors = np.linalg.eigh(surface.hessian)
    return Curvature(values[::-1].copy(), vectors.T[::-1].copy(), surface.condition_number)


def as_points(numbers: Sequence[float]) -> Float[np.ndarray, "R 2"]:
    """w1, w2, w1, w2, … as rows."""
    return np.array(numbers, dtype=np.float64).reshape(-1, 2)
