"""Paths of several optimizers from several starting points, and their best learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from linreg.quadratic.evaluation import Baseline
from linreg.quadratic.moments import Moments
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import Settings

SETTLED = 0.01  # fraction of the initial excess loss at which a path counts as settled
MAX_RECORDED = 1_000  # recorded steps per path, with the first and the last
COARSE = np.geomspace(1e-7, 100, 55)  # learning rates of the first search, six per decade
FINE = np.geomspace(10 ** (-1 / 6), 10 ** (1 / 6), 9)  # of the second, relative to the best so far
PROMISING = 8  # how many learning rates of a search are trained to the end first


@dataclass(frozen=True, eq=False)
class Paths:
    """The runs of one optimizer at one learning rate, one from each starting point."""

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
        """Loss − minimum loss, averaged over the runs, at each recorded step.

        Infinite from the step on at which a run diverges."""
        with np.errstate(over="ignore", invalid="ignore"):
            excess: np.ndarray = (self.losses(surface) - surface.min_loss).mean(-1)
        return np.where(np.isnan(excess), np.inf, excess)

    def settled_at(self, surface: Quadratic) -> int | None:
        """The recorded step from which on the excess loss is below 1 % of its initial value."""
        excess = self.excess(surface)
        above = np.flatnonzero(~(excess <= SETTLED * excess[0]))
        looks = int(above[-1]) + 1 if len(above) else 0
        return int(self.steps[looks]) if looks < len(self.steps) else None

    def distances(self, surface: Quadratic) -> Float[np.ndarray, "S R"]:
        """The distance of the weights from the minimum."""
        with np.errstate(over="ignore", invalid="ignore"):
            # `hypot` does not overflow where a square would
            distances: np.ndarray = np.hypot.reduce(self.weights - surface.minimum, axis=-1)
        return distances


@dataclass(frozen=True, eq=False)
class Panel:
    """One side: its loss surface, its baseline, and the paths of all optimizers.

    `batch_stable_lr` is SGD's stability limit on the steepest of its batches."""

    label: str
    settings: Settings
    surface: Quadratic
    baseline: Baseline
    batch_stable_lr: float
    paths: tuple[Paths, ...]


def paths(
    moments: Moments,
    optimizer: str,
    lr: float,
    starts: Float[np.ndarray, "R P"],
    steps: int,
    momentum: float = 0.0,
) -> Paths:
    """Train one optimizer from every starting point; records up to `MAX_RECORDED` steps."""
    from linreg.training.ensemble import train_ensemble

    every = -(-steps // MAX_RECORDED)
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
    """The learning rate that needs the fewest steps, searched over nine decades, then more finely.

    Steps count until the excess loss (see `Paths.excess`) stays below 1 % of its initial value.
    Ties, also among rates that do not get there, go to the smallest mean excess over the last tenth
    of the steps. Rates at which a run diverges are excluded; if all diverge, the smallest rate is
    returned."""
    search = _Search(moments, moments.mean(), optimizer, starts, steps, momentum)
    best = search.best_of(COARSE, 150)
    return search.best_of(best * FINE, MAX_RECORDED)


@dataclass(frozen=True, eq=False)
class _Search:
    """A search for the best of several learning rates."""

    moments: Moments
    surface: Quadratic
    optimizer: str
    starts: Float[np.ndarray, "R P"]
    steps: int
    momentum: float

    def best_of(self, rates: Float[np.ndarray, " n"], looks: int) -> float:
        """The rate that needs the fewest steps; the excess is compared at `looks` of them.

        A short training gives a lower bound of the steps that a rate needs. Only rates whose bound
        is not above the best full result have to be trained to the end."""
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
        """For each rate, when its excess settles and its mean excess over the last tenth of steps.

        The first is an index of the recorded steps, one above the last if it does not settle."""
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
            surface.min_loss,
            SETTLED,
            late,
            needed,
            last,
        )
        return needed, last


def ring(
    middle: Float[np.ndarray, " P"], radius: float, count: int
) -> Float[np.ndarray, "count P"]:
    """`count` starting points, evenly on a circle around the first two weights of `middle`.

    Any further weights are those of `middle`."""
    # the offset keeps points off the axes, where two of them could look like one
    angles = 2 * np.pi * (np.arange(count) + 0.25) / count
    around = np.repeat(middle[None], count, axis=0).astype(np.float64)  # (count, P)
    around[:, 0] += radius * np.cos(angles)
    around[:, 1] += radius * np.sin(angles)
    return around


@dataclass(frozen=True, eq=False)
class Curvature:
    """Eigenvalues of the Hessian, the largest first, and their eigenvectors, one per row."""

    values: Float[np.ndarray, " P"]
    directions: Float[np.ndarray, "P P"]
    condition_number: float


def curvature(surface: Quadratic) -> Curvature:
    """The curvature of a surface, which is the same at every point."""
    values, vectors = np.linalg.eigh(surface.hessian)
    return Curvature(values[::-1].copy(), vectors.T[::-1].copy(), surface.condition_number)


def as_points(numbers: Sequence[float]) -> Float[np.ndarray, "R 2"]:
    """The numbers w1, w2, w1, w2, … as rows (w1, w2)."""
    return np.array(numbers, dtype=np.float64).reshape(-1, 2)
