"""A CSV file is read whatever its encoding, delimiter and compression: the same rows each time."""

import csv
import gzip
import io
import math

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from linreg.data import csv_reader
from linreg.data.files import Dropped, open_table
from linreg.data.stream import stream_table

ENCODINGS = ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]
ROWS = [
    ["°C", "a", "Größe"],
    ["1.5", "2", "klein"],
    ["2.5", "é–€", "groß"],
    ["", "4", "“x”"],
    ["3.5", "6", ""],
]


def written(rows, delimiter=",", encoding="utf-8", packed=False):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    content = file.getvalue().encode(encoding)
    return gzip.compress(content, mtime=0) if packed else content


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_same_table_in_every_encoding(encoding, delimiter, packed, tmp_path):
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(written(ROWS, delimiter, encoding, packed))
    table = open_table(path)
    assert [(column.name, column.type) for column in table.columns] == [
        ("°C", "number"),
        ("a", "whole number"),
        ("Größe", "text"),
    ]
    assert table.head(3)["Größe"].tolist() == ["klein", "groß", "“x”"]
    assert table.csv_format.encoding == {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    assert table.csv_format.compressed == packed
    selection = table.select("°C", ["a"])
    assert selection.y.tolist() == [1.5, 3.5]
    assert selection.X.tolist() == [[2], [6]]
    assert selection.dropped == (
        Dropped("missing", 1, 4, "°C", ""),
        Dropped("not a number", 1, 3, "a", "é–€"),
    )
    pieces = stream_table(path, "°C", ["a"], rows_per_chunk=1)
    assert [piece.y.tolist() for piece in pieces] == [[1.5], [3.5]]
    assert pieces.dropped == selection.dropped


def test_plain_text_has_no_encoding_to_tell():
    assert open_table(b"y,a\n1,2\n3,4\n").csv_format.encoding == "utf-8"


@pytest.mark.parametrize("rows_before", [5, 90_000, 600_000])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_the_first_accent_may_be_far_down(rows_before, encoding, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"y,a\n" + b"1,2\n" * rows_before + "3,é\n".encode(encoding) + b"4,5\n")
    table = open_table(path)
    assert table.csv_format.encoding == encoding
    dropped = (Dropped("not a number", 1, rows_before + 2, "a", "é"),)
    assert table.select("y", ["a"]).dropped == dropped
    pieces = stream_table(path, "y", ["a"])
    assert sum(map(len, pieces)) == rows_before + 1
    assert pieces.dropped == dropped


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_character_may_lie_across_two_blocks(encoding, shift):
    """A file is read a megabyte at a time. Most of it is characters of as many bytes as there
    can be, so that the end of a block is inside of one for most shifts. UTF-16 without a mark is
    told by what most characters have in it, a zero byte."""
    is_told_by_zeros = encoding in ("utf-16-le", "utf-16-be")
    text = 40 * ("€uro" if is_told_by_zeros or encoding == "cp1252" else "😀")
    without_mark = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    row = f"1,2,{text}\n".encode(without_mark)
    count = 2 * 2**20 // len(row) + 1_000
    content = written([["y", "a", "n" + "x" * shift]], encoding=encoding) + row * count
    assert len(content) > 2 * 2**20
    table = open_table(content)
    assert table.rows == count
    assert set(table.head(count).iloc[:, 2]) == {text}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_blank_lines_at_the_end_are_no_rows(encoding):
    for end in ("", "\n", "\n\n\n", "\r\n\r\n", "\n" * 300_000):
        assert open_table(f"y,a,é\n1,2,3\n\n4,5,6{end}".encode(encoding)).rows == 3


@pytest.mark.slow
def test_a_compressed_file_tells_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_reader, "BLOCK", 1 << 14)  # many more than Arrow reads ahead
    generator = np.random.default_rng(0)
    rows = [["y", "a"], *generator.normal(size=(100_000, 2)).tolist()]
    path = tmp_path / "t.csv.gz"
    path.write_bytes(written(rows, packed=True))
    told = []
    pieces = stream_table(path, "y", ["a"], progress=lambda *at: told.append(at))
    np.testing.assert_array_equal(
        np.concatenate([piece.y for piece in pieces]), [r[0] for r in rows[1:]]
    )
    done = [at for at, _ in told]
    assert done == sorted(done)
    assert told[-1] == (path.stat().st_size,) * 2
    assert len(set(done)) > 1


# ---- against Python's own csv and float ----------------------------------------------------------

NUMBERS = st.floats(allow_nan=False).map(repr) | st.integers(-(10**20), 10**20).map(str)
ODD = ["", "NA", "null", "nan", " ", "?", "x", "-inf", "1e400", "-2e100", " 7", "8. ", "+.5", "1e"]
ODD += ["true", "2024-01-31", "0x10", "é", "–", "a;b", "a|b", 'q"q', "two\nlines", "--1", "1.5.2"]
MISSING = {"", "NA", "null", "nan"}


def reason(text):
    """Why a cell is no number to compute with; None if it is one."""
    text = text.strip(" ")
    if text in MISSING:
        return "missing"
    try:
        value = float(text)
    except ValueError:
        return "not a number"
    if math.isinf(value) and not any(character.isdigit() for character in text):
        return "infinite"
    return "too large" if abs(value) > 1e100 else None


@pytest.mark.slow
@examples(50)
@given(
    st.lists(st.tuples(*[NUMBERS | st.sampled_from(ODD)] * 3), max_size=20),
    st.sampled_from(",;\t|"),
    st.sampled_from(ENCODINGS),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_the_rows_are_those_of_python_s_csv_and_float(
    tmp_path_factory, rows, delimiter, encoding, packed, line_break, quoting
):
    good = [("1", "2", "3")] * (len(rows) + 2)  # so that no column is text
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=line_break, quoting=quoting)
    writer.writerows([("y", "a", "°b"), *good, *rows])
    content = file.getvalue().encode(encoding)
    path = tmp_path_factory.getbasetemp() / "random.csv"
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)

    text = content.decode(encoding)
    names, *cells = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    expected, dropped = [], {}
    for number, row in enumerate(cells, 2):
        faults = [(column, reason(cell), cell) for column, cell in enumerate(row) if reason(cell)]
        if not faults:
            expected.append([float(cell) for cell in row])
        else:
            column, why, cell = faults[0]
            dropped.setdefault((column, why), [0, number, cell])[0] += 1
    selection = open_table(path).select("y", ["a", "°b"])
    assert np.column_stack([selection.y, selection.X]).tolist() == expected
    assert {(one.column, one.reason): (one.count, one.first_row) for one in selection.dropped} == {
        (names[column], why): (count, number)
        for (column, why), (count, number, _) in dropped.items()
    }
    for one in selection.dropped:
        content_of_cell = dropped[names.index(one.column), one.reason][2]
        if one.reason != "missing":
            assert one.value[:20] == " ".join(content_of_cell.split())[:20]
    parts = list(stream_table(path, "y", ["a", "°b"], rows_per_chunk=3))
    np.testing.assert_array_equal(np.concatenate([part.X for part in parts]), selection.X)
    np.testing.assert_array_equal(np.concatenate([part.y for part in parts]), selection.y)
