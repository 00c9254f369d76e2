"""A loss as an exact quadratic: value, gradient, minimum, curvature, stable learning rates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

# Eigenvalues below this times the largest count as zero, after scaling columns to unit length.
RANK_TOLERANCE = 1e-14

# If the scales of two columns differ by more, a direction of the null space is lost in rounding.
MAX_SCALE_RATIO = 1e8


@dataclass(frozen=True, eq=False)
class Quadratic:
    """L(w) = dᵀA d − 2 cᵀd + s, with d = w − origin.

    A is symmetric and positive semidefinite, and c is in its range. The origin only serves
    precision: near it no large terms cancel. The loss is in squared units of the target."""

    A: Float[np.ndarray, "P P"]
    c: Float[np.ndarray, " P"]
    s: float
    origin: Float[np.ndarray, " P"] = None  # type: ignore[assignment]  # None stands for zeros

    def __post_init__(self) -> None:
        if self.origin is None:
            object.__setattr__(self, "origin", np.zeros_like(self.c))

    def value(self, w: Float[np.ndarray, "*n P"]) -> Float[np.ndarray, "*n"]:
        """The loss at one or many w."""
        # P arrays of shape (*n), because products of matrices this narrow are slow
        d = [w[..., i] - origin for i, origin in enumerate(self.origin)]
        total = np.asarray(self.s)
        for d_i, row, c_i in zip(d, self.A, self.c, strict=True):
            total = total + d_i * (sum(a * d_j for a, d_j in zip(row, d, strict=True)) - 2 * c_i)
        return np.asarray(total)  # an array for a single w too

    def gradient(self, w: Float[np.ndarray, "*n P"]) -> Float[np.ndarray, "*n P"]:
        """2(A d − c) at one or many w."""
        gradient: np.ndarray = 2 * ((w - self.origin) @ self.A - self.c)
        return gradient

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pseudo-inverse of A (P, P), the null space of scaled A (P, k), and the scale (P,).

        A is scaled to ones on the diagonal, so that the rank does not depend on units."""
        length = np.sqrt(np.maximum(np.diag(self.A), 0))  # (P,)
        scale = 1 / np.where(length > 0, length, 1)
        scaled = self.A * scale[:, None] * scale  # (P, P)
        values, vectors = np.linalg.eigh(scaled)
        nonzero = values > RANK_TOLERANCE * max(values[-1], 0)
        if nonzero.all():
            inverse = np.linalg.inv(scaled)
        else:
            basis = vectors[:, nonzero]  # (P, rank)
            inverse = (basis / values[nonzero]) @ basis.T
        return inverse * scale[:, None] * scale, vectors[:, ~nonzero], scale

    @property
    def unique(self) -> bool:
        """Whether the minimum is unique: it is not if columns are zero or linearly dependent."""
        return not self._spectrum[1].size

    @cached_property
    def minimum(self) -> Float[np.ndarray, " P"]:
        """The minimum, origin + A⁺c; the point of least norm if it is not unique."""
        inverse, null_space, scale = self._spectrum
        return least_norm(self.origin + inverse @ self.c, null_space, scale)

    @cached_property
    def min_loss(self) -> float:
        """The minimum loss, s − cᵀA⁺c; 0 if it is within the rounding of the predictions."""
        minimum = float(self.s - self.c @ self._spectrum[0] @ self.c)
        rounding = (4 * np.finfo(float).eps) ** 2 * float(self.origin @ self.A @ self.origin)
        return minimum if minimum > max(rounding, 0.0) else 0.0

    @property
    def floor(self) -> float:
        """`min_loss`, under the name that it had in earlier versions."""
        return self.min_loss

    @property
    def hessian(self) -> Float[np.ndarray, "P P"]:
        """2A: the same at every w, and of a batch the same for matched shapes and all pairs."""
        return 2 * self.A

    @property
    def condition_number(self) -> float:
        """λ_max/λ_min of the Hessian; infinite if the minimum is not unique."""
        values = np.linalg.eigvalsh(self.hessian)
        if not (self.unique and values[0] > 0):
            return np.inf
        with np.errstate(over="ignore"):
            return float(values[-1] / values[0])

    def stable_lr(self, momentum: float = 0.0, *, nesterov: bool = False) -> float:
        """The learning rate below which `torch.optim.SGD` with this momentum converges.

        It is 2(1 + β)/λ_max for momentum β < 1 (Polyak, 1964), and with `nesterov`
        2(1 + β)/((1 + 2β)λ_max) for β ≤ 1; for larger β it is 0, as no learning rate converges.

        Along an eigenvector of the Hessian, with a = lr·λ, a step multiplies distance and velocity
        by a matrix with trace t = 1 + β − a and determinant d = β, or with `nesterov`
        t = (1 + β)(1 − a) and d = β(1 − a). Its eigenvalues are inside the unit circle if |d| < 1
        and |t| < 1 + d (Jury, 1964)."""
        largest = np.linalg.eigvalsh(self.hessian)[-1]
        if largest <= 0:
            return np.inf
        if momentum > 1 or (momentum == 1 and not nesterov):
            return 0.0
        return float(2 * (1 + momentum) / (1 + 2 * momentum * nesterov) / largest)

    def profile(self) -> Quadratic:
        """The quadratic over the first two parameters, minimised over the others (the bias).

        Its matrix is the Schur complement A₁₁ − A₁₂A₂₂⁺A₂₁. A quadratic of two parameters is its
        own profile."""
        if len(self.c) == 2:
            return self
        A11, A12, A22 = self.A[:2, :2], self.A[:2, 2:], self.A[2:, 2:]
        inverse = np.linalg.pinv(A22, hermitian=True)
        schur = A11 - A12 @ inverse @ A12.T
        c2 = inverse @ self.c[2:]
        c = self.c[:2] - A12 @ c2
        constant = np.diag(schur) <= RANK_TOLERANCE * np.diag(A11)  # columns, up to rounding
        schur[constant], schur[:, constant], c[constant] = 0, 0, 0
        return Quadratic(schur, c, float(self.s - self.c[2:] @ c2), self.origin[:2])


def least_norm(weights: np.ndarray, directions: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The weights (P,) plus a combination of directions that makes their norm smallest.

    `directions` (P, k) times `scale` (P,) are directions along which the loss does not change. If
    the scales of the parameters involved differ too much to compute it, the weights are returned
    unchanged."""
    involved = np.abs(directions).max(1, initial=0) > RANK_TOLERANCE**0.5  # (P,)
    if not involved.any() or scale[involved].max() > MAX_SCALE_RATIO * scale[involved].min():
        return weights
    relative = scale / scale[involved].max()  # (P,)
    null_space = np.where(involved[:, None], directions, 0) * relative[:, None]  # (P, k)
    Q = np.linalg.qr(null_space)[0]  # (P, k)
    return np.asarray(weights - Q @ (Q.T @ weights))
