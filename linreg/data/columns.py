"""Cells as numbers, and what a column holds.

A number has a decimal point, or a decimal comma where the file allows it, and blanks around it are
ignored. An empty cell, NA, null and NaN are missing. A column with fewer numbers than texts is
text. Booleans, dates and nested values are not numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from jaxtyping import Bool, Float, Int8

from linreg.data.errors import TableError, quoted

MAX_COLUMNS = 1_000
MAX_MAGNITUDE = 1e100  # the sum of larger squares may overflow


class Fault(IntEnum):
    """Why a cell cannot be used in a regression."""

    NONE = 0
    MISSING = 1
    TEXT = 2
    INFINITE = 3
    TOO_LARGE = 4


@dataclass(frozen=True)
class Column:
    """A column of a table: its `type` in words, whether it can be regressed on, how many of its
    cells are empty, and whether its numbers differ."""

    name: str
    type: str  # number, whole number, separated number, text, date, yes/no, nested, empty or other
    numeric: bool
    missing: int
    varies: bool = True


NULLS = ["", "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A"]
NULLS += ["NULL", "null", "NaN", "nan", "-NaN", "-nan"]
NUMBER = r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|(?i:inf(inity)?|nan))$"
SEPARATED_NUMBER = (
    r"^[+-]?([0-9]{1,3}([,'’ \x{a0}\x{202f}][0-9]{3})+([.,][0-9]+)?"
    r"|[0-9]{1,3}(\.[0-9]{3})+,[0-9]+|[0-9]{1,3}(\.[0-9]{3}){2,}|[0-9]+,[0-9]+)$"
)
TEXT_TYPES = {
    "separated number": SEPARATED_NUMBER,
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?$",
    "yes/no": "^(?i:true|false|yes|no)$",
}
ARROW_TYPES: dict[str, Callable[[pa.DataType], bool]] = {
    "yes/no": pa.types.is_boolean,
    "date": lambda kind: pa.types.is_date(kind) or pa.types.is_timestamp(kind),
    "nested": pa.types.is_nested,
}


def check_names(name: str, names: Sequence[str]) -> None:
    """Raise a `TableError` for a file with too many columns, or two of one name."""
    if len(names) > MAX_COLUMNS:
        raise TableError(
            f"{name} has {len(names):,} columns, above the {MAX_COLUMNS:,} that are read;"
            " leave some out"
        )
    if len(set(names)) < len(names):
        twice = next(one for k, one in enumerate(names) if one in names[:k])
        raise TableError(f"{name} has two columns named {quoted(twice)}; rename one of them")


def parse_cells(
    cells: pa.Array, decimal_comma: bool
) -> tuple[Float[np.ndarray, " n"], Int8[np.ndarray, " n"]]:
    """The number in each cell, and its `Fault`; the number of a faulty cell means nothing."""
    if pa.types.is_dictionary(cells.type):  # each text once, however often it occurs
        values, faults = parse_cells(cells.dictionary, decimal_comma)
        index = _dictionary_index(cells)
        return np.append(values, np.nan)[index], np.append(faults, np.int8(Fault.MISSING))[index]
    kind = cells.type
    text = overflow = np.zeros(len(cells), bool)
    if _is_text(kind):
        cells = cells.cast(pa.large_string())
        values, text = _parse_texts(cells, decimal_comma)
        if np.isinf(values).any():  # written with digits, it is finite but above every float
            overflow = np.isinf(values) & _to_numpy(pc.match_substring_regex(cells, "[0-9]"))
    elif (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    ):
        values = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    else:
        values, text = np.full(len(cells), np.nan), _to_numpy(cells.is_valid())
    faults = np.zeros(len(cells), np.int8)
    faults[np.isnan(values)] = Fault.MISSING
    faults[np.abs(values) > MAX_MAGNITUDE] = Fault.TOO_LARGE
    faults[np.isinf(values) & ~overflow] = Fault.INFINITE
    faults[text] = Fault.TEXT
    return values, faults


def _parse_texts(
    cells: pa.Array, decimal_comma: bool
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The number in each text, NaN where there is none, and which cells hold another text."""
    text = np.zeros(len(cells), bool)
    try:
        values = cells.cast(pa.float64())
    except pa.ArrowInvalid:  # Arrow refuses all cells for the sake of one
        cells = pc.utf8_trim_whitespace(cells)
        null = pa.scalar(None, cells.type)
        cells = pc.if_else(pc.is_in(cells, pa.array(NULLS, cells.type)), null, cells)
        if decimal_comma:
            has_comma = pc.match_substring_regex(cells, "^[^.,]*,[^.,]*$")
            cells = pc.if_else(has_comma, pc.replace_substring(cells, ",", "."), cells)
        is_number = pc.match_substring_regex(cells, NUMBER)
        text = _to_numpy(pc.invert(is_number))
        values = pc.if_else(is_number, cells, null).cast(pa.float64())
    return values.to_numpy(zero_copy_only=False), text


def matches(cells: pa.Array, pattern: str) -> Bool[np.ndarray, " n"]:
    """Which cells are texts that match a regular expression, without the blanks around them."""
    if pa.types.is_dictionary(cells.type):
        found = np.append(matches(cells.dictionary, pattern), False)
        return np.asarray(found[_dictionary_index(cells)])
    if not _is_text(cells.type):
        return np.zeros(len(cells), bool)
    trimmed = pc.utf8_trim_whitespace(cells.cast(pa.large_string()))
    return _to_numpy(pc.match_substring_regex(trimmed, pattern))


def _to_numpy(array: pa.Array) -> Bool[np.ndarray, " n"]:
    """Booleans, false where null."""
    return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False))


def _dictionary_index(cells: pa.DictionaryArray) -> np.ndarray:
    """Where each cell is in its dictionary; one past the end for an empty cell."""
    index = cells.indices.cast(pa.int64()).fill_null(len(cells.dictionary))
    return np.asarray(index.to_numpy(zero_copy_only=False))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


class ColumnProfile:
    """Counts what a column holds, batch by batch."""

    def __init__(self, name: str, decimal_comma: bool) -> None:
        self.name, self.decimal_comma = name, decimal_comma
        self.fault_counts = np.zeros(len(Fault), int)
        self.text_type_counts = dict.fromkeys(TEXT_TYPES, 0)
        self.whole = True
        self.low, self.high = np.inf, -np.inf
        self.kind = pa.null()

    def update(self, cells: pa.Array) -> pa.Array:
        """Count a batch. Returns its numbers, or its cells as they are if some are faulty."""
        values, faults = parse_cells(cells, self.decimal_comma)
        counts = np.bincount(faults, minlength=len(Fault))
        self.fault_counts += counts
        self.kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
        good = values if counts[Fault.NONE] == len(values) else values[faults == Fault.NONE]
        self.whole = self.whole and bool((good == np.floor(good)).all())
        self.low = min(self.low, good.min(initial=np.inf))
        self.high = max(self.high, good.max(initial=-np.inf))
        if counts[Fault.TEXT]:
            for words, pattern in TEXT_TYPES.items():
                self.text_type_counts[words] += int(matches(cells, pattern).sum())
        if counts[Fault.TEXT :].any():
            return cells
        return pa.array(values, mask=faults == Fault.MISSING)

    def column(self) -> Column:
        """The column as counted so far."""
        texts, missing = (int(self.fault_counts[fault]) for fault in (Fault.TEXT, Fault.MISSING))
        numbers = int(self.fault_counts.sum()) - texts - missing
        numeric = numbers > 0 and numbers >= texts
        if numeric:
            words = "whole number" if self.whole else "number"
        elif not numbers and not texts:
            words = "empty"
        elif _is_text(self.kind):
            types = (words for words, count in self.text_type_counts.items() if count == texts)
            words = next(types, "text")
        else:
            words = next((w for w, is_kind in ARROW_TYPES.items() if is_kind(self.kind)), "other")
        return Column(self.name, words, numeric, missing, bool(self.low < self.high))
