"""Tables in CSV and Parquet files: which columns they have, and the numbers in some of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from linreg.data.bundled import BUNDLED
from linreg.data.columns import Column, ColumnProfile
from linreg.data.csv_reader import CsvFormat, CsvReader, Progress
from linreg.data.dataset import Dataset
from linreg.data.errors import TableError, quoted
from linreg.data.parquet_reader import ParquetReader
from linreg.data.rows import PLAIN_NUMBERS, Dropped, RowFilter, Selection, chosen_columns
from linreg.data.source import Source, open_reader, open_source
from linreg.settings.limits import LIMITS

MAX_UNPACKED_BYTES = 4_000_000_000  # a small Parquet file may hold the same text many times

__all__ = [
    "BUNDLED",
    "Column",
    "Dropped",
    "Progress",
    "Selection",
    "Source",
    "Table",
    "TableError",
    "open_bundled",
    "open_table",
    "read_table",
]


@dataclass(frozen=True, eq=False)
class Table:
    """A file's table in memory.

    `digest` is the SHA-256 of the file's content, shortened, whatever its name; `bytes` is what the
    table takes in memory. Only a CSV file has a `csv_format`."""

    name: str
    digest: str
    rows: int
    columns: tuple[Column, ...]
    bytes: int
    csv_format: CsvFormat | None
    # CSV as numbers, and as texts where there are any; Parquet as it is in the file
    stored: tuple[pa.RecordBatch, ...] | pa.Buffer = field(repr=False)

    def head(self, rows: int = 10) -> pd.DataFrame:
        """The first rows, for a look at them; faulty cells as they are in the file."""
        parts: list[pd.DataFrame] = []
        left = rows
        for batch in self._batches([column.name for column in self.columns]):
            parts.append(batch[:left].to_pandas())
            left -= len(batch)
            if left <= 0:
                break
        frame = pd.concat(parts, ignore_index=True)
        whole = {column.name for column in self.columns if column.type == "whole number"}
        for name, column in frame.items():
            if name in whole and column.dtype == float and not (column.abs() > 2**53).any():
                frame[name] = column.astype("Int64")
        return frame

    def select(self, target: str, features: Sequence[str]) -> Selection:
        """The rows with a number in the target (N,) and in every feature (N, D), in the file's
        order and units.

        Raises `TableError` if a column does not exist, is chosen twice or holds no numbers, and if
        fewer than 2 rows are left."""
        available = [column.name for column in self.columns]
        names = chosen_columns(self.name, available, target, features)
        header = self.csv_format
        row_filter = RowFilter(
            self.name,
            names,
            header.header_row + 1 if header else ParquetReader.first_row,
            header.decimal_comma if header else ParquetReader.decimal_comma,
        )
        X, y = np.empty((self.rows, len(features))), np.empty(self.rows)
        for batch in self._batches(names):
            first = row_filter.kept
            part = row_filter.add(batch)
            X[first : row_filter.kept], y[first : row_filter.kept] = part.X, part.y
        row_filter.require_numeric()
        row_filter.require_rows()
        kept = row_filter.kept
        return Selection(X[:kept], y[:kept], tuple(features), target, row_filter.dropped)

    def _batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if isinstance(self.stored, pa.Buffer):
            yield from ParquetReader(pa.BufferReader(self.stored), self.name).batches(names)
        else:
            yield from (batch.select(names) for batch in self.stored)


def open_table(
    source: Source,
    name: str | None = None,
    most_bytes: int = LIMITS.file_bytes,
    progress: Progress | None = None,
) -> Table:
    """The table in a CSV or Parquet file: a path, the file's bytes, or a seekable binary file.

    CSV may be divided by commas, semicolons, tabs or |, encoded as UTF-8, UTF-16 or Windows-1252,
    and compressed with gzip. `progress` is called as `progress(done, total)` with the bytes of a
    CSV file; Parquet is kept as it is. Raises `TableError` for what is no table of numbers, or is
    too large for memory; `stream_table` has no such limit."""
    with open_source(source, name) as (file, name, size):
        if size > most_bytes:
            raise TableError(
                f"{name} has {size / 1e6:,.1f} MB, above the {most_bytes / 1e6:,.1f} MB that are"
                " read into memory; use fewer rows or columns, or stream it from disk"
            )
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        reader = open_reader(file, name, size, most_bytes)
        if isinstance(reader, CsvReader):
            return _csv_table(reader, name, digest, progress)
        file.seek(0)
        return _parquet_table(pa.py_buffer(file.read()), name, digest)


def read_table(source: Source | Table, target: str, features: Sequence[str]) -> Dataset:
    """The rows of a CSV or Parquet file with a number in the target (N,) and in every feature
    (N, D), in the file's order and units.

    The source is a path, the file's bytes, a binary file, or a `Table`. Raises `TableError`.
    `Table.select` returns the same rows and also what was left out."""
    table = source if isinstance(source, Table) else open_table(source)
    return table.select(target, features)


def open_bundled(key: str) -> Table:
    """A table of `BUNDLED`. Raises `TableError` if there is none of that name."""
    if key not in BUNDLED:
        raise TableError(
            f"there is no bundled table {quoted(key)}; choose one of {', '.join(BUNDLED)}"
        )
    return open_table(Path(__file__).parent / "bundled" / BUNDLED[key].file)


def _csv_table(reader: CsvReader, name: str, digest: str, progress: Progress | None) -> Table:
    profiles = [ColumnProfile(column, reader.decimal_comma) for column in reader.names]
    batches = tuple(
        pa.RecordBatch.from_arrays(
            [profile.update(cells) for profile, cells in zip(profiles, batch.columns, strict=True)],
            reader.names,
        )
        for batch in reader.batches(reader.names, progress)
    )
    rows = sum(map(len, batches))
    _check_rows(name, rows)
    columns = _columns(name, profiles)
    stored_bytes = sum(batch.nbytes for batch in batches)
    return Table(name, digest, rows, columns, stored_bytes, reader.format_read(), batches)


def _parquet_table(content: pa.Buffer, name: str, digest: str) -> Table:
    reader = ParquetReader(pa.BufferReader(content), name)
    _check_rows(name, reader.rows)
    if reader.unpacked_bytes > MAX_UNPACKED_BYTES:
        raise TableError(
            f"{name} unpacks to {reader.unpacked_bytes / 1e9:,.1f} GB, above the"
            f" {MAX_UNPACKED_BYTES / 1e9:,.1f} GB that are looked through; leave columns out, or"
            " stream it from disk"
        )
    profiles = [ColumnProfile(column, decimal_comma=False) for column in reader.names]
    for profile in profiles:
        for batch in reader.batches([profile.name]):
            profile.update(batch.column(0))
    columns = _columns(name, profiles)
    return Table(name, digest, reader.rows, columns, content.size, None, content)


def _check_rows(name: str, rows: int) -> None:
    if rows < 2:
        what = "a header but no rows" if rows == 0 else "1 row"
        raise TableError(f"{name} has {what}; a regression needs at least 2 rows")
    if rows > LIMITS.file_rows:
        raise TableError(
            f"{name} has {rows:,} rows, above the {LIMITS.file_rows:,} that are held in memory;"
            " use fewer, or stream it from disk"
        )


def _columns(name: str, profiles: Sequence[ColumnProfile]) -> tuple[Column, ...]:
    """The columns. Raises `TableError` unless two of them are numeric."""
    columns = tuple(profile.column() for profile in profiles)
    numeric = [column.name for column in columns if column.numeric]
    if len(numeric) < 2:
        only = f"1 column of numbers ({quoted(numeric[0])})" if numeric else "no column of numbers"
        separated = [column.name for column in columns if column.type == "separated number"]
        advice = f"; in {quoted(separated[0])}, {PLAIN_NUMBERS}" if separated else ""
        raise TableError(
            f"{name} has {only}, but a regression needs a target and at least 1 feature{advice}"
        )
    return columns
