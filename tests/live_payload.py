"""What Python sends to the live figures, read as the browser reads it."""

import json
import struct

import numpy as np


def unpacked(packed):
    """The value, with NumPy's arrays in the place of typed ones."""
    (size,) = struct.unpack("<I", packed[:4])
    begin = 4 + size
    assert begin % 8 == 0, "a typed array can begin there"

    def filled(value):
        if isinstance(value, list):
            return [filled(part) for part in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"part"}:
            return filled(sent["parts"][value["part"]])
        if set(value) == {"array"}:
            dtype, offset, length, times = (*value["array"], 1)[:4]
            assert offset % 8 == 0
            return np.tile(np.frombuffer(packed, np.dtype(dtype), length, begin + offset), times)
        if set(value) == {"codes", "categories"}:
            categories = filled(value["categories"])
            return [categories[code] for code in filled(value["codes"])]
        return {name: filled(part) for name, part in value.items()}

    sent = json.loads(packed[4:begin])
    return filled(sent["value"])
