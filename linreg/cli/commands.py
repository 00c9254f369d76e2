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
from linreg.experiments.backends import BACKENDS
from linreg.experiments.claims import (
    CLAIMS,
    FACTORS,
    Trials,
    arms,
    cause,
    seeds_run,
    trials,
    verdict,
)
from linreg.experiments.sweep import Sweep, assemble_grid, color_limits, sweep_around
from linreg.experiments.your_data import TableDiagnosis, diagnose_table
from linreg.quadratic.evaluation import CONVERGED_WITHIN, baseline
from linreg.quadratic.streaming import loss_surface
from linreg.settings.fields import SettingsError, format_number
from linreg.settings.model import LABELS, VERSION, Comparison, DataSettings, Settings, TableSettings
from linreg.settings.pages import ClaimsView, SweepView
from linreg.settings.query import to_query, to_view_query
from linreg.settings.sweep_axes import AXES, METRICS
from linreg.text import claims as claims_text
from linreg.text import comparison as comparison_text
from linreg.text import numbers as numbers_text
from linreg.text import sweep as sweep_text
from linreg.text import your_data as your_data_text
from linreg.text.script import differing_lines
from linreg.training.outcome import outcome

if TYPE_CHECKING:
    from linreg.data.files import Dropped
    from linreg.training.run import Run

SIDES = ("original", "fixed")  # the same in a file
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
    from linreg.training.pytorch import train

    comparison = wanted.comparison
    sides = _both(comparison)
    table = make_data(comparison.original.data)
    different = list(dict.fromkeys(sides))
    with counting("Training") as progress:
        trained = dict(zip(different, train(different, table, progress), strict=True))
    runs = [trained[side] for side in sides]
    surfaces = [loss_surface(table, side) for side in sides]
    outcomes = [outcome(run, table, surface) for run, surface in zip(runs, surfaces, strict=True)]
    moments = [_at_step(run, wanted.link.step) for run in runs]

    def text() -> str:
        parts = [
            wrapped(comparison_text.headline(*outcomes)),
            wrapped(comparison_text.setup(comparison)),
        ]
        for label, run, result, lines, moment in zip(
            LABELS, runs, outcomes, differing_lines(*sides), moments, strict=True
        ):
            parts.append(
                wrapped(
                    f"{label}. {comparison_text.explanation(run.settings, result)}{_step_note(moment)}"
                )
            )
            if lines:
                parts.append("\n".join(f"    {line}" for line in lines))
        parts.append(markdown_table(comparison_text.outcome_table(outcomes, LABELS)))
        parts.append(
            wrapped(f"Converged: R² within {CONVERGED_WITHIN:g} of that of least squares.")
        )
        parts.append(markdown_table(comparison_text.shape_table(runs, LABELS)))
        for label, run in zip(LABELS, runs, strict=True):
            if run.warnings:
                said = "\n".join(wrapped(" ".join(one.split()), indent=4) for one in run.warnings)
                parts.append(
                    f"{label}, what PyTorch says: a UserWarning, once for each pair of"
                    f" shapes\n{said}"
                )
            else:
                parts.append(f"{label}, what PyTorch says: nothing")
        return "\n\n".join([*parts, f"{_where(comparison)}: /{_link(comparison)}"])

    def numbers() -> dict[str, Any]:
        found: dict[str, Any] = {
            "link": _link(comparison),
            "headline": comparison_text.headline(*outcomes),
        }
        for key, run, result, surface, moment in zip(
            SIDES, runs, outcomes, surfaces, moments, strict=True
        ):
            found[key] = {
                "settings": run.settings,
                "outcome": result,
                "shapes": {
                    "prediction": run.prediction_shape,
                    "target": run.target_shape,
                    "loss": run.loss_shape,
                },
                "warnings": run.warnings,
                "surface": {
                    name: getattr(surface, name)
                    for name in ("minimum", "floor", "condition_number", "hessian")
                },
                "seconds": run.seconds,
            } | ({"at_step": moment} if moment else {})
        return found

    def rows() -> list[list[Any]]:
        names = ["w1", "w2", "bias"][: max(run.weights.shape[1] for run in runs)]
        found: list[list[Any]] = [["side", "step", "loss", *names]]
        for key, run in zip(SIDES, runs, strict=True):
            losses = [*run.losses.tolist(), None]  # after the last step no batch is looked at
            absent = [None] * (len(names) - run.weights.shape[1])  # a bias, of a side that has none
            found += [
                [key, step, losses[step], *weights, *absent]
                for step, weights in enumerate(run.weights.tolist())
            ]
        return found

    _emit(chosen, text, numbers, rows)


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
    seeds = resolve_view(ClaimsView, chosen, link).seeds
    by_seed = []
    with counting(f"Running {len(arms())} experiments on {seeds:,} seeds") as progress:
        for one in seeds_run(range(seeds)):
            by_seed.append(one)
            progress(len(by_seed), seeds)
    found = {
        arm.settings: trials(by_seed, arm) for arm in arms()
    }  # arms of several claims share their runs
    of_claim = {key: [found[arm.settings] for arm in claim.arms] for key, claim in CLAIMS.items()}
    of_factor = {
        key: [found[arm.settings] for arm in factor.arms] for key, factor in FACTORS.items()
    }
    answers = {key: claim.check.ask() for key, claim in CLAIMS.items() if claim.check}
    verdicts = {
        key: verdict(claim, of_claim[key], answers[key][0] if key in answers else None)
        for key, claim in CLAIMS.items()
    }
    causes = {key: cause(of) for key, of in of_factor.items()}

    def text() -> str:
        tolerance = CONVERGED_WITHIN * baseline(make_data(DataSettings())).variance
        parts = [
            wrapped(
                claims_text.claims_finding(list(verdicts.values()), seeds, len(arms()), tolerance)
            )
        ]
        parts.append(
            "Which one is the cause: each thing that may be it, changed alone, the rest as asked"
        )
        parts.append(
            markdown_table(
                claims_text.factors_table(list(FACTORS.values()), of_factor, causes), indent=4
            )
        )
        for number, (key, claim) in enumerate(CLAIMS.items(), 1):
            asks = f" {claim.check.answered(*answers[key])}" if claim.check else ""
            parts.append(
                f"{number}. {unmarked(claim.says)}\n"
                + f"    {verdicts[key].upper()}\n"
                + wrapped(f"{claim.who} {claim.why}{asks}", indent=4)
            )
            shown = ("predicted", "converged (95 % interval)")
            table = named_rows(claims_text.trials_table(claim.arms, of_claim[key]), shown)
            parts.append(aligned([["", *shown], *table], indent=4))
        return "\n\n".join(parts)

    def numbers() -> dict[str, Any]:
        return {
            "seeds": seeds,
            "claims": [
                {
                    "key": key,
                    "who": claim.who,
                    "says": claim.says,
                    "why": claim.why,
                    "verdict": verdicts[key],
                    "pytorch": {"agrees": answers[key][0], "says": answers[key][1]}
                    if key in answers
                    else None,
                    "arms": _arms(claim.arms, of_claim[key]),
                }
                for key, claim in CLAIMS.items()
            ],
            "factors": [
                {
                    "key": key,
                    "title": factor.title,
                    "is": causes[key],
                    "arms": _arms(factor.arms, of_factor[key]),
                }
                for key, factor in FACTORS.items()
            ],
        }

    _emit(chosen, text, numbers)


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
    """Two settings varied over a map of cells, as on the sweep page."""
    wanted = resolve(chosen)
    view = resolve_view(SweepView, chosen, wanted.link)
    grid = sweep_around(wanted.comparison, view)
    if (
        wanted.table
        and chosen.backend == "dask"
        and isinstance(wanted.comparison.original.data, TableSettings)
    ):
        raise SettingsError(
            "a file of yours is not on the cluster's workers; use --backend cores, or the synthetic"
            " data"
        )
    tasks = grid.tasks()
    runs, done, cells = sum(task.runs for task in tasks), 0, {}
    with BACKENDS[chosen.backend](chosen.scheduler) as work, counting(f"{runs:,} runs") as progress:
        for task, found in zip(tasks, work(tasks), strict=True):
            cells[task] = found
            done += task.runs
            progress(done, runs)
    values = assemble_grid(grid, cells)
    finding = sweep_text.sweep_finding(grid, values["share"], tasks)

    def text() -> str:
        metric = METRICS[view.metric]
        parts = [wrapped(finding), wrapped(comparison_text.setup(wanted.comparison))]
        scale = color_limits(metric, values[metric.of])
        parts += [
            f"{label}: {metric.title}\n\n{_map(grid, shown, scale, metric.log)}"
            for label, shown in zip(LABELS, values[metric.of], strict=True)
        ]
        low, high = map(format_number if metric.known else numbers_text.quantity, scale)
        between = "in thirds of its ratio" if metric.log else "in thirds"
        empty = "   empty: there is none" if np.isnan(values[metric.of]).any() else ""
        parts.append(
            f"{SHADES[0]} {low}   {' '.join(SHADES[1:-1])} between, {between}   {SHADES[-1]}"
            f" {high}{empty}"
        )
        return "\n\n".join(
            [*parts, f"{_where(wanted.comparison)}: /sweep{_link(wanted.comparison, view)}"]
        )

    def numbers() -> dict[str, Any]:
        return {
            "link": f"/sweep{_link(wanted.comparison, view)}",
            "finding": unmarked(finding),
            "x": {"setting": grid.x, "values": grid.x_values},
            "y": {"setting": grid.y, "values": grid.y_values},
            "inits": grid.inits,
            "steps": grid.steps,
            "runs": runs,
        } | {
            side: {name: table[index] for name, table in values.items()}
            for index, side in enumerate(SIDES)
        }

    def rows() -> list[list[Any]]:
        names = list(values)
        return [[grid.x, grid.y, "side", *names]] + [
            [x, y, side, *(values[name][index, row, column] for name in names)]
            for index, side in enumerate(SIDES)
            for row, y in enumerate(grid.y_values)
            for column, x in enumerate(grid.x_values)
        ]

    _emit(chosen, text, numbers, rows)


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
    from linreg.figures import gallery
    from linreg.figures.export import check_packages, exported, file_name
    from linreg.figures.theme import THEMES

    check_packages(chosen.format)
    wanted, folder = resolve(chosen), chosen.folder
    folder.mkdir(parents=True, exist_ok=True)
    pages = list(dict.fromkeys(chosen.only or gallery.DRAWINGS))
    for of, plate in gallery.figures(
        wanted.comparison, THEMES[chosen.theme], wanted.link.views, wanted.link.step, pages
    ):
        for kind in dict.fromkeys(chosen.format):
            path = folder / file_name(plate, kind, chosen.size, of)
            write(exported(plate, kind, chosen.size), path)
            print(path, flush=True)


RUN: dict[str, Callable[[argparse.Namespace], None]] = {
    command.__name__: command for command in (compare, claims, sweep, diagnose, script, figures)
}
