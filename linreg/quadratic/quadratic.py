"""A loss as an exact quadratic: value, gradient, minimum, curvature, stable learning rates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

RANK_TOLERANCE = 1e-14  # of the largest eigenvalue, once every column has unit length


FAR_APART = 1e8  # units of columns, of which a flat direction would hold but the coarsest


@dataclass(frozen=True, eq=False)
class Quadratic:
    """L(w) = dᵀA d − 2 cᵀd + s with d = w − origin; A symmetric and positive semidefinite, c in its
    range.

    The origin only serves precision: near it nothing large cancels. With P parameters w is (P,),
    the loss a scalar in squared units of the target."""

    A: Float[np.ndarray, "P P"]
    c: Float[np.ndarray, " P"]
    s: float
    origin: Float[np.ndarray, " P"] = None  # type: ignore[assignment]  # zeros

    def __post_init__(self) -> None:
        if self.origin is None:
            object.__setattr__(self, "origin", np.zeros_like(self.c))

    def value(self, w: Float[np.ndarray, "*n P"]) -> Float[np.ndarray, "*n"]:
        """The loss at one or many w."""
        d = [
            w[..., i] - origin for i, origin in enumerate(self.origin)
        ]  # P of (*n): matrices this narrow are slow
        total = np.asarray(self.s)
        for d_i, row, c_i in zip(d, self.A, self.c, strict=True):
            total = total + d_i * (sum(a * d_j for a, d_j in zip(row, d, strict=True)) - 2 * c_i)
        return np.asarray(total)  # an array at a single w too

    def gradient(self, w: Float[np.ndarray, "*n P"]) -> Float[np.ndarray, "*n P"]:
        """2(A d − c) at one or many w."""
        slope: np.ndarray = 2 * ((w - self.origin) @ self.A - self.c)
        return slope

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A⁺; with every column at unit length the directions in which A is flat (P, k); what makes
        them so long (P,)."""
        length = np.sqrt(np.maximum(np.diag(self.A), 0))  # (P,)
        scale = 1 / np.where(length > 0, length, 1)
        alike = self.A * scale[:, None] * scale  # (P, P), ones on the diagonal
        values, vectors = np.linalg.eigh(alike)
        steep = values > RANK_TOLERANCE * max(values[-1], 0)
        kept = vectors[:, steep]  # (P, rank)
        inverse = np.linalg.inv(alike) if steep.all() else (kept / values[steep]) @ kept.T
        return inverse * scale[:, None] * scale, vectors[:, ~steep], scale

    @property
    def unique(self) -> bool:
        """Whether there is one minimum: false for constant or duplicated columns."""
        return not self._spectrum[1].size

    @cached_property
    def minimum(self) -> Float[np.ndarray, " P"]:
        """A⁺c: where the loss is least; where that is a whole line, its point of least norm."""
        inverse, flat, scale = self._spectrum
        return least_norm(self.origin + inverse @ self.c, flat, scale)

    @cached_property
    def floor(self) -> float:
        """The least loss, s − cᵀA⁺c; zero where it is within the rounding of the predictions
        themselves."""
        found = float(self.s - self.c @ self._spectrum[0] @ self.c)
        rounding = (4 * np.finfo(float).eps) ** 2 * float(self.origin @ self.A @ self.origin)
        return found if found > max(rounding, 0.0) else 0.0

    @property
    def hessian(self) -> Float[np.ndarray, "P P"]:
        """2A, the same at every w and for both losses."""
        return 2 * self.A

    @property
    def condition_number(self) -> float:
        """λ_max/λ_min of the Hessian: how much steeper the steepest direction is; infinite if the
        minimum is not unique."""
        values = np.linalg.eigvalsh(self.hessian)
        if not (self.unique and values[0] > 0):
            return np.inf
        with np.errstate(over="ignore"):
            return float(values[-1] / values[0])

    def stable_lr(self, momentum: float = 0.0, *, nesterov: bool = False) -> float:
        """The learning rate below which `torch.optim.SGD` with momentum β converges on this
        quadratic; 0 if there is none.

        2(1 + β)/λ_max for β < 1 (Polyak, 1964), with `nesterov` 2(1 + β)/((1 + 2β)λ_max) for β ≤ 1.
        Along an eigenvector of the Hessian, with a = lr·λ, a step multiplies distance and velocity
        by a matrix of trace t = 1 + β − a and of determinant d = β, Nesterov's of t = (1 + β)(1 −
        a) and d = β(1 − a). Its eigenvalues are inside the unit circle where |d| < 1 and |t| < 1 +
        d (Jury, 1964); for larger β, a small a has d ≥ 1."""
        steepest = np.linalg.eigvalsh(self.hessian)[-1]
        if steepest <= 0:
            return np.inf
        if momentum > 1 or (momentum == 1 and not nesterov):
            return 0.0
        return float(2 * (1 + momentum) / (1 + 2 * momentum * nesterov) / steepest)

    def profile(self) -> Quadratic:
        """The quadratic over the first two parameters, with the others (a bias) at their best for
        each.

        The Schur complement A₁₁ − A₁₂A₂₂⁺A₂₁; a quadratic of two parameters is its own profile.
        """
        if len(self.c) == 2:
            return self
        A11, A12, A22 = self.A[:2, :2], self.A[:2, 2:], self.A[2:, 2:]
        inverse = np.linalg.pinv(A22, hermitian=True)
        schur = A11 - A12 @ inverse @ A12.T
        c2 = inverse @ self.c[2:]
        c = self.c[:2] - A12 @ c2
        flat = np.diag(schur) <= RANK_TOLERANCE * np.diag(
            A11
        )  # a constant column, but for rounding
        schur[flat], schur[:, flat], c[flat] = 0, 0, 0
        return Quadratic(schur, c, float(self.s - self.c[2:] @ c2), self.origin[:2])


def least_norm(weights: np.ndarray, directions: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Of the points that differ from the weights (P,) by flat directions (P, k) alone, the one of
    least norm.

    The directions are of weights by `scale` (P,). Where the units that they combine are too far
    apart to tell, it is the weights, which have the least norm with every column at unit length.
    """
    part = np.abs(directions).max(1, initial=0) > RANK_TOLERANCE**0.5  # (P,)
    if not part.any() or scale[part].max() > FAR_APART * scale[part].min():
        return weights
    flat = np.where(part[:, None], directions, 0) * (scale / scale[part].max())[:, None]  # (P, k)
    Q = np.linalg.qr(flat)[0]  # (P, k)
    return np.asarray(weights - Q @ (Q.T @ weights))
