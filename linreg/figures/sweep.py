"""The figures of the sweep page: heat maps, and final weights by batch size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.experiments.sweep import SweepResult
from linreg.experiments.sweep_grid import BatchSizeLaw, Sweep
from linreg.figures.figure import CIRCLE, Figure, FigureSet, LegendEntry, single_figure
from linreg.figures.symbol_legend import BAR, LINE, symbol_legend
from linreg.figures.templates import frame_table, placeholder, template, with_frame_data
from linreg.figures.theme import Theme, apply_theme, number_text, weight_color
from linreg.settings.model import LABELS
from linreg.settings.sweep_axes import AXES, Axis, Metric
from linreg.text.numbers import point, quantity


def figures(
    result: SweepResult, by_batch_size: BatchSizeLaw | None, theme: Theme
) -> Iterator[FigureSet]:
    """The figures of the page; final weights by batch size only where there are some."""
    yield maps(result, theme)
    if by_batch_size:
        yield law(by_batch_size, theme)


def maps(result: SweepResult, theme: Theme, selected: tuple[int, int] | None = None) -> FigureSet:
    """The heat maps of both sides, on one colour scale; a selected cell (column, row) is marked."""
    sweep, metric = replace(result.sweep, inits=result.inits), result.metric
    panels = tuple(
        map_figure(
            sweep,
            result.values[side],
            label,
            metric,
            result.color_limits,
            result.stability[side],
            theme,
            selected,
        )
        for side, label in enumerate(LABELS)
    )
    name = f"sweep {metric.key}"
    has_limit = any(len(panel.data["limit"]) for panel in panels)
    caption = _map_caption(sweep, metric, result.values, has_limit)
    return FigureSet(name, panels, theme, caption, LABELS, shared=True)


def law(result: BatchSizeLaw, theme: Theme) -> FigureSet:
    """Where the original's runs end, by batch size."""
    return single_figure("law of the batch size", law_figure(result, theme), theme)


BLANK = {  # metric -> what it means that a cell has none
    "converged": "not trained",
    "r_squared": "every run diverged, or not trained",
    "loss": "every run diverged, or not trained",
    "steps": "no run converged",
}

# ---- heat maps -----------------------------------------------------------------------------------


def map_figure(
    sweep: Sweep,
    values: Float[np.ndarray, "rows columns"],
    label: str,
    metric: Metric,
    color_limits: tuple[float, float],
    stability: Sequence[tuple[float, float]],
    theme: Theme,
    selected: tuple[int, int] | None = None,
) -> Figure:
    """The cells of one side, coloured by a metric; a selected cell (column, row) is marked.

    `stability` are the points (x, y) of a line drawn over the cells, SGD's stability limit.
    """
    x, y = _edges(AXES[sweep.x], sweep.x_values), _edges(AXES[sweep.y], sweep.y_values)
    line = pd.DataFrame(list(stability), columns=["x", "y"])
    within = line["x"].between(x[0], x[-1]) & line["y"].between(y[0], y[-1])
    finite = values[np.isfinite(values)]
    value_range = (
        f"from {quantity(float(finite.min()))} to {quantity(float(finite.max()))}, mean"
        f" {quantity(float(finite.mean()))}"
        if len(finite)
        else "no cell has one"
    )
    alt_text = (
        f"{label}: {metric.title} over {AXES[sweep.x].title} and {AXES[sweep.y].title},"
        f" {values.size} cells, {value_range}."
    )
    caption = _map_caption(sweep, metric, values, bool(within.any()))
    limits = {
        "x from": x[0],
        "x to": x[-1],
        "y from": y[0],
        "y to": y[-1],
        "low": color_limits[0],
        "high": color_limits[1],
    }
    cells = _cells(sweep, values, x, y)
    is_selected = (
        (cells["column"] == selected[0]) & (cells["row"] == selected[1])
        if selected
        else np.zeros(len(cells), dtype=bool)
    )
    data = {
        "cells": cells,
        "selected": cells.loc[is_selected, ["column", "row", "x", "x2", "y", "y2"]],
        "limit": line[within],
        "frame": frame_table(title=label, alt=alt_text, **limits),
    }
    spec = _map_spec(theme, sweep.x, sweep.y, metric)
    return Figure(spec, data, alt_text, caption, "cells", f"{label}: {metric.title}")


def _map_caption(sweep: Sweep, metric: Metric, values: np.ndarray, has_limit: bool) -> str:
    """What the colour shows, what a blank cell means, and what the dashed line is."""
    runs = "one run" if sweep.inits == 1 else f"{sweep.inits:,} initial weights"
    caption = f"{metric.title[0].upper()}{metric.title[1:]}, {runs} per cell."
    if np.isnan(values).any():
        caption += f" Blank: {BLANK[metric.key]}."
    if has_limit:
        caption += " Dashed: the stability limit of SGD on the mean loss, 2/λ."
    return caption


def _cells(
    sweep: Sweep,
    values: Float[np.ndarray, "rows columns"],
    x_edges: Float[np.ndarray, " columns1"],
    y_edges: Float[np.ndarray, " rows1"],
) -> pd.DataFrame:
    """A row per cell: its place, its edges, and its values on both axes and of the metric."""
    row, column = (index.ravel() for index in np.indices(values.shape))
    return pd.DataFrame(
        {
            "column": column.astype(np.int16),
            "row": row.astype(np.int16),
            "x": np.take(x_edges[:-1], column),
            "x2": np.take(x_edges[1:], column),
            "y": np.take(y_edges[:-1], row),
            "y2": np.take(y_edges[1:], row),
            "at_x": np.take(sweep.x_values, column),
            "at_y": np.take(sweep.y_values, row),
            "value": values.ravel(),
        }
    )


def _edges(axis: Axis, values: Sequence[float]) -> np.ndarray:
    """The edges between the cells: half way from value to value, on a log axis in log space."""
    centers = np.log(values) if axis.log else np.array(values, dtype=np.float64)
    between = (centers[1:] + centers[:-1]) / 2
    if len(centers) > 1:
        first, last = centers[0] * 2 - between[0], centers[-1] * 2 - between[-1]
    else:
        first, last = centers[0] - 0.5, centers[0] + 0.5
    edges = np.array([first, *between, last])
    return np.exp(edges) if axis.log else edges


@lru_cache(maxsize=128)
def _map_spec(theme: Theme, x: str, y: str, metric: Metric) -> dict[str, Any]:
    known: dict[str, Any] = {"metric": metric.title}
    for name, axis in (("x", AXES[x]), ("y", AXES[y])):
        known[name] = axis.title
        known[f"{name} scale"] = "log" if axis.log else "linear"
        known[f"{name} format"] = "~g" if axis.low < 1 else ","
    known["shade"] = "log" if metric.log else "linear"
    known["shade format"] = ".0%" if metric.key == "converged" else "~g"
    known["ticks"] = [0, 0.5, 1] if metric.known else None
    known["tooltip"] = {"expr": _cell_tooltip(AXES[x], AXES[y], metric)}
    return apply_theme(with_frame_data(_map_template(theme), **known), theme)


def _cell_tooltip(x: Axis, y: Axis, metric: Metric) -> str:
    """A Vega expression for what a cell says: its place and its value, by name."""
    value = "format(datum.value, '.0%')" if metric.key == "converged" else number_text("value")
    value = f"isValid(datum.value) ? {value} : '{BLANK[metric.key]}'"
    parts = {x.title: number_text("at_x"), y.title: number_text("at_y"), metric.title: value}
    entries = ", ".join(f"'{name}': {text}" for name, text in parts.items())
    return f"{{{entries}}}"


@template()
def _map_template(theme: Theme) -> dict[str, Any]:
    place: dict[str, Any] = {"fields": ["column", "row"], "empty": False, "clear": False}
    # each click adds a cell or takes it away, so that a second click on it is seen
    clicked = alt.selection_point(name="clicked", on="click", toggle="true", **place)
    opened = alt.selection_point(name="opened", on="dblclick", toggle=False, **place)
    sides: dict[str, Any] = {"x": alt.X("x:Q", **_map_axis("x")), "x2": "x2:Q"}
    sides |= {"y": alt.Y("y:Q", **_map_axis("y")), "y2": "y2:Q"}
    cells = alt.Chart(alt.NamedData("cells")).mark_rect(
        cursor="pointer",
        strokeWidth=1.6,
        stroke=alt.ExprRef("scale('fill', datum.value)"),
        tooltip=placeholder("tooltip"),
    )
    cells = cells.transform_filter("isValid(datum.value)").encode(**sides, fill=_metric_fill(theme))
    blank = alt.Chart(alt.NamedData("cells")).transform_filter("!isValid(datum.value)")
    blank = blank.mark_rect(cursor="pointer", opacity=0, tooltip=placeholder("tooltip"))
    selected = alt.Chart(alt.NamedData("selected")).encode(**sides)
    outline: dict[str, Any] = {"filled": False, "aria": False}
    around = selected.mark_rect(stroke=theme.background, strokeWidth=5, **outline)
    within = selected.mark_rect(stroke=theme.foreground, strokeWidth=2, **outline)
    limit = alt.Chart(alt.NamedData("limit")).encode(x="x:Q", y="y:Q", order="y:Q")
    line: dict[str, Any] = {"aria": False}
    halo = limit.mark_line(strokeWidth=4, stroke=theme.background, opacity=0.7, **line)
    dashes = limit.mark_line(strokeWidth=1.8, stroke=theme.foreground, strokeDash=[6, 4], **line)
    chart = alt.layer(
        cells.add_params(clicked, opened), blank.encode(**sides), halo, dashes, around, within
    )
    title = alt.TitleParams(placeholder("title"))
    spec: dict[str, Any] = chart.properties(title=title, width="container", height=300).to_dict()
    encoding = spec["layer"][0]["encoding"]
    # Altair validates these, and would refuse a placeholder
    encoding["x"]["scale"]["type"] = placeholder("x scale")
    encoding["y"]["scale"]["type"] = placeholder("y scale")
    encoding["fill"]["scale"]["type"] = placeholder("shade")
    encoding["fill"]["legend"]["values"] = placeholder("ticks")
    return spec


def _map_axis(name: str) -> dict[str, Any]:
    """Title, scale and axis of `x` or `y`, with placeholders."""
    domain = [placeholder(f"{name} from"), placeholder(f"{name} to")]
    number_format = placeholder(f"{name} format")
    return {
        "title": placeholder(name),
        "scale": alt.Scale(domain=domain, nice=False, zero=False),
        "axis": alt.Axis(grid=False, format=number_format, tickCount=6, zindex=1),
    }


def _metric_fill(theme: Theme) -> alt.Fill:
    """The fill encoding of the metric, with placeholders and a legend above the plot."""
    return alt.Fill(
        "value:Q",
        scale=alt.Scale(
            domain=[placeholder("low"), placeholder("high")],
            range=list(theme.ramp),
            interpolate="lab",
            clamp=True,
        ),
        legend=alt.Legend(
            orient="top",
            title=placeholder("metric"),
            titleFontWeight="normal",
            titleColor=theme.muted,
            titleLimit=330,
            gradientLength=200,
            gradientThickness=10,
            format=placeholder("shade format"),
            tickCount=3,
            offset=6,
        ),
    )


# ---- final weights by batch size -----------------------------------------------------------------


def law_figure(law: BatchSizeLaw, theme: Theme) -> Figure:
    """The original's final weights against the batch size: trained runs, exact minima, and w*/B."""
    runs = _weight_table(law.sizes, law.finals)
    exact = _weight_table(law.sizes, law.minima[:, None])
    theory = _weight_table(law.sizes, law.theory[:, None])
    drawn = np.concatenate([runs["value"], exact["value"], theory["value"]])
    lowest = float(max(np.min(drawn[drawn > 0], initial=1.0), 1e-4))
    alt_text = f"{_law_finding(law)}."
    data = {
        "runs": runs[runs["value"] >= lowest],
        "exact": exact[exact["value"] >= lowest],
        "theory": theory[theory["value"] >= lowest],
        "frame": frame_table(alt=alt_text),
    }
    name = "Final weights by batch size"
    return Figure(_law_spec(theme), data, alt_text, _law_caption(law), "exact", name)


def _weight_table(sizes: Sequence[int], weights: Float[np.ndarray, "S I 2"]) -> pd.DataFrame:
    """The absolute values of w1 and w2 for each batch size."""
    return pd.DataFrame(
        [
            (size, abs(value), name)
            for size, weights_of_size in zip(sizes, weights, strict=True)
            for name, values in zip(("w1", "w2"), weights_of_size.T, strict=True)
            for value in values.tolist()
        ],
        columns=["size", "value", "weight"],
    )


def _law_finding(law: BatchSizeLaw) -> str:
    """The median final weights for each batch size, and what the law predicts."""
    parts = []
    for size, finals, theory in zip(law.sizes, law.finals, law.theory, strict=True):
        finite = finals[np.isfinite(finals).all(1)]  # (runs, 2)
        median = point(np.median(finite, axis=0)) if len(finite) else "all diverged"
        parts.append(f"B = {size:,}: {median}, w*/B {point(theory)}")
    return f"Final weights of the original against the batch size: {'; '.join(parts)}"


def _law_caption(law: BatchSizeLaw) -> str:
    """What the rule is, how many runs there are, and how many of them have no dot."""
    caption = (
        "Absolute values. w* is the correct solution"
        f" {point(law.true)}; {law.finals.shape[1]} runs at each batch size"
    )
    diverged = int((~np.isfinite(law.finals).all(2)).sum())
    if diverged:
        caption += f"; {diverged:,} of {law.finals[..., 0].size:,} diverged and have no dot"
    return f"{caption}."


@template()
def _law_spec(theme: Theme) -> dict[str, Any]:
    size = alt.X(
        "size:Q",
        title="batch size B",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(format=",", grid=False, tickCount=5),
    )
    value = alt.Y(
        "value:Q",
        title="size of the weight",
        scale=alt.Scale(type="log"),
        axis=alt.Axis(format="~g", tickCount=6),
    )
    color = weight_color(theme)

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(x=size, y=value, color=color)

    def tooltip(what: str) -> alt.ExprRef:
        """The weight and its size in words."""
        size = f"'{what} at batch size ' + format(datum.size, ',')"
        return alt.ExprRef(f"{size} + ': |' + datum.weight + '| = ' + {number_text('value')}")

    chart = alt.layer(
        symbol_legend(
            [
                LegendEntry("the rule w*/B", LINE, "", theme.muted),
                LegendEntry("exact minimum of the loss", BAR, theme.muted),
                LegendEntry("where a trained run ends", CIRCLE, theme.muted),
            ],
            orient="bottom",
        ),
        over("runs").mark_point(filled=True, size=22, opacity=0.35, tooltip=tooltip("a run")),
        over("theory").mark_line(strokeWidth=1.8),
        over("exact").mark_tick(
            orient="horizontal", thickness=2.5, size=16, opacity=1, tooltip=tooltip("the minimum")
        ),
    )
    heading = alt.TitleParams("Final weights by batch size", subtitle="of the original")
    chart = chart.properties(title=heading, width="container", height=320)
    return apply_theme(with_frame_data(chart.to_dict()), theme)
