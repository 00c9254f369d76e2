"""The figures of the sweep page: a map of cells, and the law of the batch size."""

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
from linreg.figures.figure import Figure, FigureSet, single_figure
from linreg.figures.theme import (
    Theme,
    apply_theme,
    frame_of,
    placeholder,
    template,
    with_frame_data,
)
from linreg.settings.model import LABELS
from linreg.settings.sweep_axes import AXES, Axis, Metric
from linreg.text.numbers import point, quantity


def figures(result: SweepResult, found: BatchSizeLaw | None, theme: Theme) -> Iterator[FigureSet]:
    """All figures of the page; the law of the batch size where there is one."""
    yield maps(result, theme)
    if found:
        yield law(found, theme)


def maps(result: SweepResult, theme: Theme) -> FigureSet:
    """Both maps, coloured on one scale."""
    sweep, metric, values = result.sweep, result.metric, result.values
    drawn = tuple(
        map_figure(
            replace(sweep, inits=result.inits),
            values[side],
            label,
            metric,
            result.color_limits,
            result.stability[side],
            theme,
        )
        for side, label in enumerate(LABELS)
    )
    name = f"sweep {metric.key}"
    return FigureSet(name, drawn, theme, drawn[-1].caption, LABELS, shared=True)


def law(found: BatchSizeLaw, theme: Theme) -> FigureSet:
    """Where the original's runs end, by batch size."""
    return single_figure("law of the batch size", law_figure(found, theme), theme)


def map_figure(
    sweep: Sweep,
    values: Float[np.ndarray, "rows columns"],
    label: str,
    metric: Metric,
    scale: tuple[float, float],
    limits: Sequence[tuple[float, float]],
    theme: Theme,
) -> Figure:
    """One side's cells, coloured by a metric between the ends of `scale`; `limits` are points of a
    line drawn over them."""
    x, y = (
        _edges(AXES[key], cells)
        for key, cells in ((sweep.x, sweep.x_values), (sweep.y, sweep.y_values))
    )
    rows, columns = np.indices(values.shape)
    table = pd.DataFrame(
        {
            "column": columns.ravel().astype(np.int16),
            "row": rows.ravel().astype(np.int16),
            "x": np.take(x[:-1], columns.ravel()),
            "x2": np.take(x[1:], columns.ravel()),
            "y": np.take(y[:-1], rows.ravel()),
            "y2": np.take(y[1:], rows.ravel()),
            "at_x": np.take(sweep.x_values, columns.ravel()),
            "at_y": np.take(sweep.y_values, rows.ravel()),
            "value": values.ravel(),
        }
    )
    line = pd.DataFrame([(at_x, at_y) for at_x, at_y in limits], columns=["x", "y"])
    within = line["x"].between(x[0], x[-1]) & line["y"].between(y[0], y[-1])
    data = {"cells": table, "limit": line[within]}
    finite = values[np.isfinite(values)]
    said = (
        f"from {quantity(float(finite.min()))} to {quantity(float(finite.max()))}"
        if len(finite)
        else "no cell has one"
    )
    alt_text = (
        f"{label}: {metric.title} over {AXES[sweep.x].title} and {AXES[sweep.y].title},"
        f" {values.size} cells, {said}"
        + (f", mean {quantity(float(finite.mean()))}." if len(finite) else ".")
    )
    caption = (
        f"{metric.title[0].upper()}{metric.title[1:]}, of {sweep.inits} a cell. Cells without"
        " colour have none."
        + (
            " Dashed: SGD is stable below 2/λ of the mean of all batches; single small batches are"
            " steeper."
            if len(data["limit"])
            else ""
        )
    )
    ends = {
        "x from": x[0],
        "x to": x[-1],
        "y from": y[0],
        "y to": y[-1],
        "low": scale[0],
        "high": scale[1],
    }
    data["frame"] = frame_of(title=label, alt=alt_text, **ends)
    return Figure(
        _map_spec(theme, sweep.x, sweep.y, metric),
        data,
        alt_text,
        caption,
        "cells",
        f"{label}: {metric.title}",
    )


def _edges(axis: Axis, values: Sequence[float]) -> np.ndarray:
    """Where the cells meet: half way between their values, in ratios on a log axis; one more than
    the values."""
    at = np.log(values) if axis.log else np.array(values, dtype=np.float64)
    middle = (at[1:] + at[:-1]) / 2
    first, last = (
        (at[0] * 2 - middle[0], at[-1] * 2 - middle[-1])
        if len(at) > 1
        else (at[0] - 0.5, at[0] + 0.5)
    )
    edges = np.array([first, *middle, last])
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
    return apply_theme(with_frame_data(_map_template(theme), **known), theme)


@template()
def _map_template(theme: Theme) -> dict[str, Any]:
    def axis(name: str) -> dict[str, Any]:
        return {
            "title": placeholder(name),
            "scale": alt.Scale(
                domain=[placeholder(f"{name} from"), placeholder(f"{name} to")],
                nice=False,
                zero=False,
            ),
            "axis": alt.Axis(
                grid=False, format=placeholder(f"{name} format"), tickCount=6, zindex=1
            ),
        }

    cells = alt.Chart(alt.NamedData("cells"))
    clicked = alt.selection_point(name="cell", fields=["column", "row"], on="click", empty=False)
    names = {"at_x": placeholder("x"), "at_y": placeholder("y"), "value": placeholder("metric")}
    color = alt.Fill(
        "value:Q",
        scale=alt.Scale(
            domain=[placeholder("low"), placeholder("high")],
            range=list(theme.ramp),
            interpolate="lab",
            clamp=True,
        ),
        legend=alt.Legend(
            orient="top",
            title=None,
            gradientLength=200,
            gradientThickness=10,
            format=placeholder("shade format"),
            tickCount=4,
            offset=6,
        ),
    )
    rects = (
        cells.mark_rect(
            cursor="pointer", strokeWidth=1.6, stroke=alt.ExprRef("scale('fill', datum.value)")
        )
        .transform_filter("isValid(datum.value)")
        .encode(
            x=alt.X("x:Q", **axis("x")),
            x2="x2:Q",
            y=alt.Y("y:Q", **axis("y")),
            y2="y2:Q",
            fill=color,
            tooltip=[
                alt.Tooltip(f"{name}:Q", title=title, format=",.4~g")
                for name, title in names.items()
            ],
        )
        .add_params(clicked)
    )
    limit = alt.Chart(alt.NamedData("limit")).encode(x="x:Q", y="y:Q", order="y:Q")
    halo = limit.mark_line(strokeWidth=4, stroke=theme.background, opacity=0.7, aria=False)
    line = limit.mark_line(strokeWidth=1.8, stroke=theme.ink, strokeDash=[6, 4], aria=False)
    chart = alt.layer(rects, halo, line).properties(
        title=alt.TitleParams(placeholder("title")), width="container", height=300
    )
    spec: dict[str, Any] = chart.to_dict()
    shown = spec["layer"][0]["encoding"]
    shown["x"]["scale"]["type"] = placeholder("x scale")  # for these Altair itself takes no slot
    shown["y"]["scale"]["type"] = placeholder("y scale")
    shown["fill"]["scale"]["type"] = placeholder("shade")
    shown["fill"]["legend"]["values"] = placeholder("ticks")
    return spec


def law_figure(law: BatchSizeLaw, theme: Theme) -> Figure:
    """Where the bug's runs end against the batch size: w*/B as lines, the exact minima as ticks,
    trained runs as dots."""
    columns = ["size", "value", "weight"]
    runs = pd.DataFrame(
        [
            (size, abs(float(end)), name)
            for i, size in enumerate(law.sizes)
            for w, name in enumerate(("w1", "w2"))
            for end in law.finals[i, :, w]
        ],
        columns=columns,
    )
    exact, theory = (
        pd.DataFrame(
            [
                (size, abs(float(row[w])), name)
                for size, row in zip(law.sizes, table, strict=True)
                for w, name in enumerate(("w1", "w2"))
            ],
            columns=columns,
        )
        for table in (law.minima, law.theory)
    )
    finite = [ends[np.isfinite(ends).all(1)] for ends in law.finals]  # (runs, 2) each
    middle = [point(np.median(ends, axis=0)) if len(ends) else "all diverged" for ends in finite]
    alt_text = "Final weights of the original against the batch size: " + "; ".join(
        f"B = {size:,}: {end}, w*/B {point(at)}"
        for size, end, at in zip(law.sizes, middle, law.theory, strict=True)
    )
    lost = int((~np.isfinite(law.finals).all(2)).sum())
    caption = (
        "Absolute values. Lines: the law w*/B of the mean over all tables, with least squares' w*"
        f" = {point(law.true)}."
        f" Ticks: the exact minimum for this table. Dots: {law.finals.shape[1]} trained runs at"
        " each size, most on one"
        " another"
        + (f"; {lost:,} of {law.finals[..., 0].size:,} diverged and have none." if lost else ".")
    )
    drawn = np.concatenate([runs["value"], exact["value"], theory["value"]])
    low = float(max(np.min(drawn[drawn > 0], initial=1.0), 1e-4))
    data = {
        name: frame[frame["value"] >= low]
        for name, frame in (("runs", runs), ("exact", exact), ("theory", theory))
    }
    data["frame"] = frame_of(alt=f"{alt_text}.")
    return Figure(
        _law_spec(theme), data, f"{alt_text}.", caption, "exact", "Final weights by batch size"
    )


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
    color = alt.Color(
        "weight:N",
        scale=alt.Scale(domain=["w1", "w2"], range=[theme.series[2], theme.series[3]]),
        legend=alt.Legend(
            orient="top",
            title=None,
            symbolType="stroke",
            symbolStrokeWidth=3,
            symbolOpacity=1,
            offset=4,
        ),
    )

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(x=size, y=value, color=color)

    chart = alt.layer(
        over("runs").mark_point(filled=True, size=22, opacity=0.35),
        over("theory").mark_line(strokeWidth=1.8),
        over("exact").mark_tick(orient="horizontal", thickness=2.5, size=16, opacity=1),
    )
    heading = alt.TitleParams(
        "Final weights by batch size", subtitle="of the original; lines: the law w*/B"
    )
    return apply_theme(
        with_frame_data(chart.properties(title=heading, width="container", height=320).to_dict()),
        theme,
    )
