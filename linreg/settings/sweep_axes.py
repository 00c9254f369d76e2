"""Registries of the axes of a sweep, and of the metrics that colour its cells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A setting that a sweep can vary: default range, log or linear scale, whole numbers or not."""

    key: str
    title: str
    low: float
    high: float
    log: bool = True
    whole: bool = False


AXES: dict[str, Axis] = {
    axis.key: axis
    for axis in (
        Axis("lr", "learning rate", 1e-5, 10),
        Axis("batch_size", "batch size", 1, 2_000, whole=True),
        Axis("distance", "distance of the start from the true weights", 0.1, 1_000),
        Axis("scale", "feature scale", 0.01, 10_000),
        Axis("correlation", "correlation of the features", -0.99, 0.99, log=False),
        Axis("noise", "noise", 0.01, 10_000),
        Axis("epochs", "epochs", 1, 300, whole=True),
        Axis("momentum", "momentum", 0, 0.99, log=False),
    )
}


@dataclass(frozen=True)
class Metric:
    """A number that determines the colour of a cell."""

    key: str
    title: str
    of: str  # the field of CellStats that holds it
    log: bool = False
    known: tuple[float, float] | None = None  # a fixed range for the colours


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("converged", "share of runs that converge", "share", known=(0.0, 1.0)),
        Metric("r_squared", "R², median of the runs", "r_squared", known=(0.0, 1.0)),
        Metric("loss", "final loss, median of the runs", "loss", log=True),
        Metric("steps", "steps to converge, median of the runs that do", "steps", log=True),
    )
}
