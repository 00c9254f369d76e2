"""The figures of the claims page: predicted and measured shares, and the answer's printed path."""

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
from linreg.figures.templates import frame_table, template, with_frame_data
from linreg.figures.theme import Theme, apply_theme, weight_color


def figures(result: ClaimsResult, theme: Theme) -> Iterator[FigureSet]:
    """The figures of the page: one per claim, and the answer's printed path."""
    for claim_result in result.claims:
        yield claim(claim_result, theme)
    yield printed(result, theme)


def claim(result: ClaimResult, theme: Theme) -> FigureSet:
    """The share of runs that converge in each arm of a claim."""
    figure = arms_figure(result.claim.arms, result.trials, theme)
    name = f"claim {result.claim.key.replace('_', ' ')}"
    return single_figure(name, figure, theme, result.claim.says)


def printed(result: ClaimsResult, theme: Theme) -> FigureSet:
    """The path that the answer printed, beside runs of the same script."""
    figure = printed_figure(result.printed, theme)
    return single_figure("printed path of the answer", figure, theme)


def arms_figure(arms: Sequence[Arm], trials: Sequence[Trials], theme: Theme) -> Figure:
    """The share of runs that converge in each arm, its interval, and what the claim predicts."""
    low, high = zip(*(trials_of_arm.interval for trials_of_arm in trials), strict=True)
    pairs = list(zip(arms, trials, strict=True))
    table = pd.DataFrame(
        {
            "arm": [arm.label for arm in arms],
            "share": [trials_of_arm.share for trials_of_arm in trials],
            "low": low,
            "high": high,
            "predicted": [float(arm.predicted) for arm in arms],
            "answer": ["as predicted" if agrees(*pair) else "not as predicted" for pair in pairs],
        }
    )
    shares = "; ".join(f"{arm.label} {trials_of_arm.share:.0%}" for arm, trials_of_arm in pairs)
    alt_text = f"Share of the runs that converge: {shares}."
    caption = "Bars: share that converged, with its 95 % interval. Rings: what the claim predicts."
    spec = {**_arms_spec(theme), "height": 26 * len(table) + 6}
    data = {"arms": table, "frame": frame_table(alt=alt_text)}
    return Figure(spec, data, alt_text, caption, "arms", "Share of the runs that converge")


@template()
def _arms_spec(theme: Theme) -> dict[str, Any]:
    scale = alt.Scale(domain=[-0.04, 1.04], nice=False)
    axis = alt.Axis(values=[0, 0.5, 1], format=".0%", title="share that converges")
    row = alt.Y(
        "arm:N",
        title=None,
        sort=None,  # in the order of the data
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
    interval = base.mark_rule(strokeWidth=1.5, color=theme.foreground).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q"
    )
    predicted = base.mark_point(
        shape="circle", size=110, stroke=theme.foreground, strokeWidth=1.6, opacity=1
    ).encode(x=alt.X("predicted:Q", scale=scale))
    dots = base.mark_point(filled=True, size=45, opacity=1).encode(
        x=alt.X("share:Q", scale=scale), color=color
    )
    chart = alt.layer(bars, interval, predicted, dots).properties(width="container")
    return apply_theme(with_frame_data(chart.to_dict()), theme)


def printed_figure(paths: Float[np.ndarray, "seeds 11 2"], theme: Theme) -> Figure:
    """The answer's printed weights, and the median and the 5th to 95th percentile of our runs."""
    low, median, high = np.quantile(paths, [0.05, 0.5, 0.95], axis=0)  # (11, 2) each
    weights = list(enumerate(("w1", "w2")))
    runs = [
        pd.DataFrame(
            {
                "step": PRINT_STEPS,
                "low": low[:, i],
                "value": median[:, i],
                "high": high[:, i],
                "weight": name,
            }
        )
        for i, name in weights
    ]
    printed = [
        pd.DataFrame({"step": PRINT_STEPS, "value": np.array(PRINTED)[:, i], "weight": name})
        for i, name in weights
    ]
    data = {"runs": pd.concat(runs), "printed": pd.concat(printed)}
    max_difference = float(np.abs(median - PRINTED).max())
    alt_text = (
        f"The answer's printed weights and the median of {len(paths)} runs differ by at most"
        f" {max_difference:.2f}."
    )
    caption = (
        "Rings: what the answer printed, once every 100 steps. Lines and bands: the median and the"
        f" middle 90 % of {len(paths)} runs on tables of their own. They differ by at most"
        f" {max_difference:.2f}."
    )
    return Figure(_printed_spec(theme), data, alt_text, caption, "runs")


@template()
def _printed_spec(theme: Theme) -> dict[str, Any]:
    step = alt.X(
        "step:Q", title="step", axis=alt.Axis(grid=False, tickCount=6), scale=alt.Scale(nice=False)
    )
    color = weight_color(theme)
    runs = alt.Chart(alt.NamedData("runs")).encode(x=step, color=color)
    band = runs.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", title="weight"), y2="high:Q")
    line = runs.mark_line(strokeWidth=2).encode(y="value:Q")
    printed = alt.Chart(alt.NamedData("printed")).mark_point(size=55, strokeWidth=2, opacity=1)
    printed = printed.encode(x=step, y="value:Q", color=color)
    chart = alt.layer(band, line, printed)
    heading = alt.TitleParams("The answer's printed weights, beside ours")
    chart = chart.properties(title=heading, width="container", height=240)
    return apply_theme(chart.to_dict(), theme)
