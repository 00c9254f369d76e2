"""Sides of a comparison as the figures of the home page take them: trained ones, and a spiral."""

import numpy as np

from linreg.data.tables import make_data
from linreg.figures.side_surfaces import Side, surfaces_layout
from linreg.quadratic.least_squares import least_squares
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import loss_surface
from linreg.training.pytorch import train

BOWL = Quadratic(np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([2.0, 1.0]), 10.0)


SPIRAL = (
    np.column_stack([np.cos(np.linspace(0, 9, 400)), np.sin(np.linspace(0, 9, 400))])
    * np.linspace(1, 0.1, 400)[:, None]
)


def side(label="Original", weights=SPIRAL, surface=BOWL, **more):
    losses = None if weights is None else np.asarray(surface.value(weights[:-1]))
    return Side(label, "(4, 1) meets (4,)", surface, weights, losses, **more)


def trained(comparison):
    table = make_data(comparison.original.data)
    runs = train([comparison.original, comparison.fixed], table)
    sides = [
        Side(
            label,
            "shapes",
            loss_surface(table, run.settings),
            run.weights,
            run.losses,
            run.diverged_at,
        )
        for label, run in zip(("Original", "Fixed"), runs, strict=True)
    ]
    return sides, surfaces_layout(sides, least_squares(table.X, table.y), [])


def layers_over(figure, table):
    return [layer for layer in figure.spec["layer"] if layer["data"]["name"] == table]
