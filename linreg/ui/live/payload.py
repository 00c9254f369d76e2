"""What goes to the browser: JSON, and the numbers beside it as they lie in memory."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

ALIGNMENT = 8  # bytes, of the JSON's end and of every array: typed arrays cannot begin elsewhere
MIN_REPEATS = 2  # of each text of a column, from which on it is sent by number
MIN_PART = 40  # characters of a part of the JSON that is sent once
DTYPES = ("int8", "int16", "int32", "float32", "float64")  # that a typed array has


def pack(value: Any) -> bytes:
    """The value as bytes, for `unpack` in `payload.js`.

    `value` consists of dicts, sequences, texts, numbers, NumPy arrays and pandas columns. In the
    JSON an array is `{"array": [dtype, offset, length]}`, its offset counted from the JSON's end,
    a column of texts that repeat `{"codes": array, "categories": […]}`, and one of other texts a
    list. The first four bytes are the length of the JSON, little-endian.

    Columns are sent in the narrowest dtype that holds their values. What is equal is sent once:
    arrays, the halves of one (`[dtype, offset, length of a half, 2]`), and parts of the JSON, which
    stand in its list `parts` and where they belong as `{"part": index}`.
    """
    arrays = _Arrays()
    tree = with_parts(arrays.taken_out(value))
    text = json.dumps(tree, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-(len(text) + 4) % ALIGNMENT)
    return b"".join([struct.pack("<I", len(text)), text, *arrays.parts])


def with_parts(tree: Any) -> dict[str, Any]:
    """A tree of JSON values as `{"value": tree, "parts": […]}`, its equal parts taken out."""
    parts = _Parts()
    root = parts.number_of(tree)
    return {"value": parts.written(root), "parts": parts.taken_out}


class _Parts:
    """The different dicts and lists of a tree, numbered, each after what is in it."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}  # shape -> number
        self.shapes: list[Any] = []
        self.sizes: list[int] = []  # characters, about
        self.uses: list[int] = []  # in different dicts and lists
        self.indices: dict[int, int] = {}  # number -> index in `taken_out`
        self.taken_out: list[Any] = []

    def number_of(self, node: Any) -> int:
        """The number of a dict, a list, or another value."""
        items: tuple[Any, ...] = ()
        if isinstance(node, dict):
            items = tuple((name, self.number_of(part)) for name, part in node.items())
            shape: Any = (dict, items)
        elif isinstance(node, list):
            items = tuple(("", self.number_of(part)) for part in node)
            shape = (list, items)
        else:
            shape = (type(node), node, repr(node))  # 0.0 and -0.0 are two
        if shape not in self.numbers:
            self.numbers[shape] = len(self.shapes)
            self.shapes.append(shape)
            within = sum(len(name) + self.sizes[part] + 4 for name, part in items)
            self.sizes.append(within if items else len(str(node)))
            self.uses.append(0)
            for _, part in items:
                self.uses[part] += 1
        return self.numbers[shape]

    def written(self, number: int) -> Any:
        """A node with references in the place of parts."""
        kind, content, *_ = self.shapes[number]
        if kind is dict:
            return {name: self._reference(part) for name, part in content}
        if kind is list:
            return [self._reference(part) for _, part in content]
        return content

    def _reference(self, number: int) -> Any:
        is_container = self.shapes[number][0] in (dict, list)
        if not is_container or self.uses[number] < 2 or self.sizes[number] < MIN_PART:
            return self.written(number)
        if number not in self.indices:
            part = self.written(number)
            self.indices[number] = len(self.taken_out)
            self.taken_out.append(part)
        return {"part": self.indices[number]}


class _Arrays:
    """The arrays that are taken out of a value."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.offsets: dict[bytes, int] = {}  # of what is there already

    def taken_out(self, value: Any) -> Any:
        """The value with references in the place of arrays."""
        if isinstance(value, Mapping):
            return {str(name): self.taken_out(part) for name, part in value.items()}
        if isinstance(value, pd.Series):
            return self._column(value)
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self.taken_out(part) for part in value]
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return value

    def _column(self, column: pd.Series) -> Any:
        if isinstance(column.dtype, pd.CategoricalDtype):
            return self._categories(column)
        values = column.to_numpy()
        if values.dtype.kind in "iufb":
            return self._array(_narrowest(values))
        texts = values.tolist()
        if len(set(texts)) <= len(texts) / MIN_REPEATS:
            return self._categories(column.astype("category"))
        return texts

    def _categories(self, column: pd.Series) -> dict[str, Any]:
        codes, categories = column.cat.codes.to_numpy(), column.cat.categories.tolist()
        return {"codes": self._array(codes), "categories": categories}

    def _array(self, array: np.ndarray) -> dict[str, Any]:
        array = np.ascontiguousarray(_for_typed_array(array)).ravel()
        dtype, size, times = array.dtype.name, array.size, 1
        data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        if size and size % 2 == 0 and data[: len(data) // 2] == data[len(data) // 2 :]:
            data, size, times = data[: len(data) // 2], size // 2, 2  # of two sides
        data += b"\0" * (-len(data) % ALIGNMENT)
        if data not in self.offsets:
            self.offsets[data] = self.size
            self.parts.append(data)
            self.size += len(data)
        return {"array": [dtype, self.offsets[data], size, *([times] if times > 1 else [])]}


def _for_typed_array(array: np.ndarray) -> np.ndarray:
    """The array in a dtype that JavaScript has; integers of 64 bits in fewer where they fit."""
    if array.dtype.name in DTYPES:
        return array
    if array.dtype.kind in "iub":
        return _narrowest(array)
    return array.astype(np.float64)


def _narrowest(array: np.ndarray) -> np.ndarray:
    """The array in the dtype of fewest bytes that holds exactly its values."""
    if array.dtype.kind in "iub":
        for dtype in (np.int8, np.int16, np.int32):
            limits = np.iinfo(dtype)
            if not array.size or (array.min() >= limits.min and array.max() <= limits.max):
                return array.astype(dtype)
        return array.astype(np.float64)
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):
            single = array.astype(np.float32)
        return single if np.array_equal(single, array, equal_nan=True) else array
    return array
