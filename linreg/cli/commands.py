"""What each command computes, and how it is told: as text for a terminal, as JSON, or as rows."""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np

from linreg.cli.options import given_settings, parse_link, resolve, resolve_view
from linreg.cli.output import (
    aligned,
    counting,
    markdown_table,
    named_rows,
    unmarked,
    wrapped,
    write,
)
from linreg.data.dataset import make_data, stream_table, table_named
from linreg.experiments import claims as claims_experiments
from linreg.experiments import comparison
from linreg.experiments import sweep as sweep_experiments
from linreg.experiments.backends import BACKENDS
from linreg.experiments.claim_trials import Trials, arms
from linreg.experiments.claims import ClaimsResult
from linreg.experiments.comparison import ComparisonResult
from linreg.experiments.resources import resources
from linreg.experiments.sweep import SweepResult
from linreg.experiments.sweep_grid import Sweep
from linreg.experiments.table_diagnosis import TableDiagnosis, diagnose_table
from linreg.quadratic.evaluation import CONVERGED_WITHIN
from linreg.settings.fields import SettingsError, format_number
from linreg.settings.model import LABELS, VERSION, Comparison, DataSettings, Settings, TableSettings
from linreg.settings.pages import PAGES, ClaimsView, SweepView
from linreg.settings.query import to_query, to_view_query
from linreg.settings.sweep_axes import AXES
from linreg.text import claims as claims_text
from linreg.text import comparison as comparison_text
from linreg.text import numbers as numbers_text
from linreg.text import sweep as sweep_text
from linreg.text import your_data as your_data_text
from linreg.text.script import differing_lines

if TYPE_CHECKING:
    from linreg.data.files import Dropped
    from linreg.training.run import Run

SIDES = tuple(label.lower() for label in LABELS)  # the same in a file
SHADES = "·░▒▓█"  # nothing, three parts of what lies between, all


# ---- telling -------------------------------------------------------------------------------------


def _emit(
    chosen: argparse.Namespace,
    text: Callable[[], str],
    numbers: Callable[[], dict[str, Any]],
    rows: Callable[[], list[list[Any]]] | None = None,
) -> None:
    """Print what was found, or put it into the file that `--out` names, in the form that is asked
    for."""
    out: Path | None = chosen.out
    suffix = out.suffix.lower() if out else ""
    if chosen.json or suffix == ".json":
        write(json.dumps(as_json(numbers()), indent=2, allow_nan=False) + "\n", out)
    elif suffix == ".csv" and rows:
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(as_json(rows()))
        write(table.getvalue(), out)
    else:
        write(text() + "\n", out)


def as_json(value: Any) -> Any:
    """A result as JSON has it: numbers that are not finite become null."""
    if is_dataclass(value):
        return {entry.name: as_json(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, Mapping):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _link(comparison: Comparison, view: Any = None) -> str:
    """The query that opens the same in the app, of the defaults too."""
    own = to_view_query(view) if view else {}
    return f"?{urlencode({'v': str(VERSION), **to_query(comparison), **own}, safe=',.')}"


def _where(comparison: Comparison) -> str:
    """What a link leads to: an upload is not in it."""
    data = comparison.original.data
    if isinstance(data, TableSettings):
        from linreg.data.files import BUNDLED

        return "In the app" if data.table in BUNDLED else "In the app, once the file is uploaded"
    return "In the app"


def _both(comparison: Comparison) -> tuple[Settings, Settings]:
    return comparison.original, comparison.fixed


# ---- compare -------------------------------------------------------------------------------------


def compare(chosen: argparse.Namespace) -> None:
    """Both sides trained with PyTorch, and what the home page says of them."""
    wanted = resolve(chosen)
    of, asked = resources(), wanted.comparison
    with counting("Training") as progress:
        comparison.outstanding(asked, of).run(progress)
    result = comparison.run(asked, of)
    steps = [_at_step(run, wanted.link.step) for run in result.runs]
    _emit(
        chosen,
        lambda: _comparison_text(result, steps),
        lambda: _comparison_numbers(result, steps),
        lambda: _comparison_rows(result),
    )


def _comparison_text(result: ComparisonResult, steps: Sequence[Mapping[str, Any]]) -> str:
    asked = result.comparison
    parts = [
        wrapped(comparison_text.headline(*result.outcomes)),
        wrapped(comparison_text.setup(asked)),
    ]
    code = differing_lines(asked.original, asked.fixed)
    for side, lines, step in zip(result.sides, code, steps, strict=True):
        said = comparison_text.explanation(side.settings, side.outcome)
        parts.append(wrapped(f"{side.label}. {said}{_step_note(step)}"))
        if lines:
            parts.append("\n".join(f"    {line}" for line in lines))
    outcomes = [outcome for outcome in result.outcomes if outcome]
    parts.append(markdown_table(comparison_text.outcome_table(outcomes, LABELS)))
    parts.append(wrapped(f"Converged: R² within {CONVERGED_WITHIN:g} of that of least squares."))
    parts.append(markdown_table(comparison_text.shape_table(result.runs, LABELS)))
    for label, run in zip(LABELS, result.runs, strict=True):
        if run.warnings:
            said = "\n".join(wrapped(" ".join(one.split()), indent=4) for one in run.warnings)
            parts.append(
                f"{label}, what PyTorch says: a UserWarning, once for each pair of shapes\n{said}"
            )
        else:
            parts.append(f"{label}, what PyTorch says: nothing")
    return "\n\n".join([*parts, f"{_where(asked)}: /{_link(asked)}"])


def _comparison_numbers(
    result: ComparisonResult, steps: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "link": _link(result.comparison),
        "headline": comparison_text.headline(*result.outcomes),
    }
    for key, side, run, step in zip(SIDES, result.sides, result.runs, steps, strict=True):
        shapes = {
            "prediction": run.prediction_shape,
            "target": run.target_shape,
            "loss": run.loss_shape,
        }
        names = ("minimum", "floor", "condition_number", "hessian")
        found[key] = {
            "settings": run.settings,
            "outcome": side.outcome,
            "shapes": shapes,
            "warnings": run.warnings,
            "surface": {name: getattr(side.surface, name) for name in names},
            "seconds": run.seconds,
        } | ({"at_step": step} if step else {})
    return found


def _comparison_rows(result: ComparisonResult) -> list[list[Any]]:
    names = ["w1", "w2", "bias"][: max(run.weights.shape[1] for run in result.runs)]
    found: list[list[Any]] = [["side", "step", "loss", *names]]
    for key, run in zip(SIDES, result.runs, strict=True):
        losses = [*run.losses.tolist(), None]  # the last weights have seen no batch
        absent = [None] * (len(names) - run.weights.shape[1])  # a bias, of a side that has none
        for step, weights in enumerate(run.weights.tolist()):
            found.append([key, step, losses[step], *weights, *absent])
    return found


def _at_step(run: Run, step: int | None) -> dict[str, Any]:
    """Where a run is at the step that a link shows, or at its last; nothing without one."""
    if step is None:
        return {}
    step = min(step, len(run.weights) - 1)
    return {
        "step": step,
        "weights": run.weights[step],
        "loss": float(run.losses[step]) if step < len(run.losses) else None,
    }


def _step_note(at: Mapping[str, Any]) -> str:
    if not at:
        return ""
    loss = (
        ""
        if at["loss"] is None
        else f", and the loss of the batch is {numbers_text.quantity(at['loss'])}"
    )
    return f" At step {at['step']:,} they are {numbers_text.point(at['weights'])}{loss}."


# ---- claims --------------------------------------------------------------------------------------


def claims(chosen: argparse.Namespace) -> None:
    """Every claim of the thread as an experiment over many seeds, as on the claims page."""
    link = parse_link(chosen.link or "")
    view = resolve_view(ClaimsView, chosen, link)
    of = resources()
    with counting(f"Running {len(arms())} experiments on {view.seeds:,} seeds") as progress:
        claims_experiments.outstanding(view, of).run(progress)
    result = claims_experiments.run(view, of)
    _emit(chosen, lambda: _claims_text(result), lambda: _claims_numbers(result))


def _claims_text(result: ClaimsResult) -> str:
    finding = claims_text.claims_finding(result)
    parts = [
        wrapped(finding),
        "Which one is the cause: each thing that may be it, changed alone, the rest as asked",
        markdown_table(claims_text.factors_table(result.factors), indent=4),
    ]
    shown = ("predicted", "converged (95 % interval)")
    for number, found in enumerate(result.claims, 1):
        claim = found.claim
        asks = f" {claim.check.answered(*found.answer)}" if claim.check and found.answer else ""
        parts.append(
            f"{number}. {unmarked(claim.says)}\n    {found.verdict.upper()}\n"
            + wrapped(f"{claim.who} {claim.why}{asks}", indent=4)
        )
        table = named_rows(claims_text.trials_table(claim.arms, found.trials), shown)
        parts.append(aligned([["", *shown], *table], indent=4))
    return "\n\n".join(parts)


def _claims_numbers(result: ClaimsResult) -> dict[str, Any]:
    return {
        "seeds": result.seeds,
        "claims": [
            {
                "key": found.claim.key,
                "who": found.claim.who,
                "says": found.claim.says,
                "why": found.claim.why,
                "verdict": found.verdict,
                "pytorch": {"agrees": found.answer[0], "says": found.answer[1]}
                if found.answer
                else None,
                "arms": _arms(found.claim.arms, found.trials),
            }
            for found in result.claims
        ],
        "factors": [
            {
                "key": found.factor.key,
                "title": found.factor.title,
                "is": found.cause,
                "arms": _arms(found.factor.arms, found.trials),
            }
            for found in result.factors
        ],
    }


def _arms(experiments: Sequence[Any], found: Sequence[Trials]) -> list[dict[str, Any]]:
    """What was run and what came of it, each with the link that opens its first seed."""
    return [
        {
            "label": arm.label,
            "link": _link(arm.comparison()),
            "predicted": arm.predicted,
            "converged": int(one.converged.sum()),
            "seeds": len(one),
            "share": one.share,
            "interval": one.interval,
        }
        for arm, one in zip(experiments, found, strict=True)
    ]


# ---- sweep ---------------------------------------------------------------------------------------


def sweep(chosen: argparse.Namespace) -> None:
    """Two settings varied over a grid of cells, as on the sweep page."""
    wanted = resolve(chosen)
    asked, view = wanted.comparison, resolve_view(SweepView, chosen, wanted.link)
    if wanted.table and chosen.backend == "dask" and isinstance(asked.original.data, TableSettings):
        raise SettingsError(
            "a file of yours is not on the cluster's workers; use --backend cores, or the synthetic"
            " data"
        )
    with BACKENDS[chosen.backend](chosen.scheduler) as run_all:
        of = resources(run_all)
        work = sweep_experiments.outstanding(asked, view, of)
        runs = sum(task.runs for task in work.keys)
        with counting(f"{runs:,} runs") as progress:
            work.run(progress)
    result = sweep_experiments.run(asked, view, of)
    finding = sweep_text.sweep_finding(result)
    _emit(
        chosen,
        lambda: _sweep_text(result, finding),
        lambda: _sweep_numbers(result, finding),
        lambda: _sweep_rows(result),
    )


def _sweep_text(result: SweepResult, finding: str) -> str:
    metric, scale, asked = result.metric, result.color_limits, result.sweep.comparison
    parts = [wrapped(finding), wrapped(comparison_text.setup(asked))]
    parts += [
        f"{label}: {metric.title}\n\n{_map(result.sweep, values, scale, metric.log)}"
        for label, values in zip(LABELS, result.values, strict=True)
    ]
    low, high = map(format_number if metric.known else numbers_text.quantity, scale)
    between = "in thirds of its ratio" if metric.log else "in thirds"
    empty = "   empty: there is none" if np.isnan(result.values).any() else ""
    parts.append(
        f"{SHADES[0]} {low}   {' '.join(SHADES[1:-1])} between, {between}   {SHADES[-1]} {high}"
        f"{empty}"
    )
    return "\n\n".join([*parts, f"{_where(asked)}: /sweep{_link(asked, result.view)}"])


def _sweep_numbers(result: SweepResult, finding: str) -> dict[str, Any]:
    grid = result.sweep
    return {
        "link": f"/sweep{_link(grid.comparison, result.view)}",
        "finding": unmarked(finding),
        "x": {"setting": grid.x, "values": grid.x_values},
        "y": {"setting": grid.y, "values": grid.y_values},
        "inits": grid.inits,
        "steps": grid.steps,
        "runs": result.runs,
    } | {
        side: {name: values[index] for name, values in result.numbers.items()}
        for index, side in enumerate(SIDES)
    }


def _sweep_rows(result: SweepResult) -> list[list[Any]]:
    grid, found = result.sweep, result.numbers
    rows: list[list[Any]] = [[grid.x, grid.y, "side", *found]]
    for index, side in enumerate(SIDES):
        for row, y in enumerate(grid.y_values):
            for column, x in enumerate(grid.x_values):
                rows.append(
                    [x, y, side, *(values[index, row, column] for values in found.values())]
                )
    return rows


def _map(grid: Sweep, values: np.ndarray, scale: tuple[float, float], log: bool) -> str:
    """A side's cells as shades, the largest value of the vertical axis on top."""
    labels = [format_number(y) for y in grid.y_values]
    margin = max(map(len, labels))
    lines = [f"{AXES[grid.y].title} ↑"]
    lines += [
        f"{label:>{margin}} {''.join(_shade(value, scale, log) for value in row)}"
        for label, row in reversed(list(zip(labels, values, strict=True)))
    ]
    first, last = format_number(grid.x_values[0]), format_number(grid.x_values[-1])
    title, gap = f"{AXES[grid.x].title} →", max(len(grid.x_values) - len(first) - len(last), 2)
    fits = len(title) + 2 <= gap
    lines.append(f"{'':{margin}} {first}{title if fits else '':^{gap}}{last}")
    return "\n".join(
        line.rstrip() for line in (lines if fits else [*lines, f"{'':{margin}} {title}"])
    )


def _shade(value: float, scale: tuple[float, float], log: bool) -> str:
    if math.isnan(value):
        return " "
    low, high = scale
    if value <= low or value >= high:
        return SHADES[0] if value <= low else SHADES[-1]
    share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
    return SHADES[1 + min(int(3 * share), 2)]


# ---- diagnose ------------------------------------------------------------------------------------


def diagnose(chosen: argparse.Namespace) -> None:
    """The findings of a file, read in pieces in one pass; of a link to a table, what its page says
    of that."""
    of = _of_file if chosen.link is None else _of_link
    data, found, kept, dropped = of(chosen)

    def text() -> str:
        return "\n\n".join(
            map(
                wrapped,
                [
                    your_data_text.rows_used(kept, dropped),
                    *your_data_text.data_findings(found, data),
                ],
            )
        )

    _emit(chosen, text, lambda: {"dropped": dropped, **as_json(found)})


Diagnosed = tuple[
    TableSettings, TableDiagnosis, int, Sequence["Dropped"]
]  # rows kept, and those left out


def _of_file(chosen: argparse.Namespace) -> Diagnosed:
    if chosen.file is None:
        raise SettingsError(
            "there is no table to read; give a FILE with --target and --features, or a --link"
        )
    for option in ("target", "features"):
        if getattr(chosen, option) is None:
            raise SettingsError(
                f"--{option} is missing; say which of the columns of {chosen.file.name}"
            )
    given = {"bias": True, **given_settings(chosen)}
    rows = max(
        given.get("batch_size", Settings().batch_size), 1
    )  # the file's are counted as they come
    settings = Settings(DataSettings(samples=rows), **given)
    with counting(f"Reading {chosen.file.name}") as progress:
        pieces = stream_table(chosen.file, chosen.target, chosen.features, progress=progress)
        try:
            found = diagnose_table(pieces, settings)
        except SettingsError as error:
            if "batch_size" not in error.fields or "batch_size" in given:
                raise
            rows = pieces.kept  # fewer than a batch that nobody has asked for
            found = diagnose_table(
                pieces, replace(settings, data=DataSettings(samples=rows), batch_size=rows)
            )
    data = TableSettings(str(chosen.file), chosen.target, tuple(chosen.features), found.sums.rows)
    return (
        data,
        replace(found, settings=replace(found.settings, data=data)),
        pieces.kept,
        pieces.dropped,
    )


def _of_link(chosen: argparse.Namespace) -> Diagnosed:
    chosen.table = str(chosen.file) if chosen.file else None
    wanted = resolve(chosen)
    settings = wanted.comparison.original
    data = settings.data
    if not isinstance(data, TableSettings):
        raise SettingsError(
            "the link is of the synthetic data; give a FILE with --target and --features, or"
            " another link"
        )
    selection = table_named(data.table).select(data.target, data.features)
    return data, diagnose_table(make_data(data), settings), selection.kept, selection.dropped


# ---- script --------------------------------------------------------------------------------------


def script(chosen: argparse.Namespace) -> None:
    """Both sides as one PyTorch script or notebook that needs nothing of linreg."""
    from linreg.text import script as script_text

    as_notebook = chosen.notebook or (chosen.out and chosen.out.suffix.lower() == ".ipynb")
    write(
        (script_text.notebook if as_notebook else script_text.script)(
            resolve(chosen).comparison
        ).rstrip()
        + "\n",
        chosen.out,
    )


# ---- figures -------------------------------------------------------------------------------------


def figures(chosen: argparse.Namespace) -> None:
    """Every figure of the app as files in a folder, whose names are printed as they are written."""
    from linreg.figures.export import check_packages, exported, file_name
    from linreg.figures.pages import FIGURES, page_figures
    from linreg.figures.theme import THEMES
    from linreg.text.file_names import state_words

    check_packages(chosen.format)
    wanted, folder, of = resolve(chosen), chosen.folder, resources()
    folder.mkdir(parents=True, exist_ok=True)
    for page in dict.fromkeys(chosen.only or FIGURES):
        kind, step = PAGES.get(page), wanted.link.step
        view = (wanted.link.views.get(kind) or kind()) if kind else None
        words = state_words(wanted.comparison, view, step)
        drawn = page_figures(page, wanted.comparison, view, of, THEMES[chosen.theme], step)
        for figure_set in drawn:
            for form in dict.fromkeys(chosen.format):
                path = folder / file_name(figure_set, form, chosen.size, words)
                write(exported(figure_set, form, chosen.size), path)
                print(path, flush=True)


RUN: dict[str, Callable[[argparse.Namespace], None]] = {
    command.__name__: command for command in (compare, claims, sweep, diagnose, script, figures)
}
