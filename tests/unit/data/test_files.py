"""Files are read as a person reads them: the numbers, what was left out and where, and one clear
sentence for the rest."""

import gzip
import hashlib
import io
import pickle
import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from linreg.data import files
from linreg.data.files import BUNDLED, Dropped, TableError, open_bundled, open_table
from linreg.data.stream import stream_table
from linreg.settings.limits import LIMITS

PLAIN = "y,a,b\n1,2,3\n4,5.5,-6\n7e1,8,9\n"


def parquet(columns, **options):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    return file.getvalue()


def both(content, tmp_path, target="y", features=("a",), rows_per_chunk=2):
    """The selection from memory, after checking that the file on disk streams to the same."""
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = open_table(path).select(target, features)
    pieces = stream_table(path, target, features, rows_per_chunk)
    parts = list(pieces)
    assert all(1 <= part.kept <= rows_per_chunk for part in parts)
    np.testing.assert_array_equal(np.concatenate([part.X for part in parts]), found.X)
    np.testing.assert_array_equal(np.concatenate([part.y for part in parts]), found.y)
    assert pieces.dropped == found.dropped
    assert pieces.kept == found.kept
    return found


# ---- what is read --------------------------------------------------------------------------------


def test_the_bundled_cars_are_ucis():
    """398 cars, 6 without horsepower, mean mpg 23.514573; the fit as printed in James et al.
    (ISLR), 392 rows."""
    table = open_bundled("auto-mpg")
    entry = BUNDLED["auto-mpg"]
    assert table.rows == 398
    assert {column.name: column.missing for column in table.columns if column.missing} == {
        "horsepower": 6
    }
    assert [column.name for column in table.columns if not column.numeric] == ["origin", "name"]
    assert table.select("mpg", ["weight"]).y.mean() == pytest.approx(23.514573, abs=5e-7)
    found = table.select(entry.target, entry.features)
    assert found.kept == 392
    assert found.dropped == (Dropped("missing", 6, 34, "horsepower", ""),)
    fit = np.linalg.lstsq(np.column_stack([np.ones(392), found.X]), found.y)
    np.testing.assert_allclose(fit[0], [45.6402, -0.0473, -0.005794], rtol=2e-4)
    assert 1 - fit[1][0] / found.y.var() / 392 == pytest.approx(0.7064, abs=5e-5)
    years = table.select("model_year", ["weight"]).y
    assert np.bincount(years.astype(int))[70:].tolist() == [
        29,
        28,
        28,
        40,
        27,
        30,
        34,
        28,
        36,
        29,
        29,
        29,
        31,
    ]


@pytest.mark.parametrize("entry", BUNDLED.values(), ids=list(BUNDLED))
def test_every_bundled_table_can_be_regressed_on(entry):
    key = next(key for key, one in BUNDLED.items() if one is entry)
    assert open_bundled(key).select(entry.target, entry.features).kept > 100
    assert (
        entry.source.split(",")[0].encode()
        in (files.Path(files.__file__).parent / "bundled/README.md").read_bytes()
    )
    with pytest.raises(TableError, match=r"no bundled table 'iris'; choose one of auto-mpg"):
        open_bundled("iris")


@pytest.mark.parametrize(
    "content", [PLAIN, PLAIN.replace("\n", "\r\n"), PLAIN.rstrip(), PLAIN + "\n\n", "\n" + PLAIN]
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_way_to_write_the_same_table(content, mark, delimiter, tmp_path):
    found = both(mark + content.replace(",", delimiter), tmp_path, features=("a", "b"))
    assert found.X.tolist() == [[2, 3], [5.5, -6], [8, 9]]
    assert found.y.tolist() == [1, 4, 70]
    assert found.dropped == ()


def test_a_path_bytes_and_an_uploaded_file_are_the_same_table(tmp_path):
    path = tmp_path / "cars.csv"
    path.write_text(PLAIN)
    upload = io.BytesIO(PLAIN.encode())
    upload.name = "cars.csv"
    upload.read()
    opened = [
        open_table(path),
        open_table(str(path)),
        open_table(upload),
        open_table(PLAIN.encode(), "cars.csv"),
    ]
    assert {(one.name, one.rows, one.columns, one.digest) for one in opened} == {
        ("cars.csv", 3, opened[0].columns, hashlib.sha256(PLAIN.encode()).hexdigest()[:16])
    }
    assert not upload.closed
    assert open_table(PLAIN.encode()).name == "the table"
    assert open_table(PLAIN.replace("9", "8").encode()).digest != opened[0].digest


def test_the_types_are_in_words_and_the_head_is_as_in_the_file():
    rows = [
        "n,w,t,d,b,e,m",
        "1.5,1,abc,2024-01-31,true,,1",
        "2,2,NA,2024-02-01T10:00:00Z,No,,?",
        "3,,5 m,,,,3",
    ]
    table = open_table("\n".join(rows).encode())
    assert [
        (column.name, column.type, column.numeric, column.missing) for column in table.columns
    ] == [
        ("n", "number", True, 0),
        ("w", "whole number", True, 1),
        ("t", "text", False, 1),
        ("d", "date", False, 1),
        ("b", "yes/no", False, 1),
        ("e", "empty", False, 3),
        ("m", "whole number", True, 0),
    ]
    head = table.head(2)
    assert head["w"].tolist() == [1, 2]
    assert head["w"].dtype == "Int64"
    assert head["m"].tolist() == ["1", "?"]
    assert head["d"].tolist() == ["2024-01-31", "2024-02-01T10:00:00Z"]
    assert len(table.head(99)) == 3
    assert open_table(b"y,a\n1,1e20\n2,-3e30\n").head()["a"].tolist() == [1e20, -3e30]
    assert open_table(parquet({"y": [1.0, 2.0, 3.0], "a": [1.0, np.inf, None]})).head()[
        "a"
    ].tolist()[:2] == [1, np.inf]


@pytest.mark.slow
def test_a_fault_far_down_in_a_file(tmp_path):
    content = "y,a,t\n" + "1,2,3\n" * 300_000 + "4,?,x\n" * 2 + "5,6,7\n"
    found = both(content, tmp_path, rows_per_chunk=70_000)
    assert found.kept == 300_001
    assert found.dropped == (Dropped("not a number", 2, 300_002, "a", "?"),)
    table = open_table(content.encode())
    assert [column.type for column in table.columns] == ["whole number"] * 3
    assert table.head(300_003).iloc[-2:].to_numpy().tolist() == [[4, "?", "x"], [5, "6", "7"]]
    assert table.head(2).to_numpy().tolist() == [[1, 2, 3], [1, 2, 3]]


def test_parquet_types_and_their_head(tmp_path):
    content = parquet(
        {
            "y": pa.array([1.5, float("nan"), None, 4.0]),
            "a.b": pa.array([1, 2, 3, 2**63 + 5], pa.uint64()),
            "a": pa.array([{"b": 1}] * 4),
            "list": [[1], [2], [], None],
            "half": pa.array(np.array([1, 2, 3, 4], np.float16)),
            "money": pa.array([1, 2, 3, None], pa.decimal128(9, 2)),
            "text": ["x", "y", "z", "x"],
            "typed": [" 1.5", "+2", "3e0", "inf"],
            "kind": pa.array(["u", "v", None, "u"]).dictionary_encode(),
            "day": pa.array([0, 1, 2, None], pa.date32()),
            "flag": [True, False, None, True],
            "raw": [b"1", b"2", b"3", b"4"],
            "none": pa.nulls(4),
        }
    )
    table = open_table(content)
    assert {
        column.name: (column.type, column.numeric, column.missing) for column in table.columns
    } == {
        "y": ("number", True, 2),
        "a.b": ("whole number", True, 0),
        "a": ("nested", False, 0),
        "list": ("nested", False, 1),
        "half": ("whole number", True, 0),
        "money": ("whole number", True, 1),
        "text": ("text", False, 0),
        "typed": ("number", True, 0),
        "kind": ("text", False, 1),
        "day": ("date", False, 1),
        "flag": ("yes/no", False, 1),
        "raw": ("other", False, 0),
        "none": ("empty", False, 4),
    }
    assert table.head(2).shape == (2, 13)
    found = both(content, tmp_path, features=("a.b", "half"))
    assert found.X.tolist() == [[1, 1], [2.0**63, 4]]
    assert found.dropped == (Dropped("missing", 2, 2, "y", ""),)
    typed = both(content, tmp_path, "half", ("typed",))
    assert typed.X.ravel().tolist() == [1.5, 2, 3]
    assert typed.dropped == (Dropped("infinite", 1, 4, "typed", "inf"),)
    for name in ("a", "list", "text", "kind", "day", "flag", "raw"):
        with pytest.raises(
            TableError, match=f"column '{name}' of the table holds no numbers: row 1 is "
        ):
            table.select("y", [name])


def test_rows_that_hold_no_number_are_counted_by_reason_at_their_first_row(tmp_path):
    content = "y,a\n" + "\n".join(
        ["1,1", ",?", "2,", "3,?", "4,inf", "5,-1e300", "6,2", "NA,3", "7,1e400", "8," + "9" * 400]
    )
    found = both(content, tmp_path)
    assert found.y.tolist() == [1, 6]
    assert found.dropped == (
        Dropped("missing", 2, 3, "y", ""),
        Dropped("missing", 1, 4, "a", ""),
        Dropped("not a number", 1, 5, "a", "?"),
        Dropped("infinite", 1, 6, "a", "inf"),
        Dropped("too large", 3, 7, "a", "-1e300"),
    )
    assert sum(one.count for one in found.dropped) == 10 - found.kept


def test_rows_are_counted_as_a_spreadsheet_shows_them(tmp_path):
    # two blank lines, the header is row 3, 6 is blank and 8 faulty
    content = '\n\n"y\nz",a\n1,2\n\n"3\n",4\n5,"x\ny"\n7,8\n'
    found = both(content, tmp_path, "y\nz")
    assert found.y.tolist() == [1, 3, 7]
    assert found.dropped == (
        Dropped("missing", 1, 5, "y\nz", ""),
        Dropped("not a number", 1, 7, "a", "x y"),
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (['"1.5"', '" 2 "', '"3"'], [1.5, 2, 3]),
        (["+1", "-.5", "2."], [1, -0.5, 2]),
        (["1E3", "1e-3", "007"], [1000, 0.001, 7]),
        (["-0", "0.1", "12345678901234567890"], [0, 0.1, 12345678901234567890.0]),
    ],
)
def test_numbers_in_every_spelling(cells, expected, tmp_path):
    assert (
        both("y,a\n" + "\n".join(f"1,{cell}" for cell in cells), tmp_path).X.ravel().tolist()
        == expected
    )


def test_a_file_with_semicolons_may_have_decimal_commas(tmp_path):
    found = both("y;a\n1,5;2\n-2,25;3,5e2\n3.5;?\n4,0;5\n", tmp_path)
    assert found.y.tolist() == [1.5, -2.25, 4]
    assert found.X.ravel().tolist() == [2, 350, 5]


@pytest.mark.parametrize("text", ["1.5,2", "0x10", "1_000", "1e", "--1", "1 2", "12%", "٣"])
def test_what_only_looks_like_a_number_is_text(text, tmp_path):
    found = both(f'y;a\n1;1\n2;"{text}"\n3;3\n', tmp_path)
    assert found.X.ravel().tolist() == [1, 3]


def test_names_survive_as_they_are(tmp_path):
    names = ["<b>y</b>", "a\nb", "*x* `c` $d$ [e](f)", "; drop", "ΔΤ °C", "", '"q"', "NA"]
    frame = pd.DataFrame(np.arange(24.0).reshape(3, 8), columns=names)
    frame.to_csv(tmp_path / "names.csv", index=False)
    table = open_table(tmp_path / "names.csv")
    assert [column.name for column in table.columns] == [*names[:5], "column 6", *names[6:]]
    found = table.select("<b>y</b>", ["a\nb", "column 6", '"q"', "NA"])
    np.testing.assert_array_equal(found.X, frame.to_numpy()[:, [1, 5, 6, 7]])
    assert open_table(parquet({name: [1.0, 2.0] for name in names})).select("", names[:2]).kept == 2


@pytest.mark.slow
@examples(60)
@given(
    st.lists(
        st.tuples(
            *[st.floats(-1e90, 1e90) | st.sampled_from(["", "NA", "?", " ", "x;y", "inf"])] * 3
        ),
        min_size=3,
    ),
    st.sampled_from(",;\t"),
)
def test_the_numbers_are_those_of_pandas(rows, delimiter):
    rows = [(1, 2, 3)] * len(rows) + rows  # so that no column is text
    text = pd.DataFrame(rows, columns=["y", "a", "b"]).to_csv(index=False, sep=delimiter)
    expected = pd.read_csv(io.StringIO(text), sep=delimiter).apply(pd.to_numeric, errors="coerce")
    expected = expected[np.isfinite(expected).all(axis=1)].to_numpy()
    found = open_table(text.encode()).select("y", ["a", "b"])
    np.testing.assert_allclose(np.column_stack([found.y, found.X]), expected, rtol=1e-15)
    assert sum(one.count for one in found.dropped) == len(rows) - found.kept


def test_a_table_can_be_pickled_and_says_what_it_holds():
    for content in (PLAIN.encode(), parquet({"y": [1.0, 2.0], "a": [3.0, 4.0]})):
        table = open_table(content)
        again = pickle.loads(pickle.dumps(table))
        np.testing.assert_array_equal(again.select("y", ["a"]).X, table.select("y", ["a"]).X)
        assert 0 < table.bytes < 5_000


@pytest.mark.slow
def test_a_stream_tells_how_far_it_is_and_can_be_read_again(tmp_path):
    rows = 200_000
    table = {"y": np.arange(rows) / 7, "a": np.arange(rows) % 13}
    (tmp_path / "t.parquet").write_bytes(parquet(table))
    pd.DataFrame(table).to_csv(tmp_path / "t.csv", index=False)
    for name, total in (("t.csv", (tmp_path / "t.csv").stat().st_size), ("t.parquet", rows)):
        told = []
        pieces = stream_table(
            tmp_path / name, "y", ("a",), 10_000, lambda *at, told=told: told.append(at)
        )
        for _ in range(2):
            np.testing.assert_array_equal(np.concatenate([part.y for part in pieces]), table["y"])
            assert pieces.kept == rows
        done = [at for at, of in told]
        assert done[: len(done) // 2] == sorted(done[: len(done) // 2])
        assert told[-1] == (total, total)


@pytest.mark.slow
def test_a_stream_holds_one_piece_at_a_time(tmp_path):
    """Python's own share; Arrow's is measured in the benchmarks."""
    pd.DataFrame(np.zeros((400_000, 2)), columns=["y", "a"]).to_csv(tmp_path / "t.csv", index=False)
    tracemalloc.start()
    for _ in stream_table(tmp_path / "t.csv", "y", ("a",), 1_000):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6


# ---- what is refused -----------------------------------------------------------------------------

DAMAGED_GZIP = "t.csv is compressed with gzip, but damaged or cut off; save or load it once more"
ACCENT_FIRST = "y,a\n1,é\n".encode()  # so that it is UTF-8
SMALL_PARQUET = parquet({"y": np.arange(9.0), "a": [None, 1.5] * 4 + [2.5], "t": list("abcabcabc")})
GOOD_PARQUET = parquet({"y": np.arange(5_000.0), "a": np.arange(5_000.0) ** 0.5})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "t.csv is empty; use CSV or Parquet"),
        (b"  \n\n", "t.csv is empty"),
        (bytes(range(256)) * 40, "t.csv is neither CSV nor Parquet"),
        (b"\x89PNG\r\n\x1a\n" + bytes(5_000), "t.csv is neither CSV nor Parquet"),
        (b"PK\x03\x04rest", "t.csv is a workbook or an archive; save its sheet as CSV"),
        (b"\x1f\x8brest", DAMAGED_GZIP),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-9], DAMAGED_GZIP),
        (gzip.compress(bytes(range(256)) * 40), "t.csv is neither CSV nor Parquet"),
        (gzip.compress(b"", mtime=0), "t.csv is empty"),
        (
            PLAIN.encode("utf-16")[:-1],
            r"line 4 of t.csv is not UTF-16, unlike the beginning .*; save it as UTF-8",
        ),
        (PLAIN.replace("5.5", "\0").encode("utf-16"), "line 3 of t.csv holds a NUL byte"),
        (
            b"y,a\n1,2\n3,\x81\n",
            r"line 3 of t.csv is neither UTF-8 nor Windows-1252 \(byte 0x81\); save it as UTF-8",
        ),
        ("\ny,°\x81\n1,2\n".encode("latin-1"), "line 2 of t.csv is neither UTF-8 nor Windows-1252"),
        (
            b"y,a\n" + b"1,2\n" * 90_000 + b"1,\x81\n",
            "line 90,002 of t.csv is neither UTF-8 nor Windows-1252",
        ),
        (
            b"y,a\n" + b"1,2\n" * 600_000 + b"1,\x81\n",
            "line 600,002 of t.csv is neither UTF-8 nor Windows-1252",
        ),
        (
            ACCENT_FIRST + b"1,2\n" * 600_000 + b"1,\xff\n",
            r"line 600,003 of t.csv is not UTF-8, unlike .*\(byte 0xff\)",
        ),
        (b"y,a\n1,2\n3,4\0\n" + b"5,6\n" * 30, "line 3 of t.csv holds a NUL byte"),
        (b"y,a", "t.csv has a header but no rows"),
        (b"y,a\n\n", "t.csv has a header but no rows"),
        (b"y,a\n1,2\n", "t.csv has 1 row; a regression needs at least 2 rows"),
        (b"y,a,y\n1,2,3\n4,5,6\n", "t.csv has two columns named 'y'; rename one"),
        (b"y, y\n1,2\n4,5\n", "t.csv has two columns named 'y'"),
        (
            b"y,a\n1,2\n3\n4,5\n",
            "row 3 of t.csv has 1 field, but the header has 2: '3'; use as many",
        ),
        (b"\ny,a\n1,2\n\n3,4,5\n", "row 5 of t.csv has 3 fields, but the header has 2: '3,4,5'"),
        (b"y,a\n" + b"1,2\n" * 600_000 + b"1\n", "row 600,002 of t.csv has 1 field"),
        (b'y,a\n1,"2\n' + b"3,4\n" * 600_000, "close an open quotation mark or shorten the cell"),
        (
            b"y,a\n" + b"1,2\n" * 50 + b'1,"2\n' + b"3,4\n" * 600_000,
            "row of more than 1,048,576 bytes; close an",
        ),
        (b"x" * 1_100_000, "has no line break in its first 1,048,576 bytes"),
        (
            b'y,a\n1,"' + b"x" * 200_000 + b'"\n2,3\n',
            r"not readable as CSV \(field larger .*; close an open",
        ),
        (
            ",".join(f"c{k}" for k in range(1_001)).encode() + b"\n",
            "t.csv has 1,001 columns, above the 1,000",
        ),
        (
            b"y,a\nu,v\nw,x\n",
            "t.csv has no column of numbers, but a regression needs a target"
            " and at least 1 feature",
        ),
        (b"y,a\n1,v\n2,x\n", r"t.csv has 1 column of numbers \('y'\)"),
        (b"PAR1", "t.csv is Parquet, but damaged or cut off"),
        (GOOD_PARQUET[:-1], "t.csv is Parquet, but damaged or cut off"),
        (GOOD_PARQUET[: len(GOOD_PARQUET) // 2], "t.csv is Parquet, but damaged or cut off"),
        (
            GOOD_PARQUET[:200] + bytes(400) + GOOD_PARQUET[600:],
            "t.csv is Parquet, but damaged or cut off",
        ),
        (parquet({"y": [1.0], "a": [1.0]}), "t.csv has 1 row"),
        (parquet({"y": pa.array([], pa.float64())}), "t.csv has a header but no rows"),
        (parquet({f"c{k}": [1.0, 2.0] for k in range(1_001)}), "t.csv has 1,001 columns"),
    ],
)
def test_a_bad_file_gets_one_clear_sentence(content, sentence, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=sentence) as error:
        open_table(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (ACCENT_FIRST + b"1,2\n" * 600_000 + b"1,\xff\n", "line 600,003 of t.csv is not UTF-8"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-9], DAMAGED_GZIP),
        (b"y,a\n" + b"1,2\n" * 600_000 + b"1\n", "row 600,002 of t.csv has 1 field"),
        (
            b"y,a\n1,2\n,3\n",
            r"1 of 2 rows of t.csv has a number in every chosen column \(1 missing in 'y'\)",
        ),
        (b"y,a\nu,1\nv,2\n1,3\n", "column 'y' of t.csv holds no numbers: row 2 is 'u'"),
        (GOOD_PARQUET[: len(GOOD_PARQUET) // 2], "damaged or cut off"),
        (b"", "t.csv is empty"),
    ],
)
def test_a_stream_refuses_the_same(content, sentence, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=sentence):
        list(stream_table(path, "y", ("a",)))


@pytest.mark.slow
@examples(80)
@given(
    st.binary(max_size=60) | st.text("y,a;\t\"'\r\n 01.-eé\0", max_size=60).map(str.encode),
    st.sampled_from([b"", b"y,a\n1,2\n"]),
)
def test_whatever_the_bytes_are_there_is_a_table_or_a_sentence(content, beginning):
    try:
        table = open_table(beginning + content)
        table.head()
        table.select(table.columns[0].name, [table.columns[-1].name])
    except TableError:
        pass


@examples(80)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_whatever_is_damaged_in_parquet_there_is_a_table_or_a_sentence(damage):
    content = bytearray(SMALL_PARQUET)
    for place, byte in damage:
        content[4 + place % (len(content) - 4)] = byte
    try:
        table = open_table(bytes(content))
        table.select(table.columns[0].name, [table.columns[1].name])
    except TableError:
        pass


def test_a_stream_refuses_at_once_what_the_beginning_shows(tmp_path):
    (tmp_path / "t.csv").write_text(PLAIN)
    with pytest.raises(TableError, match="has no column 'c'"):
        stream_table(tmp_path / "t.csv", "y", ("c",))
    with pytest.raises(TableError, match="0 rows in a chunk are not possible; use at least 1"):
        stream_table(tmp_path / "t.csv", "y", ("a",), rows_per_chunk=0)
    with pytest.raises(
        TableError, match=r"gone.csv cannot be opened \(No such file or directory\); check the path"
    ):
        stream_table(tmp_path / "gone.csv", "y", ("a",))


@pytest.mark.parametrize(
    ("target", "features", "sentence"),
    [
        ("y", ["a", "z"], "has no column 'z'; its columns are 'y', 'a', 'b', 't', 'e'"),
        ("y", ["a", "y"], "column 'y' is the target and a feature; choose another for one of them"),
        ("y", ["a", "a"], "feature 'a' is chosen twice; choose another or leave one out"),
        ("y", [], "no feature is chosen; choose at least 1 column"),
        (
            "y",
            ["t"],
            "column 't' of the table holds no numbers: row 3 is 'red'; choose a column of numbers",
        ),
        ("t", ["a"], "column 't' of the table holds no numbers"),
        (
            "y",
            ["e"],
            r"0 of 3 rows of the table has a number in every chosen column \(3 missing in 'e'\)",
        ),
    ],
)
def test_a_choice_of_columns_that_cannot_be(target, features, sentence):
    table = open_table(b"y,a,b,t,e\n1,2,3,,\n4,5,6,red,\n7,8,9,2,\n".replace(b"9,2", b"9,blue"))
    with pytest.raises(TableError, match=sentence):
        table.select(target, features)


@pytest.mark.parametrize(
    "text", ["1,234", "12,345.6", "1'234", "1 234", "0,5", "1.234,5", "-1,234,567", "-1.234.567"]
)
def test_separators_of_thousands_are_refused_with_the_row(text, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f'y,a\n1,2\n3,?\n5,"{text}"\n6,3\n')
    for work in (open_table(path).select, lambda *names: list(stream_table(path, *names))):
        with pytest.raises(
            TableError,
            match=f"row 4 of column 'a' in t.csv is '{text}'; write numbers with a decimal point",
        ):
            work("y", ("a",))


@pytest.mark.parametrize("text", ["1.234.567", "12.345.678.901"])
def test_dots_between_the_thousands_are_refused_beside_decimal_commas(text, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"a;b;y\n{text};2;3,5\n4;5;6\n7;8;2\n")
    for work in (open_table(path).select, lambda *names: list(stream_table(path, *names))):
        with pytest.raises(
            TableError,
            match=f"row 2 of column 'a' in t.csv is '{text}'; write numbers with a decimal point",
        ):
            work("y", ("a",))
        assert work("y", ("b",))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "31.12.2024",
        "2024.001.002",
        "1.2.3",
        "10.0.19045",
        "192.168.1.100",
        "1.234.56",
        "1234.567.890",
    ],
)
def test_dates_and_versions_are_no_separated_numbers(text, tmp_path):
    found = both(f"y;a;t\n1;1;{text}\n2;{text};{text}\n3;3;{text}\n", tmp_path)
    assert found.X.ravel().tolist() == [1, 3]
    assert found.dropped == (Dropped("not a number", 1, 3, "a", text),)
    assert open_table(f"y;a;t\n1;1;{text}\n2;2;{text}\n".encode()).columns[2].type == "text"


def test_a_file_with_nothing_but_separated_numbers_is_told_so():
    with pytest.raises(
        TableError,
        match=r"1 column of numbers \('y'\), but .*; in 'a', write numbers with a decimal point",
    ):
        open_table(b'y,a\n1,"1,5"\n2,"2,5"\n')


def test_a_constant_or_a_doubled_column_is_no_error():
    found = open_table(b"y,a,b,c\n1,7,1,1\n2,7,2,2\n").select("y", ["a", "b", "c"])
    assert found.X.tolist() == [[7, 1, 1], [7, 2, 2]]


def test_limits_of_size_are_said_before_anything_is_read(monkeypatch):
    with pytest.raises(
        TableError,
        match=r"the table has 0\.0 MB, above the 0\.0 MB that are read into memory; use fewer",
    ):
        open_table(PLAIN.encode(), most_bytes=20)
    with pytest.raises(TableError, match=r"unpacks to more than the 1\.0 MB that are read into"):
        open_table(gzip.compress(b"y,a\n" + b"1,2\n" * 2_000_000, mtime=0), most_bytes=10**6)
    monkeypatch.setattr(files, "LIMITS", replace(LIMITS, file_rows=2))
    for content in (PLAIN.encode(), parquet({"y": [1.0, 2.0, 3.0]})):
        with pytest.raises(TableError, match="has 3 rows, above the 2 that are held in memory"):
            open_table(content)
    monkeypatch.undo()
    monkeypatch.setattr(files, "MAX_UNPACKED_BYTES", 1_000_000)
    packed = parquet({"y": np.zeros(300_000), "a": np.zeros(300_000)}, use_dictionary=False)
    assert len(packed) < 300_000
    with pytest.raises(TableError, match=r"the table unpacks to 0\.0 GB, above"):
        open_table(packed)


@pytest.mark.slow
def test_a_small_file_of_long_repeated_texts_stays_small():
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int32)), ["x" * 1_000])
    content = parquet({"y": np.arange(1e6), "a": np.arange(1e6), "t": text}, store_schema=False)
    before = pa.default_memory_pool().max_memory()
    table = open_table(content)
    assert [column.type for column in table.columns] == ["whole number", "whole number", "text"]
    with pytest.raises(TableError, match="column 't' of the table holds no numbers: row 1 is 'xxx"):
        table.select("y", ["t"])
    assert pa.default_memory_pool().max_memory() - before < 50e6, (
        "a gigabyte, were every cell unpacked"
    )


# ---- progress ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_progress_grows_to_the_end_and_comes_from_the_caller_s_thread(tmp_path, kind):
    """From any other thread a page could not draw it."""
    rows = 400_000
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(rows, 3)).round(6), columns=["y", "a", "b"]
    )
    path = tmp_path / f"table.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    seen, threads = [], set()

    def progress(done, total):
        seen.append((done, total))
        threads.add(threading.get_ident())

    assert (
        sum(len(part.y) for part in stream_table(path, "y", ["a", "b"], progress=progress)) == rows
    )
    if kind == "csv":
        open_table(path, progress=progress)
    assert threads == {threading.get_ident()}
    totals = {total for _, total in seen}
    assert totals == {path.stat().st_size if kind == "csv" else rows}
    once = seen[: len(seen) // 2] if kind == "csv" else seen
    assert [done for done, _ in once] == sorted(done for done, _ in once)
    assert once[-1][0] == once[-1][1]
    assert len(once) > 1
