"""Tables in files: CSV and Parquet, and the numbers in chosen columns of them.

Rows are counted as a spreadsheet shows them: the header of a CSV file is row 1, a blank line
counts, a line break inside quotation marks does not. A Parquet file has no header, so that its
first row is row 1.

CSV is UTF-8, divided by commas, semicolons or tabs. A number has a decimal point; in a file with
semicolons it may have a decimal comma. Numbers with separators of thousands are refused, since
"1,234" may mean either. An empty cell, NA, null and NaN are missing. A column with fewer numbers
than texts is text; columns of yes/no, dates and nested values are no numbers."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.csv  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from jaxtyping import Float, Int8

from linreg.settings.fields import shorten
from linreg.settings.limits import LIMITS

LARGEST = 1e100  # a larger value's square, summed over a table, would overflow
SAMPLE = 1 << 20  # bytes in which the header must end
BLOCK = (
    1 << 20
)  # bytes of a CSV file read at a time, and 32 such ahead by Arrow; no row may be longer

Source = str | Path | bytes | io.BufferedIOBase
Progress = Callable[[int, int], None]


class TableError(ValueError):
    """A file, or a choice of its columns, that cannot be used: what, where, and the way out."""


@dataclass(frozen=True)
class Column:
    """A column: `type` in words, whether it can be regressed on, and how many of its cells are
    empty."""

    name: str
    type: str  # number, whole number, separated number, text, date, yes/no, nested, empty or other
    numeric: bool
    missing: int


@dataclass(frozen=True)
class Dropped:
    """Rows left out for one reason of one column: how many, and the first of them with what its
    cell holds.

    A row with several faults counts for the first of the chosen columns, the target before the
    features."""

    reason: str  # one of REASONS
    count: int
    first_row: int
    column: str
    value: str


REASONS = ("missing", "not a number", "infinite", "too large")
GOOD, MISSING, TEXT, INFINITE, TOO_LARGE = range(
    5
)  # the fault of a cell; each but the first has a reason


@dataclass(frozen=True, eq=False)
class Selection:
    """The rows of a table that have a number in every chosen column, in order, and what was left
    out."""

    X: Float[np.ndarray, "N D"]
    y: Float[np.ndarray, " N"]
    target: str
    features: tuple[str, ...]
    dropped: tuple[Dropped, ...]

    @property
    def kept(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Table:
    """A file's table, held compactly: CSV as Arrow's numbers, and texts where there are any;
    Parquet as it is.

    `digest` is of the file's content (SHA-256, shortened), whatever its name; `bytes` is what the
    table holds in memory. A Parquet file has no `header`."""

    name: str
    digest: str
    rows: int
    columns: tuple[Column, ...]
    bytes: int
    header: Header | None
    held: tuple[pa.RecordBatch, ...] | pa.Buffer = field(repr=False)

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

        Raises `TableError` if a column is not there, chosen twice or holds no numbers, and if fewer
        than 2 rows are left."""
        names = _chosen(self.name, [column.name for column in self.columns], target, features)
        first_row, decimal_comma = (
            (self.header.row + 1, self.header.decimal_comma) if self.header else (1, False)
        )
        tally = _Tally(self.name, names, first_row, decimal_comma)
        X, y = np.empty((self.rows, len(features))), np.empty(self.rows)
        for batch in self._batches(names):
            first = tally.kept
            part = tally.add(batch)
            X[first : tally.kept], y[first : tally.kept] = part.X, part.y
        tally.judge()
        tally.finish()
        return Selection(X[: tally.kept], y[: tally.kept], target, tuple(features), tally.dropped)

    def _batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if isinstance(self.held, pa.Buffer):
            yield from _parquet_batches(
                self.name, _parquet(self.name, pa.BufferReader(self.held)), names
            )
        else:
            yield from (batch.select(names) for batch in self.held)


# ---- reading -------------------------------------------------------------------------------------


def open_table(
    source: Source,
    name: str | None = None,
    most_bytes: int = LIMITS.file_bytes,
    progress: Progress | None = None,
) -> Table:
    """The table in a CSV or Parquet file: a path, the file's bytes, or a seekable binary file.

    `progress` is called as `progress(done, total)` with the bytes of a CSV file; Parquet is held as
    it is. Raises `TableError` for what is no table of numbers, or is too large to be held in
    memory; `stream` has no such limit."""
    with _opened(source, name) as (file, name, size):
        if size > most_bytes:
            raise TableError(
                f"{name} has {size / 1e6:,.1f} MB, above the {most_bytes / 1e6:,.1f} MB that are"
                " read into memory;"
                " use fewer rows or columns, or stream it from disk"
            )
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        file.seek(0)
        if _is_csv(name, file, size):
            return _csv_table(file, name, digest, size, progress)
        return _parquet_table(file, name, digest)


def stream(
    source: str | Path,
    target: str,
    features: Sequence[str],
    rows_per_chunk: int = 1 << 17,
    progress: Progress | None = None,
) -> Stream:
    """The same rows as `Table.select` finds, read from disk in chunks, so that memory does not grow
    with the file.

    `progress` is called as `progress(done, total)`: bytes of a CSV file, rows of a Parquet file.
    Raises `TableError` at once for what the file's beginning shows, and while it is read for the
    rest."""
    return Stream(Path(source), target, tuple(features), rows_per_chunk, progress)


class Stream:
    """The chunks of a file, each a Selection of at most `rows_per_chunk` rows; read from the start
    by every loop over it.

    `kept` and `dropped` grow while it is read. A column is taken for text as soon as it has had
    more texts than numbers."""

    def __init__(
        self,
        path: Path,
        target: str,
        features: tuple[str, ...],
        rows_per_chunk: int,
        progress: Progress | None,
    ) -> None:
        if rows_per_chunk < 1:
            raise TableError(f"{rows_per_chunk} rows in a chunk are not possible; use at least 1")
        self.path, self.target, self.features = path, target, features
        self.rows_per_chunk, self.progress = rows_per_chunk, progress
        with self._open() as (_, tally, _):
            self._tally = tally

    @property
    def kept(self) -> int:
        return self._tally.kept

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        return self._tally.dropped

    def __iter__(self) -> Iterator[Selection]:
        with self._open() as (size, tally, batches):
            self._tally = tally
            for batch in batches:
                for first in range(0, len(batch), self.rows_per_chunk):
                    found = tally.add(batch[first : first + self.rows_per_chunk])
                    if found.kept:
                        yield found
                tally.judge()
                if self.progress and size:
                    self.progress(tally.rows, size)
            tally.finish()

    @contextmanager
    def _open(self) -> Iterator[tuple[int, _Tally, Iterator[pa.RecordBatch]]]:
        """The rows if they are known, a new tally, and the batches of the chosen columns."""
        with _opened(self.path, None) as (file, name, size):
            if _is_csv(name, file, size):
                header = _header(name, file, size)
                names = _chosen(name, header.names, self.target, self.features)
                tally = _Tally(name, names, header.row + 1, header.decimal_comma)
                yield 0, tally, _csv_batches(_Text(name, file, size, self.progress), header, names)
            else:
                parquet = _parquet(name, file)
                names = _chosen(name, parquet.schema_arrow.names, self.target, self.features)
                batches = _parquet_batches(name, parquet, names, self.rows_per_chunk)
                yield parquet.metadata.num_rows, _Tally(name, names, 1, False), batches


@contextmanager
def _opened(source: Source, name: str | None) -> Iterator[tuple[Any, str, int]]:
    """The file at its beginning, what to call it, and its size."""
    path = Path(source) if isinstance(source, str | Path) else None
    name = shorten(
        name or (path.name if path else getattr(source, "name", None)) or "the table", 80
    )
    try:
        file: Any = (
            open(path, "rb")
            if path
            else io.BytesIO(source)
            if isinstance(source, bytes)
            else source
        )
    except OSError as error:
        raise TableError(f"{name} cannot be opened ({error.strerror}); check the path") from None
    try:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        yield file, name, size
    finally:
        if file is not source:
            file.close()


UTF_16 = "UTF-16 text; save it as UTF-8, in Excel as “CSV UTF-8”"
FOREIGN = {
    b"\xff\xfe": UTF_16,
    b"\xfe\xff": UTF_16,
    b"PK\x03\x04": "a workbook or an archive; save its sheet as CSV",
    b"\x1f\x8b": "compressed; unpack it first",
}


def _is_csv(name: str, file: Any, size: int) -> bool:
    """Whether the file is CSV; false for Parquet, a `TableError` for neither."""
    sample = file.read(1 << 16)
    file.seek(0)
    if not size or not sample.strip():
        raise TableError(
            f"{name} is empty; use CSV or Parquet with named columns and at least 2 rows"
        )
    if sample.startswith(b"PAR1"):
        return False
    for magic, what in FOREIGN.items():
        if sample.startswith(magic):
            raise TableError(f"{name} is {what}")
    printed = sample.translate(None, bytes({*range(32)} - set(b"\t\n\r\f")))
    if len(sample) - len(printed) > len(sample) / 20:  # control characters, which text has none of
        few, many = sorted((sample[::2].count(0), sample[1::2].count(0)))
        if many > len(sample) / 4 and few < len(sample) / 20:  # about every second byte
            raise TableError(f"{name} is {UTF_16}")
        raise TableError(f"{name} is neither CSV nor Parquet; save it as one of them")
    return True


def _chosen(name: str, there: Sequence[str], target: str, features: Sequence[str]) -> list[str]:
    """The target and then the features, if all are there and none twice."""
    names = [target, *features]
    if not features:
        raise TableError("no feature is chosen; choose at least 1 column")
    for one in names:
        if one not in there:
            known = ", ".join(map(_quoted, there[:10])) + (" …" if len(there) > 10 else "")
            raise TableError(f"{name} has no column {_quoted(one)}; its columns are {known}")
    if target in features:
        raise TableError(
            f"column {_quoted(target)} is the target and a feature; choose another for one of them"
        )
    for one in features:
        if list(features).count(one) > 1:
            raise TableError(
                f"feature {_quoted(one)} is chosen twice; choose another or leave one out"
            )
    return names


def _check_names(name: str, names: Sequence[str]) -> None:
    if len(names) > LIMITS.file_columns:
        raise TableError(
            f"{name} has {len(names):,} columns, above the {LIMITS.file_columns:,} that are read;"
            " leave some out"
        )
    if len(set(names)) < len(names):
        twice = next(one for k, one in enumerate(names) if one in names[:k])
        raise TableError(f"{name} has two columns named {_quoted(twice)}; rename one of them")


def _check_rows(name: str, rows: int) -> None:
    if rows < 2:
        what = "a header but no rows" if rows == 0 else "1 row"
        raise TableError(f"{name} has {what}; a regression needs at least 2 rows")
    if rows > LIMITS.file_rows:
        raise TableError(
            f"{name} has {rows:,} rows, above the {LIMITS.file_rows:,} that are held in memory;"
            " use fewer, or stream it from disk"
        )


def _described(name: str, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns, if there is a regression in them."""
    numeric = [column.name for column in columns if column.numeric]
    if len(numeric) < 2:
        only = f"1 column of numbers ({_quoted(numeric[0])})" if numeric else "no column of numbers"
        separated = next(
            (column.name for column in columns if column.type == "separated number"), None
        )
        way_out = f"; in {_quoted(separated)}, {PLAINLY}" if separated else ""
        raise TableError(
            f"{name} has {only}, but a regression needs a target and at least 1 feature{way_out}"
        )
    return tuple(columns)


def _quoted(name: str) -> str:
    return f"'{shorten(name)}'"


# ---- CSV -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Header:
    """How a CSV file begins: the names of its columns, what divides them, and where."""

    written: tuple[str, ...]  # the names as they are in the file
    names: tuple[str, ...]  # without blanks around them; one that is empty is named after its place
    delimiter: str
    row: int
    start: int  # its first byte

    @property
    def decimal_comma(self) -> bool:
        return self.delimiter == ";"


def _header(name: str, file: Any, size: int) -> Header:
    """The names of a CSV file's columns, and what divides them. The file is at its beginning."""
    sample = file.read(SAMPLE)
    _Text(name, file, size).check(sample, last=size <= SAMPLE)
    marked = sample.removeprefix(codecs.BOM_UTF8)
    begun = marked.lstrip(b"\r\n")
    blank = len(marked[: len(marked) - len(begun)].splitlines())
    if size > SAMPLE:  # the last line may be cut off
        begun = begun[: begun.rfind(b"\n") + 1]
    if not begun:
        raise TableError(
            f"{name} has no line break in its first {SAMPLE:,} bytes; use one line a row"
        )
    text = begun.decode()
    found = {delimiter: _records(name, text, delimiter) for delimiter in ",;\t"}

    def agreement(delimiter: str) -> tuple[float, int]:
        rows = found[delimiter]
        return sum(len(row) == len(rows[0]) > 1 for row in rows) / len(rows), len(rows[0])

    delimiter = max(found, key=agreement)
    written, *others = found[delimiter]
    names = tuple(one.strip() or f"column {k}" for k, one in enumerate(written, 1))
    _check_names(name, names)
    if not others and size <= SAMPLE:
        _check_rows(name, 0)
    return Header(
        tuple(written), names, delimiter, 1 + blank, len(sample) - len(marked.lstrip(b"\r\n"))
    )


def _records(name: str, text: str, delimiter: str, most: int = 20) -> list[list[str]]:
    """The first rows, without blank lines."""
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return [row for row, _ in zip(rows, range(most), strict=False) if row]
    except csv.Error as error:
        raise TableError(
            f"{name} is not readable as CSV ({error}); close an open quotation mark or shorten the"
            " cell"
        ) from None


class _Text(io.RawIOBase):
    """A file's bytes for Arrow, checked to be UTF-8 text, without the blank lines at the end."""

    def __init__(self, name: str, file: Any, size: int, progress: Progress | None = None) -> None:
        self.name, self.file, self.size, self.progress = name, file, size, progress
        self.lines = self.taken = 0
        self.held = b""  # line breaks that are passed on if something follows
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while block := self.file.read(size - len(self.held)):
            self.check(block)
            self.taken = self.file.tell()
            block = self.held + block
            body = block.rstrip(b"\r\n") if len(block) < size or block.strip(b"\r\n") else block
            self.held = block[len(body) :]
            if body:
                return bytes(body)
        self.check(b"", last=True)
        return b""

    def check(self, block: bytes, last: bool = False) -> None:
        """Raise a `TableError` that names the line if what was read up to here is no UTF-8 text."""
        if b"\0" in block:
            line = self.lines + block[: block.index(b"\0")].count(b"\n") + 1
            raise TableError(
                f"line {line:,} of {self.name} holds a NUL byte, which no text does; save it as"
                " UTF-8 CSV"
            )
        try:
            self.decoder.decode(block, last)
        except UnicodeDecodeError as error:
            line = self.lines + error.object[: error.start].count(b"\n") + 1
            raise TableError(
                f"line {line:,} of {self.name} is not UTF-8 (byte"
                f" 0x{error.object[error.start]:02x}, as of Latin-1 or"
                " Windows-1252); save it as UTF-8, in Excel as “CSV UTF-8”"
            ) from None
        self.lines += block.count(b"\n")


EMPTY = (
    "",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "#NA",
    "#N/A N/A",
    "NULL",
    "null",
    "NaN",
    "nan",
    "-NaN",
    "-nan",
)


def _csv_batches(text: _Text, header: Header, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The cells of chosen columns as text, null where they are empty, about a block's rows at a
    time."""
    text.file.seek(header.start)
    text.lines = header.row - 1
    keys = [str(k) for k in range(len(header.names))]
    chosen = [keys[header.names.index(name)] for name in names]
    uneven: list[Any] = []  # the row that Arrow stumbles on: its own message says less

    def stumbled(row: Any) -> str:
        uneven.append(row)
        return "error"

    try:
        reader = pa.csv.open_csv(
            pa.PythonFile(text, mode="r"),
            pa.csv.ReadOptions(
                use_threads=False, block_size=BLOCK, column_names=keys, skip_rows_after_names=1
            ),
            pa.csv.ParseOptions(
                delimiter=header.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=stumbled,
            ),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.string()),
                include_columns=chosen,
                strings_can_be_null=True,
                null_values=EMPTY,
            ),
        )
        for batch in reader:
            if text.progress:  # from here, since Arrow reads ahead in a thread of its own
                text.progress(text.taken, text.size)
            yield pa.RecordBatch.from_arrays(batch.columns, names=list(names))
    except pa.ArrowInvalid as error:
        if uneven:
            row = uneven[0]
            raise TableError(
                f"row {row.number + header.row - 1:,} of {text.name} has"
                f" {_fields(row.actual_columns)}, but the header has"
                f" {row.expected_columns:,}: '{shorten(row.text)}'; use as many in every row"
            ) from None
        if "straddling" in str(error):
            raise TableError(
                f"{text.name} has a row of more than {BLOCK:,} bytes; close an open quotation mark"
                " or shorten the row"
            ) from None
        raise TableError(
            f"{text.name} is not readable as CSV ({shorten(error, 120)}); save it as CSV once more"
        ) from None


def _fields(count: int) -> str:
    return f"{count:,} field{'s' * (count != 1)}"


def _csv_table(file: Any, name: str, digest: str, size: int, progress: Progress | None) -> Table:
    header = _header(name, file, size)
    looks = [_Look(one, header.decimal_comma) for one in header.names]
    held = tuple(
        pa.RecordBatch.from_arrays(
            [look.at(cells) for look, cells in zip(looks, batch.columns, strict=True)], header.names
        )
        for batch in _csv_batches(_Text(name, file, size, progress), header, header.names)
    )
    rows = sum(map(len, held))
    _check_rows(name, rows)
    columns = _described(name, [look.column() for look in looks])
    taken = sum(batch.nbytes for batch in held)
    return Table(name, digest, rows, columns, taken, header, held)


# ---- Parquet -------------------------------------------------------------------------------------


def _parquet(name: str, file: Any) -> pq.ParquetFile:
    """The file, its texts as dictionaries, which may be so much smaller."""
    with _readable(name):
        schema = pq.ParquetFile(file).schema_arrow
        texts = [
            one.name
            for one in schema
            if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)
        ]
        file.seek(0)
        found = pq.ParquetFile(file, read_dictionary=texts, buffer_size=SAMPLE, pre_buffer=False)
    _check_names(name, schema.names)
    return found


def _parquet_batches(
    name: str, file: pq.ParquetFile, names: Sequence[str], rows: int = 1 << 16
) -> Iterator[pa.RecordBatch]:
    with _readable(name):
        left = file.metadata.num_rows
        for batch in file.iter_batches(rows, columns=list(names), use_threads=False):
            # a nested column a.b comes along with a column named "a.b"
            chosen = pa.RecordBatch.from_arrays(
                [batch.column(one) for one in names], names=list(names)
            )
            chosen.validate(full=True)
            left -= len(chosen)
            yield chosen
        if left:
            raise ValueError(f"{left:,} rows are not there")


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Arrow's many exceptions as one `TableError`."""
    try:
        yield
    except TableError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise TableError(
            f"{name} is Parquet, but damaged or cut off ({shorten(error, 80)}); save or load it"
            " once more"
        ) from None


def _parquet_table(file: Any, name: str, digest: str) -> Table:
    held = pa.py_buffer(file.read())
    parquet = _parquet(name, pa.BufferReader(held))
    rows = parquet.metadata.num_rows
    _check_rows(name, rows)
    # not column by column: Arrow ends the process when the metadata of a damaged column is looked
    # at
    unpacked = sum(
        parquet.metadata.row_group(k).total_byte_size for k in range(parquet.num_row_groups)
    )
    if unpacked > LIMITS.unpacked_bytes:
        raise TableError(
            f"{name} unpacks to {unpacked / 1e9:,.1f} GB, above the"
            f" {LIMITS.unpacked_bytes / 1e9:,.1f} GB that are"
            " looked through; leave columns out, or stream it from disk"
        )
    looks = [_Look(one, False) for one in parquet.schema_arrow.names]
    for look in looks:
        for batch in _parquet_batches(name, parquet, [look.name]):
            look.at(batch.column(0))
    return Table(
        name,
        digest,
        rows,
        _described(name, [look.column() for look in looks]),
        held.size,
        None,
        held,
    )


# ---- cells ---------------------------------------------------------------------------------------

NUMBER = r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|(?i:inf(inity)?|nan))$"
SEPARATED = (
    r"^[+-]?([0-9]{1,3}([,'’ \x{a0}\x{202f}][0-9]{3})+([.,][0-9]+)?"
    r"|[0-9]{1,3}(\.[0-9]{3})+,[0-9]+|[0-9]{1,3}(\.[0-9]{3}){2,}|[0-9]+,[0-9]+)$"
)
PATTERNS = {
    "separated number": SEPARATED,
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?$",
    "yes/no": "^(?i:true|false|yes|no)$",
}
PLAINLY = "write numbers with a decimal point and nothing between the thousands"


def _cells(
    array: pa.Array, decimal_comma: bool
) -> tuple[Float[np.ndarray, " n"], Int8[np.ndarray, " n"]]:
    """The numbers of a column's cells, and the fault of each; the number of a faulty cell means
    nothing."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        values, faults = _cells(array.dictionary, decimal_comma)
        return np.append(values, np.nan)[_places(array)], np.append(faults, np.int8(MISSING))[
            _places(array)
        ]
    text = overflown = np.zeros(len(array), bool)
    if _is_text(kind):
        numbers, text = _parsed(array.cast(pa.large_string()), decimal_comma)
        if np.isinf(numbers).any():  # a number beyond every float, unless it is written in words
            overflown = _flags(
                pc.match_substring_regex(array.cast(pa.large_string()), "[0-9]")
            ) & np.isinf(numbers)
    elif (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    ):
        numbers = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    else:
        numbers, text = np.full(len(array), np.nan), _flags(array.is_valid())
    faults = np.zeros(len(array), np.int8)
    faults[np.isnan(numbers)] = MISSING
    faults[np.abs(numbers) > LARGEST] = TOO_LARGE
    faults[np.isinf(numbers) & ~overflown] = INFINITE
    faults[text] = TEXT
    return numbers, faults


def _parsed(array: pa.Array, decimal_comma: bool) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of texts, NaN where there is none, and where it is a text that is in the way."""
    text = np.zeros(len(array), bool)
    try:
        found = array.cast(pa.float64())
    except pa.ArrowInvalid:  # not all are plain numbers
        bare = pc.utf8_trim_whitespace(array)
        bare = pc.if_else(
            pc.is_in(bare, pa.array(EMPTY, bare.type)), pa.scalar(None, bare.type), bare
        )
        if decimal_comma:
            commas = pc.match_substring_regex(bare, "^[^.,]*,[^.,]*$")
            bare = pc.if_else(commas, pc.replace_substring(bare, ",", "."), bare)
        plain = pc.match_substring_regex(bare, NUMBER)
        text = _flags(pc.invert(plain))
        found = pc.if_else(plain, bare, pa.scalar(None, bare.type)).cast(pa.float64())
    return found.to_numpy(zero_copy_only=False), text


def _flags(array: pa.Array) -> np.ndarray:
    """Booleans, false where null."""
    found: np.ndarray = array.fill_null(False).to_numpy(zero_copy_only=False)
    return found


def _matches(array: pa.Array, pattern: str) -> np.ndarray:
    """Which cells are texts that a regular expression fits, but for blanks around them."""
    if not _is_text(_kind(array)):
        return np.zeros(len(array), bool)
    if pa.types.is_dictionary(array.type):  # its texts may be long
        found: np.ndarray = np.append(_matches(array.dictionary, pattern), False)[_places(array)]
        return found
    return _flags(
        pc.match_substring_regex(pc.utf8_trim_whitespace(array.cast(pa.large_string())), pattern)
    )


def _places(array: pa.DictionaryArray) -> np.ndarray:
    """Where in its dictionary each cell is; one past the end for an empty cell."""
    found: np.ndarray = (
        array.indices.cast(pa.int64())
        .fill_null(len(array.dictionary))
        .to_numpy(zero_copy_only=False)
    )
    return found


def _kind(array: pa.Array) -> pa.DataType:
    return array.type.value_type if pa.types.is_dictionary(array.type) else array.type


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


class _Look:
    """What a column holds, batch after batch."""

    def __init__(self, name: str, decimal_comma: bool) -> None:
        self.name, self.decimal_comma = name, decimal_comma
        self.counts = np.zeros(len(REASONS) + 1, int)  # by fault
        self.whole = True
        self.alike = dict.fromkeys(PATTERNS, 0)
        self.kind = pa.null()

    def at(self, array: pa.Array) -> pa.Array:
        """The batch's cells, as numbers if there is nothing else among them."""
        values, faults = _cells(array, self.decimal_comma)
        counts = np.array([np.count_nonzero(faults == fault) for fault in range(len(self.counts))])
        self.counts += counts
        self.kind = _kind(array)
        good = values if counts[GOOD] == len(values) else values[faults == GOOD]
        self.whole = self.whole and bool((good == np.floor(good)).all())
        if counts[TEXT]:
            for words, pattern in PATTERNS.items():
                self.alike[words] += int(_matches(array, pattern).sum())
        return array if counts[TEXT:].any() else pa.array(values, mask=faults == MISSING)

    def column(self) -> Column:
        """The column that was seen."""
        texts, missing = int(self.counts[TEXT]), int(self.counts[MISSING])
        numbers = int(self.counts.sum()) - texts - missing
        if numbers and numbers >= texts:
            words = "whole number" if self.whole else "number"
        elif missing == self.counts.sum():
            words = "empty"
        elif _is_text(self.kind):
            words = next((words for words, count in self.alike.items() if count == texts), "text")
        else:
            words = next(
                (words for words, is_kind in OTHERS.items() if is_kind(self.kind)), "other"
            )
        return Column(self.name, words, bool(numbers and numbers >= texts), missing)


OTHERS: dict[str, Callable[[pa.DataType], bool]] = {
    "yes/no": pa.types.is_boolean,
    "date": lambda kind: pa.types.is_date(kind) or pa.types.is_timestamp(kind),
    "nested": pa.types.is_nested,
}


class _Tally:
    """What is kept and dropped of a table's chosen columns, the target first, batch after batch."""

    def __init__(
        self, name: str, names: Sequence[str], first_row: int, decimal_comma: bool
    ) -> None:
        self.name, self.names, self.first_row, self.decimal_comma = (
            name,
            names,
            first_row,
            decimal_comma,
        )
        self.rows = self.kept = 0
        self._numbers = [0] * len(names)
        self._texts: dict[
            str, tuple[int, int, str]
        ] = {}  # column -> how many, the first's row and value
        self._dropped: dict[tuple[int, int], Dropped] = {}  # (column, fault) ->

    def add(self, batch: pa.RecordBatch) -> Selection:
        """The batch's rows without a fault."""
        cells = [_cells(column, self.decimal_comma) for column in batch.columns]
        faults = np.stack([fault for _, fault in cells])  # (C, n)
        guilty = (faults != GOOD).argmax(0)  # (n,), the first column with a fault
        good = (faults == GOOD).all(0)
        for k, name in enumerate(self.names):
            self._numbers[k] += int((faults[k] != MISSING).sum() - (faults[k] == TEXT).sum())
            if (texts := np.flatnonzero(faults[k] == TEXT)).size:
                self._check_separators(batch, k, texts)
                count, row, value = self._texts.get(name, (0, *self._at(batch, k, int(texts[0]))))
                self._texts[name] = (count + texts.size, row, value)
            for fault in range(MISSING, len(REASONS) + 1):
                rows = np.flatnonzero((guilty == k) & (faults[k] == fault))
                if rows.size:
                    row, value = self._at(batch, k, int(rows[0]))
                    first = Dropped(
                        REASONS[fault - 1], 0, row, name, "" if fault == MISSING else value
                    )
                    known = self._dropped.get((k, fault), first)
                    self._dropped[k, fault] = replace(known, count=known.count + rows.size)
        self.rows += len(good)
        self.kept += int(good.sum())
        y, *X = (values[good] for values, _ in cells)
        return Selection(np.column_stack(X), y, self.names[0], tuple(self.names[1:]), self.dropped)

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """By column, the target first, and reason."""
        return tuple(self._dropped[key] for key in sorted(self._dropped))

    def judge(self) -> None:
        """Raise a `TableError` if a column has more texts than numbers so far."""
        for name, numbers in zip(self.names, self._numbers, strict=True):
            count, row, value = self._texts.get(name, (0, 0, ""))
            if count > numbers:
                raise TableError(
                    f"column {_quoted(name)} of {self.name} holds no numbers: row {row:,} is"
                    f" '{value}';"
                    " choose a column of numbers"
                )

    def finish(self) -> None:
        """Raise a `TableError` if too few rows are left of the whole table."""
        if self.kept < 2:
            why = ", ".join(
                f"{one.count:,} {one.reason} in {_quoted(one.column)}" for one in self.dropped
            )
            raise TableError(
                f"{self.kept} of {self.rows:,} rows of {self.name} has a number in every chosen"
                " column"
                f" ({why or 'the file has no more'}); choose columns with at least 2 such rows"
            )

    def _at(self, batch: pa.RecordBatch, column: int, place: int) -> tuple[int, str]:
        """The row of a cell, and what it holds in short."""
        cell = batch.column(column)[place].as_py()
        return self.rows + place + self.first_row, shorten(cell)

    def _check_separators(self, batch: pa.RecordBatch, column: int, places: np.ndarray) -> None:
        """Raise a `TableError` for a number that is not written plainly: to leave out all such
        would bend the result."""
        array = batch.column(column)
        found = places[_matches(array.take(pa.array(places)), SEPARATED)]
        if found.size:
            row, value = self._at(batch, column, int(found[0]))
            raise TableError(
                f"row {row:,} of column {_quoted(self.names[column])} in {self.name} is '{value}';"
                f" {PLAINLY}"
            )


# ---- tables that come with linreg ----------------------------------------------------------------


@dataclass(frozen=True)
class Bundled:
    """A table of the package, and what to regress on what in it."""

    title: str
    file: str
    target: str
    features: tuple[str, ...]
    source: str
    licence: str


BUNDLED = {
    "auto-mpg": Bundled(
        "Fuel economy of 398 cars, 1970–1982",
        "auto-mpg.csv",
        "mpg",
        ("horsepower", "weight"),
        "R. Quinlan, Auto MPG, UCI Machine Learning Repository, 1993,"
        " https://doi.org/10.24432/C5859H",
        "CC BY 4.0",
    )
}


def open_bundled(key: str) -> Table:
    """A table of `BUNDLED`. Raises `TableError` if there is none of that name."""
    if key not in BUNDLED:
        raise TableError(
            f"there is no bundled table {_quoted(key)}; choose one of {', '.join(BUNDLED)}"
        )
    return open_table(Path(__file__).parent / "bundled" / BUNDLED[key].file)
