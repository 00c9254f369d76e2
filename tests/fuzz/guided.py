"""Bytes for what reads text and files, changed by Atheris towards code that was not reached before:
one target a process."""

import io
import sys
import urllib.parse
import warnings
from pathlib import Path

import atheris
import pandas as pd

with atheris.instrument_imports(include=["linreg"]):
    from linreg.data.files import TableError, open_table
    from linreg.experiments.pasted_shapes import read_paste
    from linreg.guard.shapes import parse_shape
    from linreg.settings.changes import check_limits
    from linreg.settings.pages import PAGES
    from linreg.settings.query import from_query, from_view_query, to_query, to_view_query

MOST_BYTES = 4_096  # of one input


def refused(error: Exception) -> None:
    """A refusal is on one line, and not endless."""
    assert str(error).isprintable()
    assert len(str(error)) < 1_000


def address(data: bytes) -> None:
    """The query of an address: total, within what is check_limits, and the same once it is written
    and read again."""
    query = dict(urllib.parse.parse_qsl(data.decode(errors="replace"), keep_blank_values=True))
    found, ignored = from_query(query)
    for side in (found.original, found.fixed):
        check_limits(side)
    again, complaints = from_query(to_query(found))
    assert (again, complaints) == (found, [])
    for kind in PAGES.values():
        view, refused = from_view_query(kind, query)
        assert from_view_query(kind, to_view_query(view)) == (view, [])
        ignored += refused
    assert all(sentence.isprintable() and len(sentence) < 500 for sentence in ignored)


def table(data: bytes) -> None:
    """A file: a table whose chosen columns are finite numbers, or one sentence."""
    try:
        found = open_table(data, "fuzz", most_bytes=1 << 20)
        found.head()
        names = [column.name for column in found.columns if column.numeric]
        selection = found.select(names[-1], names[:-1][:2])
    except TableError as error:
        refused(error)
        return
    assert selection.kept >= 2
    assert abs(selection.X).max() <= 1e100
    assert abs(selection.y).max() <= 1e100
    assert selection.kept + sum(one.count for one in selection.dropped) == found.rows


def shape(data: bytes) -> None:
    """A shape: at most eight whole numbers, or one sentence."""
    try:
        found = parse_shape(data.decode(errors="replace"))
    except ValueError as error:
        refused(error)
    else:
        assert len(found) <= 8
        assert parse_shape(str(found)) == found


def paste(data: bytes) -> None:
    """A pasted text: readings of two shapes, or one sentence."""
    try:
        readings = read_paste(data.decode(errors="replace"))
    except ValueError as error:
        refused(error)
        return
    for reading in readings:
        for one in (reading.prediction, reading.target):
            assert len(one) <= 8
            assert all(isinstance(size, str) or size >= 0 for size in one)


def seeds() -> dict[str, list[bytes]]:
    frame = pd.DataFrame(
        {"y": [1.5, 2.5, None], "a": [1, 2, 3], "b": ["x", "y", "2"], "c": [True, None, False]}
    )
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    small = io.BytesIO()
    frame[["y", "a"]].to_parquet(small, compression=None)
    csv = frame.to_csv(index=False)
    semicolons = "y;a\n1,5;2\n3,25;inf\n1e400;nan\n"
    return {
        "address bytes": [
            b"v=1&lr=0.05&fixed.wiring=original&fixed.batch_size=1&init=2,3&weights=-1e6,1e-300&bias=1&init=1,2,3",
            b"optimizer=Adam&momentum=0.9&fixed.optimizer=Nesterov&samples=200000&batch_size=200000&epochs=1000000",
            b"table=auto-mpg&target=mpg&feature1=a&feature2=b&standardise=1&step=5",
            b"part=curvature&optimizers=RMSprop,SGD&rates=own&lrs=0.1,1e-12&starts=1,2,3,4&x=lr&y=momentum&x_range=1e-9,1e9",
            b"prediction=100,1&truth=100&loss=mse&seeds=10&rows=4&w1=default&columns=80&metric=r_squared&radius=%00",
        ],
        "table bytes": [
            csv.encode(), semicolons.encode(), b'"a\n""b""","c"\r\n1,2\r\n3,4', parquet.getvalue(),
            small.getvalue(), b"\xef\xbb\xbfa\tb\n1\t2\n\n3\t4\n", "ä,ß\n1,2\n３,4\n".encode(),
            csv.encode("utf-16"),
        ],
        "shape bytes": [
            b"(100, 1)", b"torch.Size([100, 1])", b"[64]", b"()", b"100 x 1",
            b"9223372036854775807,2",
        ],
        "paste bytes": [
            b"UserWarning: Using a target size (torch.Size([100])) that is different to the input"
            b" size (torch.Size([100, 1])).",
            b"The size of tensor a (3) must match the size of tensor b (4)",
            b"pred (B, 1), target (B,)", b"logits.shape = torch.Size([8, 1])\ny: [8]",
        ],
    }  # fmt: skip


TARGETS = {
    "address bytes": address,
    "table bytes": table,
    "shape bytes": shape,
    "paste bytes": paste,
}

if __name__ == "__main__":
    name, seconds, seed, folder = sys.argv[1:]
    warnings.simplefilter("error")
    corpus = Path(folder) / "corpus"
    corpus.mkdir()
    for number, content in enumerate(seeds()[name]):
        (corpus / f"seed{number}").write_bytes(content)
    limits = [
        f"-max_total_time={max(int(float(seconds)), 1)}",
        f"-seed={int(seed) + 1}",
        f"-max_len={MOST_BYTES}",
        "-timeout=20",
    ]
    atheris.Setup(
        [sys.argv[0], *limits, "-rss_limit_mb=3000", f"-artifact_prefix={folder}/", str(corpus)],
        TARGETS[name],
    )
    atheris.Fuzz()
