"""Which rows of a table can be used: those with a number in every chosen column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from jaxtyping import Int8

from linreg.data.columns import SEPARATED_NUMBER, Fault, matches, parse_cells
from linreg.data.dataset import Dataset
from linreg.data.errors import TableError, quoted
from linreg.settings.fields import shorten

REASONS = {
    Fault.MISSING: "missing",
    Fault.TEXT: "not a number",
    Fault.INFINITE: "infinite",
    Fault.TOO_LARGE: "too large",
}
PLAIN_NUMBERS = "write numbers with a decimal point and nothing between the thousands"


@dataclass(frozen=True)
class Dropped:
    """Rows left out for one reason of one column: how many, and the first of them with the content
    of its cell.

    A row with several faults counts for the first of the chosen columns, the target before the
    features."""

    reason: str  # one of REASONS
    count: int
    first_row: int
    column: str
    value: str


@dataclass(frozen=True, eq=False)
class Selection(Dataset):
    """The rows with a number in every chosen column, in the file's order, and what was left out."""

    dropped: tuple[Dropped, ...] = ()

    @property
    def kept(self) -> int:
        return len(self)


def chosen_columns(
    name: str, available: Sequence[str], target: str, features: Sequence[str]
) -> list[str]:
    """The target and then the features. Raises `TableError` unless all exist, and none twice."""
    if not features:
        raise TableError("no feature is chosen; choose at least 1 column")
    for column in (target, *features):
        if column not in available:
            known = ", ".join(map(quoted, available[:10])) + (" …" if len(available) > 10 else "")
            raise TableError(f"{name} has no column {quoted(column)}; its columns are {known}")
    if target in features:
        raise TableError(
            f"column {quoted(target)} is the target and a feature; choose another for one of them"
        )
    for column in features:
        if list(features).count(column) > 1:
            raise TableError(
                f"feature {quoted(column)} is chosen twice; choose another or leave one out"
            )
    return [target, *features]


class RowFilter:
    """Selects the rows without a fault, batch by batch, and counts the others.

    `names` are the chosen columns, the target first. `first_row` is the number of the first row in
    the file."""

    def __init__(
        self, table: str, names: Sequence[str], first_row: int, decimal_comma: bool
    ) -> None:
        self.table, self.names = table, names
        self.first_row, self.decimal_comma = first_row, decimal_comma
        self.rows = self.kept = 0
        self._missing, self._texts = [0] * len(names), [0] * len(names)  # cells, by column
        self._first_text: dict[int, tuple[int, str]] = {}  # column -> row and content
        self._dropped: dict[tuple[int, Fault], Dropped] = {}  # by column and fault

    def add(self, batch: pa.RecordBatch) -> Selection:
        """The usable rows of the next batch, whose columns are `names`."""
        parsed = [parse_cells(cells, self.decimal_comma) for cells in batch.columns]
        faults = np.stack([fault for _, fault in parsed])  # (C, n)
        good = ~faults.any(0)  # (n,)
        if not good.all():
            self._count_dropped(batch, faults)
        self.rows += len(batch)
        self.kept += int(good.sum())
        y, *X = (values[good] for values, _ in parsed)
        return Selection(np.column_stack(X), y, tuple(self.names[1:]), self.names[0], self.dropped)

    def _count_dropped(self, batch: pa.RecordBatch, faults: Int8[np.ndarray, "C n"]) -> None:
        first_faulty = (faults != Fault.NONE).argmax(0)  # (n,), a column
        for k, name in enumerate(self.names):
            self._missing[k] += int(np.count_nonzero(faults[k] == Fault.MISSING))
            texts = np.flatnonzero(faults[k] == Fault.TEXT)
            if texts.size:
                self._refuse_separators(batch, k, texts)
                self._first_text.setdefault(k, self._cell(batch, k, int(texts[0])))
                self._texts[k] += texts.size
            for fault, reason in REASONS.items():
                rows = np.flatnonzero((first_faulty == k) & (faults[k] == fault))
                if rows.size:
                    row, value = self._cell(batch, k, int(rows[0]))
                    first = Dropped(reason, 0, row, name, "" if fault == Fault.MISSING else value)
                    known = self._dropped.get((k, fault), first)
                    self._dropped[k, fault] = replace(known, count=known.count + rows.size)

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """What was left out so far: by column, the target first, and by reason."""
        return tuple(self._dropped[key] for key in sorted(self._dropped))

    def require_numeric(self) -> None:
        """Raise a `TableError` if a column has had more texts than numbers so far."""
        for k, name in enumerate(self.names):
            numbers = self.rows - self._missing[k] - self._texts[k]
            if self._texts[k] > numbers:
                row, value = self._first_text[k]
                raise TableError(
                    f"column {quoted(name)} of {self.table} holds no numbers: row {row:,} is"
                    f" '{value}'; choose a column of numbers"
                )

    def require_rows(self) -> None:
        """Raise a `TableError` if fewer than 2 rows are left of the whole table."""
        if self.kept < 2:
            why = ", ".join(
                f"{one.count:,} {one.reason} in {quoted(one.column)}" for one in self.dropped
            )
            raise TableError(
                f"{self.kept} of {self.rows:,} rows of {self.table} has a number in every chosen"
                f" column ({why or 'the file has no more'}); choose columns with at least 2 such"
                " rows"
            )

    def _cell(self, batch: pa.RecordBatch, column: int, index: int) -> tuple[int, str]:
        """The row number of a cell in the file, and its content, shortened."""
        return self.rows + index + self.first_row, shorten(batch.column(column)[index].as_py())

    def _refuse_separators(self, batch: pa.RecordBatch, column: int, texts: np.ndarray) -> None:
        """Raise a `TableError` for a number that is not written plainly: to drop all of them would
        bias the result."""
        separated = matches(batch.column(column).take(pa.array(texts)), SEPARATED_NUMBER)
        if separated.any():
            row, value = self._cell(batch, column, int(texts[separated][0]))
            raise TableError(
                f"row {row:,} of column {quoted(self.names[column])} in {self.table} is"
                f" '{value}'; {PLAIN_NUMBERS}"
            )
