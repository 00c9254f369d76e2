"""Where a table comes from: a path, bytes or an open file, and whether that is CSV or Parquet."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from linreg.data.csv_reader import CsvReader
from linreg.data.errors import TableError
from linreg.data.parquet_reader import BATCH_ROWS, ParquetReader
from linreg.data.text_stream import TextStream, read_bytes, utf_16
from linreg.settings.fields import shorten

Source = str | Path | bytes | io.BufferedIOBase
Reader = CsvReader | ParquetReader


@contextmanager
def open_source(source: Source, name: str | None = None) -> Iterator[tuple[Any, str, int]]:
    """The open file, what messages call it, and its size in bytes."""
    path = Path(source) if isinstance(source, str | Path) else None
    file: Any = io.BytesIO(source) if isinstance(source, bytes) else source
    known = name or (path.name if path else getattr(source, "name", None))
    name = shorten(known or "the table", 80)
    if path:
        try:
            file = open(path, "rb")  # noqa: SIM115
        except OSError as error:
            message = f"{name} cannot be opened ({error.strerror}); check the path"
            raise TableError(message) from None
    try:
        yield file, name, file.seek(0, io.SEEK_END)
    finally:
        if file is not source:
            file.close()


def open_reader(
    file: Any, name: str, size: int, max_bytes: int | None = None, batch_rows: int = BATCH_ROWS
) -> Reader:
    """A reader of the file's rows. Raises `TableError` for what is neither CSV nor Parquet.

    `max_bytes` is the most that a compressed file may unpack to, and `batch_rows` the rows of
    Parquet that are read at a time."""
    file.seek(0)
    on_disk, sample = file, file.read(1 << 16)
    file.seek(0)
    if compressed := sample.startswith(b"\x1f\x8b"):
        file = gzip.GzipFile(fileobj=on_disk)
        sample = read_bytes(file, 1 << 16, name)
    if not sample.strip():
        raise TableError(
            f"{name} is empty; use CSV or Parquet with named columns and at least 2 rows"
        )
    if sample.startswith(b"PAR1") and not compressed:
        return ParquetReader(file, name, batch_rows)
    _require_text(sample, name)
    return CsvReader(TextStream(file, name, on_disk, max_bytes if compressed else None), size)


def _require_text(sample: bytes, name: str) -> None:
    if sample.startswith(b"PK\x03\x04"):
        raise TableError(f"{name} is a workbook or an archive; save its sheet as CSV")
    if utf_16(sample):
        return
    control_characters = bytes({*range(32)} - set(b"\t\n\r\f"))
    if len(sample.translate(None, control_characters)) < len(sample) * 0.95:
        raise TableError(f"{name} is neither CSV nor Parquet; save it as one of them")
