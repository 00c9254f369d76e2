"""The command `diagnose`: what the bug does to a table."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from linreg.cli.output import (
    counting,
    wrapped,
)
from linreg.cli.request import given_settings, resolve
from linreg.cli.result_output import as_json, emit
from linreg.experiments.resources import local_resources
from linreg.experiments.table_diagnosis import diagnose_table
from linreg.experiments.your_data import YourDataResult, run
from linreg.settings.fields import SettingsError
from linreg.settings.model import DataSettings, Settings, TableSettings
from linreg.text import your_data as your_data_text

# An attribute of `TableDiagnosis` and its name in JSON, which others may read by now.
JSON_KEYS = {"broadcast_fit": "written", "least_squares_fit": "fixed", "max_displacement": "reach"}


def diagnose(chosen: SimpleNamespace) -> None:
    """The findings of a file, read in pieces in one pass; of a link to a table, what its page says
    of that."""
    of = _of_file if chosen.link is None else _of_link
    result = of(chosen)
    emit(chosen, lambda: _diagnosis_text(result), lambda: _diagnosis_numbers(result))


def _diagnosis_text(result: YourDataResult) -> str:
    paragraphs = [your_data_text.rows_used(result), *your_data_text.data_findings(result)]
    return "\n\n".join(map(wrapped, paragraphs))


def _diagnosis_numbers(result: YourDataResult) -> dict[str, Any]:
    found = as_json(result.diagnosis)
    return {
        "dropped": result.dropped,
        **{JSON_KEYS.get(name, name): value for name, value in found.items()},
    }


def _of_file(chosen: SimpleNamespace) -> YourDataResult:
    from linreg.data.stream import stream_table  # Arrow and pandas are loaded with it

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
    return YourDataResult(
        data,
        replace(found, settings=replace(found.settings, data=data)),
        pieces.kept,
        pieces.dropped,
    )


def _of_link(chosen: SimpleNamespace) -> YourDataResult:
    chosen.table = str(chosen.file) if chosen.file else None
    wanted = resolve(chosen)
    if not isinstance(wanted.comparison.original.data, TableSettings):
        raise SettingsError(
            "the link is of the synthetic data; give a FILE with --target and --features, or"
            " another link"
        )
    return run(wanted.comparison, local_resources())
