"""How the bug works: pairs of a batch, the four terms of both losses, minimum by batch size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import Dataset, initial_weights
from linreg.quadratic.evaluation import Baseline
from linreg.quadratic.moments import batch_moments
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import loss_surface
from linreg.settings.model import Settings
from linreg.settings.wirings import ALL_PAIRS, STRANGE_INIT

MAX_BATCH_SIZE = 4_096  # for the minimum by batch size


@dataclass(frozen=True, eq=False)
class Pairs:
    """A batch of B rows at some weights: predictions (B, 1) and targets (B,) give B² differences.

    The loss is the mean of their squares, and its gradient is 2·mean_ij (p_i − y_j)·x_i. Both are
    sums over the pairs, so they split into the diagonal, where each prediction is compared with its
    own target, and the rest."""

    features: Float[np.ndarray, "B D"]
    predictions: Float[np.ndarray, " B"]
    targets: Float[np.ndarray, " B"]

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def differences(self) -> Float[np.ndarray, "B B"]:
        """p_i − y_j, with a row for each prediction and a column for each target."""
        difference: np.ndarray = (
            self.predictions[:, None] - self.targets[None, :]
        )  # (B, 1) − (1, B)
        return difference

    @property
    def loss_parts(self) -> tuple[float, float]:
        """The contributions of the pairs on and off the diagonal to the loss."""
        squares = self.differences**2  # (B, B)
        on = float(np.trace(squares)) / squares.size
        return on, float(squares.mean()) - on

    @property
    def gradient_parts(self) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
        """The contributions of the pairs on and off the diagonal to the gradient."""
        differences = self.differences
        on = 2 * np.diag(differences) @ self.features / differences.size  # (D,)
        return on, 2 * differences.sum(1) @ self.features / differences.size - on

    @property
    def matched_loss(self) -> float:
        """The intended loss: the mean square of the diagonal only."""
        return float(np.mean(np.diag(self.differences) ** 2))


def pairs_of(dataset: Dataset, weights: Float[np.ndarray, " P"], rows: int) -> Pairs:
    """The first rows of a table as a batch, at weights (w1, w2) or (w1, w2, bias)."""
    X = dataset.X[:rows]  # (B, D)
    return Pairs(X, X @ weights[: X.shape[1]] + weights[X.shape[1] :].sum(), dataset.y[:rows])


@dataclass(frozen=True)
class Terms:
    """The four terms of both losses at some weights, in squared units of the target.

    mean_i (p_i − y_i)² = Var(p) + Var(y) − 2·Cov(p, y) + (p̄ − ȳ)², and mean_ij (p_i − y_j)² is the
    same without the covariance. Variances are population variances; each term is a mean over the
    batches."""

    var_p: float
    var_y: float
    minus_twice_cov: float
    means: float

    @property
    def all_pairs(self) -> float:
        """The loss that compares every prediction with every target of its batch."""
        return self.var_p + self.var_y + self.means

    @property
    def matched(self) -> float:
        """The loss that compares every prediction with its own target."""
        return self.all_pairs + self.minus_twice_cov


@dataclass(frozen=True, eq=False)
class BatchStatistics:
    """Statistics that give the four terms at any weights; means over the batches.

    The columns are the features and the target."""

    covariance: Float[np.ndarray, "D1 D1"]  # of the rows of a batch
    products: Float[np.ndarray, "D1 D1"]  # of the column means of a batch
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
        """The bias that minimises both losses for these weights: ȳ − w·x̄."""
        return float(self.means[-1] - weights @ self.means[:-1])


def batch_statistics(dataset: Dataset, batch_size: int) -> BatchStatistics:
    """The statistics of a table. All batches have the same weight, also a smaller last one."""
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
    """The full batches (K, B, C), then the smaller last batch (1, B', C), if any."""
    full = len(columns) - len(columns) % batch_size
    if full:
        yield columns[:full].reshape(-1, batch_size, columns.shape[1])
    if full < len(columns):
        yield columns[full:][None]


@dataclass(frozen=True, eq=False)
class MinimumByBatchSize:
    """The minima of the all-pairs loss for several batch sizes, and those predicted."""

    sizes: tuple[int, ...]
    minima: Float[np.ndarray, "S 2"]
    floors: Float[np.ndarray, " S"]
    predicted: Float[np.ndarray, "S 2"]


def minimum_by_batch_size(
    dataset: Dataset, settings: Settings, surface: Callable[[int], Quadratic] | None = None
) -> MinimumByBatchSize:
    """The exact minima of the all-pairs loss for batches of 1, 2, 4, … rows and of `batch_size`.

    `surface` gives the loss for a batch size where that is known already.

    The prediction for independent rows follows from E[x̄ȳ] = E[x]E[y] + Cov(x, y)/B: it is w*/B if
    the means are near zero, or if a bias absorbs them; otherwise the means contribute a constant
    part."""
    powers = (2**power for power in range(MAX_BATCH_SIZE.bit_length()))
    sizes = tuple(
        sorted(
            {
                settings.batch_size,
                *(size for size in powers if size <= min(len(dataset), MAX_BATCH_SIZE)),
            }
        )
    )
    surfaces = [surface(size) if surface else _all_pairs(dataset, settings, size) for size in sizes]
    whole = batch_statistics(dataset, len(dataset))
    varies = dataset.X.max(0) > dataset.X.min(0)  # rounding may give a constant some covariance
    V, cov = (
        whole.covariance[:-1, :-1] * np.outer(varies, varies),
        whole.covariance[:-1, -1] * varies,
    )
    M, of_means = whole.products[:-1, :-1], whole.products[:-1, -1]
    if settings.bias:
        M, of_means = np.zeros_like(M), np.zeros_like(of_means)
    # `Quadratic` handles features in very different units
    predicted = np.array([Quadratic(V + M, cov / size + of_means, 0.0).minimum for size in sizes])
    return MinimumByBatchSize(
        sizes,
        np.array([surface.minimum[:2] for surface in surfaces]),
        np.array([surface.min_loss for surface in surfaces]),
        predicted,
    )


def _all_pairs(dataset: Dataset, settings: Settings, size: int) -> Quadratic:
    return loss_surface(
        dataset, replace(settings, wiring=ALL_PAIRS, batch_size=size, epochs=1, shuffle=False)
    )


@dataclass(frozen=True)
class RunResult:
    """One of the four runs that tell the effect of the weight's shape from that of its values."""

    weight_shape: tuple[int, ...]
    init: tuple[float, ...]
    weights: tuple[float, ...]
    loss: float
    converged: bool
    diverged: bool


def shape_or_value(
    dataset: Dataset, settings: Settings, judge: Baseline
) -> tuple[tuple[RunResult, RunResult], tuple[RunResult, RunResult]]:
    """Four runs: the weight's shape, (1, 2) or (2,), times its values, default or [2, 3].

    Returns one row for each shape. Everything else is as in the settings, but without a bias, which
    PyTorch does not allow with a one-dimensional weight. `judge` is the baseline without a bias."""
    from linreg.training.ensemble import train_ensemble

    plain = replace(settings, bias=False, init=None)
    drawn = initial_weights(plain)
    inits = np.array([drawn, STRANGE_INIT])  # (2, 2)
    rows = []
    for variant, weight_shape in ((ALL_PAIRS, (1, 2)), ("weight_1d", (2,))):
        run = replace(plain, wiring=variant)
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
