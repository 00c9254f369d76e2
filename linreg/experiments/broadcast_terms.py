"""The bug taken apart: the matrix of a batch, the four terms of both losses, and where the minimum
walks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import Dataset, initial_weights
from linreg.quadratic.evaluation import Baseline
from linreg.quadratic.moments import batch_moments
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import loss_surface
from linreg.settings.model import Settings
from linreg.settings.wirings import STRANGE_INIT

MOST_WALKED = 4_096  # rows of a batch, at the end of the minimum's walk


@dataclass(frozen=True, eq=False)
class Pairs:
    """A batch of B rows at some weights: predictions (B, 1) against targets (B,) give B²
    differences.

    The loss is their mean square, and its gradient 2·mean_ij (p_i − y_j)·x_i; both are sums over
    the pairs, so that the share of the diagonal, where each prediction meets its own target, can be
    told from the rest."""

    features: Float[np.ndarray, "B D"]
    predictions: Float[np.ndarray, " B"]
    targets: Float[np.ndarray, " B"]

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def differences(self) -> Float[np.ndarray, "B B"]:
        """p_i − y_j: a row for each prediction, a column for each target."""
        difference: np.ndarray = (
            self.predictions[:, None] - self.targets[None, :]
        )  # (B, 1) − (1, B)
        return difference

    @property
    def loss_parts(self) -> tuple[float, float]:
        """What the pairs on the diagonal and those off it add to the loss; their sum is the
        loss."""
        squares = self.differences**2  # (B, B)
        on = float(np.trace(squares)) / squares.size
        return on, float(squares.mean()) - on

    @property
    def gradient_parts(self) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
        """What the pairs on the diagonal and those off it add to the gradient over the weights."""
        differences = self.differences
        on = 2 * np.diag(differences) @ self.features / differences.size  # (D,)
        return on, 2 * differences.sum(1) @ self.features / differences.size - on

    @property
    def meant(self) -> float:
        """The loss that was meant: the mean square of the diagonal alone."""
        return float(np.mean(np.diag(self.differences) ** 2))


def pairs_of(dataset: Dataset, weights: Float[np.ndarray, " P"], rows: int) -> Pairs:
    """The first rows of a table as a batch, at weights (w1, w2) or (w1, w2, bias)."""
    X = dataset.X[:rows]  # (B, D)
    return Pairs(X, X @ weights[: X.shape[1]] + weights[X.shape[1] :].sum(), dataset.y[:rows])


@dataclass(frozen=True)
class Terms:
    """The four terms of the losses at some weights, in squared units of the target, each a mean
    over the batches.

    mean_i (p_i − y_i)² = Var(p) + Var(y) − 2·Cov(p, y) + (p̄ − ȳ)², and mean_ij (p_i − y_j)² is the
    same without the covariance (population variances)."""

    var_p: float
    var_y: float
    minus_twice_cov: float
    means: float

    @property
    def all_pairs(self) -> float:
        """The loss in which every prediction meets every target of its batch."""
        return self.var_p + self.var_y + self.means

    @property
    def matched(self) -> float:
        """The loss in which every prediction meets its own target."""
        return self.all_pairs + self.minus_twice_cov


@dataclass(frozen=True, eq=False)
class BatchStatistics:
    """Means over the batches of what the four terms are made of; the columns are the features and
    then the target."""

    covariance: Float[np.ndarray, "D1 D1"]  # of a batch's rows
    products: Float[np.ndarray, "D1 D1"]  # of a batch's means
    means: Float[np.ndarray, " D1"]

    def terms(self, weights: Float[np.ndarray, " P"]) -> Terms:
        """The four terms at (w1, w2) or (w1, w2, bias)."""
        features = len(self.means) - 1
        w, bias = weights[:features], float(weights[features:].sum())
        off = np.append(w, -1.0)  # p − y without the bias, from the columns
        return Terms(
            float(w @ self.covariance[:-1, :-1] @ w),
            float(self.covariance[-1, -1]),
            float(-2 * w @ self.covariance[:-1, -1]),
            float(off @ self.products @ off + 2 * bias * (off @ self.means) + bias**2),
        )

    def best_bias(self, weights: Float[np.ndarray, " D"]) -> float:
        """The bias at which both losses are least, beside these weights: ȳ − w·x̄."""
        return float(self.means[-1] - weights @ self.means[:-1])


def batch_statistics(dataset: Dataset, batch_size: int) -> BatchStatistics:
    """What the four terms are made of. Every batch counts as one step, a smaller last one too."""
    columns = np.column_stack([dataset.X, dataset.y])  # (N, D + 1)
    covariance, products = np.zeros((2, columns.shape[1], columns.shape[1]))
    means, count = np.zeros(columns.shape[1]), 0
    for batches in _equal_batches(columns, batch_size):  # (K, B, D + 1)
        mean = batches.mean(1)  # (K, D + 1)
        centred = (batches - mean[:, None]).reshape(-1, columns.shape[1])  # (K·B, D + 1)
        covariance += centred.T @ centred / batches.shape[1]
        products += mean.T @ mean
        means += mean.sum(0)
        count += len(batches)
    return BatchStatistics(covariance / count, products / count, means / count)


def _equal_batches(columns: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """The full batches (K, B, C), and then the smaller last one (1, B', C) if there is one."""
    full = len(columns) - len(columns) % batch_size
    if full:
        yield columns[:full].reshape(-1, batch_size, columns.shape[1])
    if full < len(columns):
        yield columns[full:][None]


@dataclass(frozen=True, eq=False)
class MinimumByBatchSize:
    """Where the all-pairs loss is least for batches of 1, 2, 4, … rows, beside w*/B for independent
    rows."""

    sizes: tuple[int, ...]
    minima: Float[np.ndarray, "S 2"]
    floors: Float[np.ndarray, " S"]
    predicted: Float[np.ndarray, "S 2"]


def minimum_by_batch_size(dataset: Dataset, settings: Settings) -> MinimumByBatchSize:
    """The exact minimum of the all-pairs loss for batches of 1, 2, 4, … rows and of the settings'
    own.

    E[x̄ȳ] = E[x]E[y] + Cov(x, y)/B predicts it: w*/B with means near zero, or with a bias that
    absorbs them; otherwise the means' part stays."""
    powers = (2**power for power in range(MOST_WALKED.bit_length()))
    sizes = tuple(
        sorted(
            {
                settings.batch_size,
                *(size for size in powers if size <= min(len(dataset), MOST_WALKED)),
            }
        )
    )
    surfaces = [_all_pairs(dataset, settings, size) for size in sizes]
    whole = batch_statistics(dataset, len(dataset))
    varies = dataset.X.max(0) > dataset.X.min(0)  # rounding leaves a constant some covariance
    V, cov = (
        whole.covariance[:-1, :-1] * np.outer(varies, varies),
        whole.covariance[:-1, -1] * varies,
    )
    M, of_means = whole.products[:-1, :-1], whole.products[:-1, -1]
    if settings.bias:
        M, of_means = np.zeros_like(M), np.zeros_like(of_means)
    predicted = np.array(
        [Quadratic(V + M, cov / size + of_means, 0.0).minimum for size in sizes]
    )  # whatever their units
    return MinimumByBatchSize(
        sizes,
        np.array([surface.minimum[:2] for surface in surfaces]),
        np.array([surface.floor for surface in surfaces]),
        predicted,
    )


def _all_pairs(dataset: Dataset, settings: Settings, size: int) -> Quadratic:
    return loss_surface(
        dataset, replace(settings, wiring="original", batch_size=size, epochs=1, shuffle=False)
    )


@dataclass(frozen=True)
class RunResult:
    """One of the four runs that tell the weight's shape from its values."""

    weight_shape: tuple[int, ...]
    init: tuple[float, ...]
    weights: tuple[float, ...]
    loss: float
    converged: bool
    diverged: bool


def shape_or_value(
    dataset: Dataset, settings: Settings, judge: Baseline
) -> tuple[tuple[RunResult, RunResult], tuple[RunResult, RunResult]]:
    """The weight's shape, (1, 2) or (2,), by its values, PyTorch's own or the strange line's (2,
    3): four runs.

    A row for each shape. The optimizer, its learning rate, the batches and the steps are the
    settings' own, without a bias: beside a one-dimensional weight PyTorch takes none. `judge` is
    the table's yardstick without a bias."""
    from linreg.training.ensemble import train_ensemble

    plain = replace(settings, bias=False, init=None)
    drawn = initial_weights(plain)
    inits = np.array([drawn, STRANGE_INIT])  # (2, 2)
    rows = []
    for wiring, weight_shape in (("original", (1, 2)), ("weight_1d", (2,))):
        run = replace(plain, wiring=wiring)
        moments = batch_moments(dataset, run)
        steps = run.epochs * -(-len(dataset) // run.batch_size)
        found = train_ensemble(
            moments,
            inits,
            run.lr,
            run.optimizer,
            steps=steps,
            record_every=steps,
            momentum=run.momentum,
        )
        surface = moments.mean()
        rows.append(
            tuple(
                RunResult(
                    weight_shape,
                    tuple(init.tolist()),
                    tuple(end.tolist()),
                    float(surface.value(end)),
                    bool(judge.converged(end)),
                    bool(lost >= 0),
                )
                for init, end, lost in zip(inits, found.final, found.diverged_at, strict=True)
            )
        )
    return rows[0], rows[1]  # type: ignore[return-value]
