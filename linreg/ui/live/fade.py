"""What the browser needs to fade in the wrong pairs by itself: `fade.js` reads it."""

from __future__ import annotations

from typing import Any

import numpy as np

from linreg.experiments.cause import CauseResult
from linreg.figures.contours import round_number
from linreg.figures.fade import CONTOUR_POINTS, axes_of, section_direction
from linreg.settings.pages import CauseView
from linreg.settings.wirings import ALL_PAIRS, MATCHED, WIRINGS
from linreg.training.browser import browser_surface

SLIDER_STEPS = 400  # of a weight


def fade_bar(result: CauseResult, view: CauseView) -> dict[str, Any]:
    """The data of the sliders for alpha and the batch size, and the losses that they mix."""
    return {
        "values": {"alpha": view.alpha, "batch_rows": view.batch_rows},
        "model": fade_model(result),
        "code": {
            name: WIRINGS[variant].loss_code.removeprefix("loss = ")
            for name, variant in (("matched", MATCHED), ("broadcast", ALL_PAIRS))
        },
    }


def fade_weights(result: CauseResult, view: CauseView) -> dict[str, Any]:
    """The data of the sliders for the weights."""
    largest = float(np.abs(result.least_squares.minimum[:2]).max())
    return {
        "values": {"w1": view.w1, "w2": view.w2},
        "max": 2 * round_number(largest) or 1.0,
        "steps": SLIDER_STEPS,
    }


def fade_model(result: CauseResult) -> dict[str, Any]:
    """Both losses of S batch sizes, over the two weights with the best bias where there is one.

    Of a pair of losses the one over all pairs comes first. Both have the same A.
    """
    fade, bias = result.fade, result.settings.bias
    profiles = [[loss.profile() for loss in losses.surfaces] for losses in fade.by_size]
    A = np.array([matched.A for _, matched in profiles])  # (S, 2, 2)
    statistics = [losses.statistics for losses in fade.by_size]
    minima = [[loss.minimum[2:] for loss in losses.surfaces] for losses in fade.by_size]
    return {
        "sizes": np.array([losses.size for losses in fade.by_size]),
        "own": result.own.size,
        "minima": _flat([[loss.minimum for loss in pair] for pair in profiles]),
        "min_losses": _flat([[loss.min_loss for loss in pair] for pair in profiles]),
        "A": _flat([A[:, 0, 0], A[:, 0, 1], A[:, 1, 1]], axis=1),
        "axes": _flat([axes_of(matched) for _, matched in profiles]),
        "contour_points": CONTOUR_POINTS,
        "directions": _flat([section_direction(losses, fade) for losses in fade.by_size]),
        "biases": _flat(minima) if bias else None,
        "covariance": _flat([each.covariance for each in statistics]),
        "products": _flat([each.products for each in statistics]),
        "means": _flat([each.means for each in statistics]),
        "X": _flat(result.pairs.features),
        "y": result.pairs.targets,
        "best": result.least_squares.minimum[:2],
        "baseline": browser_surface(result.least_squares),
        "variance": result.baseline.variance,
    }


def _flat(values: Any, axis: int = 0) -> np.ndarray:
    """The numbers of all sizes, one size after the other; `axis` is that of the sizes."""
    return np.moveaxis(np.array(values, dtype=np.float64), axis, 0).ravel()
