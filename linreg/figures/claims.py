"""The figures of the claims page: what was predicted and what came, and the answer's printed path
beside runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.experiments.claim_trials import PRINT_STEPS, PRINTED, Arm, Trials, agrees
from linreg.experiments.claims import ClaimResult, ClaimsResult
from linreg.figures.figure import Figure, FigureSet, single_figure
from linreg.figures.theme import Theme, apply_theme, frame_of, template, with_frame_data


def figures(result: ClaimsResult, theme: Theme) -> Iterator[FigureSet]:
    """All figures of the page: one for each claim, and the answer's printed path."""
    for found in result.claims:
        yield claim(found, theme)
    yield printed(result, theme)


def claim(found: ClaimResult, theme: Theme) -> FigureSet:
    """The share of the runs that converge in each arm of a claim."""
    figure = arms_figure(found.claim.arms, found.trials, theme)
    name = f"claim {found.claim.key.replace('_', ' ')}"
    return single_figure(name, figure, theme, found.claim.says)


def printed(result: ClaimsResult, theme: Theme) -> FigureSet:
    """The path that the answer printed, beside runs of the same script."""
    figure = printed_figure(result.printed, theme)
    return single_figure("printed path of the answer", figure, theme)


def arms_figure(arms: Sequence[Arm], found: Sequence[Trials], theme: Theme) -> Figure:
    """For each arm the share that converged with its interval, and as a ring what the claim
    predicts."""
    low, high = zip(*(one.interval for one in found), strict=True)
    table = pd.DataFrame(
        {
            "arm": [arm.label for arm in arms],
            "share": [one.share for one in found],
            "low": low,
            "high": high,
            "predicted": [float(arm.predicted) for arm in arms],
            "answer": [
                "as predicted" if agrees(arm, one) else "not as predicted"
                for arm, one in zip(arms, found, strict=True)
            ],
        }
    )
    said = "; ".join(f"{arm.label} {one.share:.0%}" for arm, one in zip(arms, found, strict=True))
    alt_text = f"Share of the runs that converge: {said}."
    caption = "Bars: share that converged, with its 95 % interval. Rings: what the claim predicts."
    spec = {**_arms_spec(theme), "height": 26 * len(table) + 6}
    data = {"arms": table, "frame": frame_of(alt=alt_text)}
    return Figure(spec, data, alt_text, caption, "arms", "Share of the runs that converge")


@template()
def _arms_spec(theme: Theme) -> dict[str, Any]:
    scale = alt.Scale(domain=[-0.04, 1.04], nice=False)
    axis = alt.Axis(values=[0, 0.5, 1], format=".0%", title="share that converges")
    row = alt.Y(
        "arm:N",
        title=None,
        sort=None,  # as in the data
        axis=alt.Axis(labelFontSize=12.5, labelLimit=210, ticks=False, domain=False),
    )
    color = alt.Color(
        "answer:N",
        scale=alt.Scale(
            domain=["as predicted", "not as predicted"], range=[theme.series[2], theme.series[1]]
        ),
        legend=None,
    )
    base = alt.Chart(alt.NamedData("arms")).encode(y=row)
    bars = base.mark_bar(height=7, cornerRadius=3).encode(
        x=alt.X("zero:Q", scale=scale, axis=axis), x2="share:Q", color=color
    )
    bars = bars.transform_calculate(zero="0")
    interval = base.mark_rule(strokeWidth=1.5, color=theme.ink).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q"
    )
    rings = base.mark_point(
        shape="circle", size=110, stroke=theme.ink, strokeWidth=1.6, opacity=1
    ).encode(x=alt.X("predicted:Q", scale=scale))
    dots = base.mark_point(filled=True, size=45, opacity=1).encode(
        x=alt.X("share:Q", scale=scale), color=color
    )
    chart = alt.layer(bars, interval, rings, dots).properties(width="container")
    return apply_theme(with_frame_data(chart.to_dict()), theme)


def printed_figure(paths: Float[np.ndarray, "seeds 11 2"], theme: Theme) -> Figure:
    """The answer's printed weights as rings, and of runs the median as a line, the middle 90 % as a
    band."""
    low, middle, high = np.quantile(paths, [0.05, 0.5, 0.95], axis=0)  # (11, 2) each
    names = ("w1", "w2")
    ours = pd.concat(
        [
            pd.DataFrame(
                {
                    "step": PRINT_STEPS,
                    "low": low[:, i],
                    "value": middle[:, i],
                    "high": high[:, i],
                    "weight": name,
                }
            )
            for i, name in enumerate(names)
        ]
    )
    printed = pd.concat(
        [
            pd.DataFrame({"step": PRINT_STEPS, "value": np.array(PRINTED)[:, i], "weight": name})
            for i, name in enumerate(names)
        ]
    )
    furthest = float(np.abs(middle - PRINTED).max())
    alt_text = f"The answer's printed weights and the median of {len(paths)} runs differ by at most {furthest:.2f}."
    caption = (
        "Rings: what the answer printed, once every 100 steps. Lines and bands: the median and the"
        " middle 90 % of"
        f" {len(paths)} runs on tables of their own. They differ by at most {furthest:.2f}."
    )
    return Figure(
        _printed_spec(theme), {"runs": ours, "printed": printed}, alt_text, caption, "runs"
    )


@template()
def _printed_spec(theme: Theme) -> dict[str, Any]:
    step = alt.X(
        "step:Q", title="step", axis=alt.Axis(grid=False, tickCount=6), scale=alt.Scale(nice=False)
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
    runs = alt.Chart(alt.NamedData("runs")).encode(x=step, color=color)
    band = runs.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", title="weight"), y2="high:Q")
    line = runs.mark_line(strokeWidth=2).encode(y="value:Q")
    rings = alt.Chart(alt.NamedData("printed")).mark_point(size=55, strokeWidth=2, opacity=1)
    rings = rings.encode(x=step, y="value:Q", color=color)
    heading = alt.TitleParams("The answer's printed weights, beside ours")
    return apply_theme(
        alt.layer(band, line, rings)
        .properties(title=heading, width="container", height=240)
        .to_dict(),
        theme,
    )
