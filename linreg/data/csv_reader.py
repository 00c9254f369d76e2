"""CSV files: how they are written, and their cells as text.

Rows are counted as a spreadsheet shows them: the header is row 1, a blank line counts, a line break
inside quotation marks does not.

Arrow parses, once it is told the delimiter and the header: of pandas, Polars, DuckDB and Arrow only
Arrow refuses a row with too few fields, keeps blank lines, and reads in constant memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv  # type: ignore[import-untyped]

from linreg.data.columns import NULLS, check_names
from linreg.data.errors import TableError
from linreg.data.text_stream import BLOCK, TextStream
from linreg.settings.fields import shorten

SAMPLE = 1 << 20  # bytes in which the header must end
SAMPLE_ROWS = 20
DELIMITERS = ",;\t|"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CsvFormat:
    """How a CSV file is written: its delimiter, its header, its encoding."""

    delimiter: str
    raw_names: tuple[str, ...]  # the names as they are in the file
    names: tuple[str, ...]  # without blanks around them; an empty one is named after its place
    header_row: int
    encoding: str = "utf-8"
    compressed: bool = False  # with gzip

    @property
    def decimal_comma(self) -> bool:
        """Whether 1,5 is a number: in files with semicolons, which leave the comma free."""
        return self.delimiter == ";"


def detect_format(text: TextStream) -> CsvFormat:
    """The format of a file, by the text at its beginning."""
    sample = text.read(SAMPLE)
    body = sample.lstrip(b"\r\n")
    blank_lines = len(sample[: len(sample) - len(body)].splitlines())
    if not text.ended:  # the last line may be cut off
        body = body[: body.rfind(b"\n") + 1]
    if not body:
        raise TableError(
            f"{text.name} has no line break in its first {SAMPLE:,} bytes; use one line a row"
        )
    rows = {one: _first_rows(text.name, body.decode(), one) for one in DELIMITERS}

    def agreement(delimiter: str) -> tuple[float, int]:
        """How many rows have as many fields as the header, if it has several; and how many."""
        header, *_ = found = rows[delimiter]
        return sum(len(row) == len(header) > 1 for row in found) / len(found), len(header)

    delimiter = max(rows, key=agreement)
    if delimiter == "|" and len(rows["|"]) > 1 and all(len(row) == 1 for row in rows["|"][1:]):
        delimiter = ","  # a single column whose name has a bar in it
    raw_names, *others = rows[delimiter]
    names = tuple(name.strip() or f"column {k}" for k, name in enumerate(raw_names, 1))
    check_names(text.name, names)
    if not others and text.ended:
        raise TableError(
            f"{text.name} has a header but no rows; a regression needs at least 2 rows"
        )
    return CsvFormat(delimiter, tuple(raw_names), names, 1 + blank_lines)


def _first_rows(name: str, text: str, delimiter: str) -> list[list[str]]:
    """The first rows of a text, without blank lines."""
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return [row for row, _ in zip(rows, range(SAMPLE_ROWS), strict=False) if row]
    except csv.Error as error:
        raise TableError(
            f"{name} is not readable as CSV ({error}); close an open quotation mark or shorten the"
            " cell"
        ) from None


class CsvReader:
    """The rows of a CSV file; `size` is that of the file on disk, in bytes."""

    def __init__(self, text: TextStream, size: int) -> None:
        self.text, self.size = text, size
        self.format = detect_format(text)
        self.names = self.format.names
        self.first_row = self.format.header_row + 1
        self.decimal_comma = self.format.decimal_comma

    def batches(
        self, names: Sequence[str], progress: Progress | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The cells of some columns as text, null where they are empty, about a megabyte of the
        file at a time. `progress` is called with the bytes read so far, and all."""
        keys = [str(k) for k in range(len(self.names))]
        invalid: list[Any] = []  # the row that Arrow cannot use: its own message says less

        def refuse(row: Any) -> str:
            invalid.append(row)
            return "error"

        self.text.rewind()
        try:
            batches = pa.csv.open_csv(
                pa.PythonFile(self.text, mode="r"),
                pa.csv.ReadOptions(
                    use_threads=False,  # with threads Arrow does not know the number of a bad row
                    block_size=BLOCK,
                    skip_rows=self.format.header_row - 1,
                    column_names=keys,  # names may occur twice in a file
                    skip_rows_after_names=1,
                ),
                pa.csv.ParseOptions(
                    delimiter=self.format.delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=refuse,
                ),
                pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(keys, pa.string()),
                    include_columns=[keys[self.names.index(name)] for name in names],
                    strings_can_be_null=True,
                    null_values=NULLS,
                ),
            )
            for batch in batches:
                if progress:  # from here, since Arrow reads ahead in another thread
                    progress(self.text.position, self.size)
                yield pa.RecordBatch.from_arrays(batch.columns, names=list(names))
        except pa.ArrowInvalid as error:
            raise self._refusal(error, invalid) from None

    def format_read(self) -> CsvFormat:
        """The format, with the encoding that a reading to the end has shown."""
        return replace(
            self.format,
            encoding=self.text.encoding or "utf-8",
            compressed=self.text.file is not self.text.on_disk,
        )

    def _refusal(self, error: pa.ArrowInvalid, invalid: list[Any]) -> TableError:
        name = self.text.name
        if invalid:
            row = invalid[0]
            fields = f"{row.actual_columns:,} field{'s' * (row.actual_columns != 1)}"
            return TableError(
                f"row {row.number:,} of {name} has {fields}, but the header has"
                f" {row.expected_columns:,}: '{shorten(row.text)}'; use as many in every row"
            )
        if "straddling" in str(error):
            return TableError(
                f"{name} has a row of more than {BLOCK:,} bytes; close an open quotation mark or"
                " shorten the row"
            )
        return TableError(
            f"{name} is not readable as CSV ({shorten(error, 120)}); save it as CSV once more"
        )
