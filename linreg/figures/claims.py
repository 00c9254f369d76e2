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
from linreg.figures.figure import CIRCLE, Figure, FigureSet, LegendEntry, single_figure
from linreg.figures.symbol_legend import BAR, LINE, symbol_legend
from linreg.figures.templates import frame_table, template, with_frame_data
from linreg.figures.theme import Theme, apply_theme, weight_color


def figures(result: ClaimsResult, theme: Theme) -> Iterator[FigureSet]:
    """The figures of the page: the factors, one per claim, and the answer's printed path."""
    yield factors(result, theme)
    for claim_result in result.claims:
        yield claim(claim_result, theme)
    yield printed(result, theme)


def factors(result: ClaimsResult, theme: Theme) -> FigureSet:
    """The share of runs that converge as asked, and with each factor changed alone."""
    return single_figure("factors", factors_figure(result, theme), theme)


def claim(result: ClaimResult, theme: Theme) -> FigureSet:
    """The share of runs that converge in each arm of a claim."""
    figure = arms_figure(result.claim.arms, result.trials, theme)
    name = f"claim {result.claim.key.replace('_', ' ')}"
    return single_figure(name, figure, theme, result.claim.says)


def printed(result: ClaimsResult, theme: Theme) -> FigureSet:
    """The path that the answer printed, beside runs of the same script."""
    figure = printed_figure(result.printed, theme)
    return single_figure("printed path of the answer", figure, theme)


# ---- shares --------------------------------------------------------------------------------------


def factors_figure(result: ClaimsResult, theme: Theme) -> Figure:
    """The share of runs that converge as asked, and with each factor changed alone."""
    pairs = [("nothing changed", result.asked)]
    for found in result.factors:
        pairs += [
            (f"{found.factor.title}: {arm.label}", trials)
            for arm, trials in zip(found.factor.arms, found.trials, strict=True)
        ]
    table = _share_table(pairs)
    table["answer"] = np.where(
        [trials.most_converge for _, trials in pairs], *(entry.text for entry in _factor_key(theme))
    )
    alt_text = _share_alt(pairs)
    spec = {**_factors_spec(theme), "height": ROW_HEIGHT * len(table) + 6}
    caption = "One thing changed at a time; SGD at a learning rate at which it is stable."
    data = {"arms": table, "frame": frame_table(alt=alt_text)}
    return Figure(spec, data, alt_text, caption, "arms", "Which change makes the runs converge")


def arms_figure(arms: Sequence[Arm], trials: Sequence[Trials], theme: Theme) -> Figure:
    """The share of runs that converge in each arm, its interval, and what the claim predicts."""
    pairs = [(arm.label, of) for arm, of in zip(arms, trials, strict=True)]
    table = _share_table(pairs)
    table["predicted"] = [float(arm.predicted) for arm in arms]
    table["answer"] = np.where(
        [agrees(arm, of) for arm, of in zip(arms, trials, strict=True)],
        *(entry.text for entry in _claim_key(theme)),
    )
    alt_text = _share_alt(pairs)
    spec = {**_arms_spec(theme), "height": ROW_HEIGHT * len(table) + 6}
    caption = "The share of the runs that converge, and what the claim predicts."
    data = {"arms": table, "frame": frame_table(alt=alt_text)}
    return Figure(spec, data, alt_text, caption, "arms", "Share of the runs that converge")


ROW_HEIGHT = 26  # pixels


def _share_table(pairs: Sequence[tuple[str, Trials]]) -> pd.DataFrame:
    """A row per arm: how many of its runs converge, their share, and its 95 % interval."""
    low, high = zip(*(trials.interval for _, trials in pairs), strict=True)
    return pd.DataFrame(
        {
            "arm": [label for label, _ in pairs],
            "converged": [int(trials.converged.sum()) for _, trials in pairs],
            "runs": [len(trials) for _, trials in pairs],
            "share": [trials.share for _, trials in pairs],
            "low": low,
            "high": high,
        }
    )


def _share_alt(pairs: Sequence[tuple[str, Trials]]) -> str:
    shares = "; ".join(f"{label} {trials.share:.0%}" for label, trials in pairs)
    return f"Share of the runs that converge: {shares}."


def _factor_key(theme: Theme) -> list[LegendEntry]:
    """The colours of the factors' bars."""
    return [
        LegendEntry("most runs converge", BAR, theme.fixed),
        LegendEntry("most runs do not", BAR, theme.original),
    ]


def _claim_key(theme: Theme) -> list[LegendEntry]:
    """The colours of a claim's bars."""
    return [
        LegendEntry("as predicted", BAR, theme.series[2]),
        LegendEntry("not as predicted", BAR, theme.series[1]),
    ]


@template()
def _factors_spec(theme: Theme) -> dict[str, Any]:
    key = _factor_key(theme)
    interval = LegendEntry("95 % interval", LINE, "", theme.foreground)
    chart = alt.layer(symbol_legend([*key, interval]), *_share_layers(theme, key))
    return apply_theme(with_frame_data(chart.properties(width="container").to_dict()), theme)


@template()
def _arms_spec(theme: Theme) -> dict[str, Any]:
    key = _claim_key(theme)
    predicted = alt.Chart(alt.NamedData("arms")).mark_point(
        shape="circle",
        size=110,
        stroke=theme.foreground,
        strokeWidth=1.6,
        opacity=1,
        tooltip=alt.ExprRef(
            "'The claim predicts that ' + datum.arm + (datum.predicted ? ' converges' :"
            " ' does not converge')"
        ),
    )
    predicted = predicted.encode(x=alt.X("predicted:Q", scale=SHARES), y=_row())
    legend = [
        *key,
        LegendEntry("95 % interval", LINE, "", theme.foreground),
        LegendEntry("the claim", CIRCLE, "", theme.foreground),
    ]
    bars, interval, dots = _share_layers(theme, key)
    chart = alt.layer(symbol_legend(legend), bars, interval, predicted, dots)
    return apply_theme(with_frame_data(chart.properties(width="container").to_dict()), theme)


SHARES = alt.Scale(domain=[-0.04, 1.04], nice=False)


def _row() -> alt.Y:
    """The y encoding of an arm, in the order of the data."""
    axis = alt.Axis(labelFontSize=12.5, labelLimit=210, ticks=False, domain=False)
    return alt.Y("arm:N", title=None, sort=None, axis=axis)


def _share_layers(theme: Theme, key: Sequence[LegendEntry]) -> tuple[alt.Chart, ...]:
    """A bar, an interval and a dot per arm, coloured by its answer."""
    axis = alt.Axis(values=[0, 0.5, 1], format=".0%", title="share of the runs that converge")
    color = alt.Color(
        "answer:N",
        scale=alt.Scale(domain=[entry.text for entry in key], range=[entry.fill for entry in key]),
        legend=None,
    )
    said = alt.ExprRef(
        "datum.arm + ': ' + format(datum.converged, ',') + ' of ' + format(datum.runs, ',')"
        " + ' runs converge (95 % interval ' + format(datum.low, '.0%') + ' to '"
        " + format(datum.high, '.0%') + ')'"
    )
    base = alt.Chart(alt.NamedData("arms")).encode(y=_row())
    bars = base.transform_calculate(zero="0").mark_bar(height=7, cornerRadius=3, tooltip=said)
    interval = base.mark_rule(strokeWidth=1.5, color=theme.foreground, tooltip=said)
    dots = base.mark_point(filled=True, size=45, opacity=1, tooltip=said)
    return (
        bars.encode(x=alt.X("zero:Q", scale=SHARES, axis=axis), x2="share:Q", color=color),
        interval.encode(x=alt.X("low:Q", scale=SHARES), x2="high:Q"),
        dots.encode(x=alt.X("share:Q", scale=SHARES), color=color),
    )


# ---- the answer's printed path -------------------------------------------------------------------


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
    max_difference = float(np.abs(median - PRINTED).max())
    alt_text = (
        f"The answer's printed weights and the median of {len(paths)} runs differ by at most"
        f" {max_difference:.2f}."
    )
    caption = (
        f"The printed weights and the median of {len(paths)} runs differ by at most"
        f" {max_difference:.2f}."
    )
    data = {
        "runs": pd.concat(runs),
        "printed": pd.concat(printed),
        "frame": frame_table(alt=alt_text),
    }
    name = "The answer's printed weights beside ours"
    return Figure(_printed_spec(theme), data, alt_text, caption, "runs", name)


@template()
def _printed_spec(theme: Theme) -> dict[str, Any]:
    step = alt.X(
        "step:Q", title="step", axis=alt.Axis(grid=False, tickCount=6), scale=alt.Scale(nice=False)
    )
    color = weight_color(theme)
    runs = alt.Chart(alt.NamedData("runs")).encode(x=step, color=color)
    band = runs.mark_area(opacity=0.2)
    band = band.encode(y=alt.Y("low:Q", title="weight"), y2="high:Q")
    line = runs.mark_line(strokeWidth=2).encode(y="value:Q")
    said = "datum.weight + ' = ' + format(datum.value, '.2f') + ' at step ' + datum.step"
    printed = alt.Chart(alt.NamedData("printed")).mark_point(
        size=55, strokeWidth=2, opacity=1, tooltip=alt.ExprRef(f"'The answer printed ' + {said}")
    )
    printed = printed.encode(x=step, y="value:Q", color=color)
    legend = symbol_legend(
        [
            LegendEntry("printed in the answer", CIRCLE, "", theme.muted),
            LegendEntry("median of our runs", LINE, "", theme.muted),
            LegendEntry("5th to 95th percentile", BAR, theme.grid),
        ],
        orient="bottom",
    )
    chart = alt.layer(legend, band, line, printed)
    heading = alt.TitleParams("The answer's printed weights, beside ours")
    chart = chart.properties(title=heading, width="container", height=240)
    return apply_theme(with_frame_data(chart.to_dict()), theme)
