"""Input of the right form and hostile content, drawn by Hypothesis: one target a process, for as
long as it is given.

A target checks what holds for every input: a refusal is one sentence, and what is not refused is
right by another route."""

import contextlib
import functools
import gzip
import io
import json
import re
import string
import sys
import tempfile
import time
import urllib.parse
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption

from linreg.data.files import TableError, open_table
from linreg.data.stream import stream_table
from linreg.settings.changes import all_specs, check_limits
from linreg.settings.fields import SettingsError
from linreg.settings.model import Settings
from linreg.settings.pages import PAGES, SweepView
from linreg.settings.query import from_query, from_view_query, to_query, to_view_query

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
SIZES = (
    st.builds(
        lambda mantissa, power: mantissa * 10.0**power, st.floats(-10, 10), st.integers(-300, 300)
    )
    | FLOATS
)
MARKUP = [
    "<script>alert(1)</script>",
    "$x^2$",
    ":material/delete:",
    "[a](http://evil.example)",
    "`b` **c** |d|",
    "a -> b",
]
WORDS = st.sampled_from(
    [
        "nan",
        "inf",
        "-inf",
        "1e400",
        "1e-400",
        "-0",
        "0",
        "",
        "null",
        "default",
        "1_000",
        "٣",
        "0x10",
        "1e308,1e308",
        "9" * 400,
        "1," * 100,
        "squeeze",
        "../../etc/passwd",
        "%00",
        "\0",
        "\ud7ff",
        "1",
        "2",
        "0.5",
        "1e-12",
        "1e6",
        "-1e6,1e6",
        "1,2,3",
        "__import__('os')",
        "true",
        "1e154",
        "1e-154",
        *MARKUP,
    ]
)
TEXTS = WORDS | st.text(max_size=40) | st.text(string.digits + "+-.,eE_ ", max_size=20)


TARGETS = {}


def target(*strategies):
    """Register a check of what is drawn from these strategies."""

    def register(check):
        TARGETS[check.__name__] = check, strategies
        return check

    return register


def one_sentence(text):
    """A refusal: on one line, not endless, and about something."""
    assert text.isprintable()
    assert 10 < len(text) < 1_000, text


# ---- addresses -----------------------------------------------------------------------------------

VIEW_NAMES = sorted({name for kind in PAGES.values() for name in to_view_query(kind(), full=True)})
NAMES = [
    *all_specs(),
    *(f"fixed.{name}" for name in all_specs()),
    "v",
    "step",
    "table",
    "target",
    "feature1",
    "feature2",
    "standardise",
]
QUERIES = st.dictionaries(
    st.sampled_from([*NAMES, *VIEW_NAMES]) | st.text(max_size=20), TEXTS, max_size=14
)


@target(QUERIES)
def addresses(query):
    """Every query is a comparison within what is offered; written, as an address, and read again it
    is the same."""
    found, ignored = from_query(query)
    for side in (found.original, found.fixed):
        assert check_limits(side) == side
    for full in (False, True):
        written = dict(
            urllib.parse.parse_qsl(
                urllib.parse.urlencode(to_query(found, full)), keep_blank_values=True
            )
        )
        assert from_query(written) == (found, [])
    for kind in PAGES.values():
        view, refused = from_view_query(kind, query)
        assert from_view_query(kind, to_view_query(view, full=True)) == (view, [])
        ignored += refused
    for sentence in ignored:
        one_sentence(sentence)


# ---- tables --------------------------------------------------------------------------------------

CELLS = st.one_of(
    st.floats(-1e3, 1e3).map(lambda value: f"{value:.6g}"),
    st.integers(-1000, 1000).map(str),
    SIZES.map(repr),
    WORDS,
    st.sampled_from(["1,234", "1.234,5", "NA", "#N/A", " 7 ", "+3", "1e5", "2020-01-01", "yes"])
    | st.sampled_from(['"', "1\n2", "٣", "1e-200"]),
)
HEADERS = st.sampled_from(["y", "a", "b", "", " ", "a.b", '"', "x\ny", *MARKUP]) | st.text(
    max_size=12
)


@st.composite
def csv_files(draw):
    columns = draw(st.integers(1, 5))
    delimiter = draw(st.sampled_from(",;\t|"))
    plain = draw(st.booleans())  # most cells are numbers, so that some tables are usable
    numbers = st.floats(-1e3, 1e3).map(lambda value: f"{value:.6g}")
    cells = st.one_of(*[numbers] * 9, CELLS) if plain else CELLS
    rows = draw(st.lists(st.lists(cells, min_size=columns, max_size=columns), max_size=12))
    header = draw(st.lists(HEADERS, min_size=columns, max_size=columns, unique=plain))

    def quoted(cell):
        hard = any(mark in cell for mark in (delimiter, '"', "\n", "\r"))
        return '"' + cell.replace('"', '""') + '"' if hard and draw(st.integers(0, 9)) else cell

    end = draw(st.sampled_from(["\n", "\r\n", "\n\n"]))
    text = end.join(delimiter.join(map(quoted, row)) for row in [header, *rows]) + draw(
        st.sampled_from(["", end, "\0"])
    )
    encoded = text.encode(
        draw(st.sampled_from(["utf-8"] * 8 + ["utf-16", "latin-1", "cp1252"])), errors="replace"
    )
    content = draw(st.sampled_from([b""] * 8 + [b"\xef\xbb\xbf"])) + encoded
    if draw(st.integers(0, 9)):
        return content
    packed = gzip.compress(content)
    return packed[: draw(st.sampled_from([len(packed)] * 4 + [len(packed) // 2]))]


def _array(kind, values):
    return pa.array(values, kind)


PARQUET_TYPES = [
    (pa.float64(), SIZES),
    (pa.float32(), st.floats(width=32)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.int8(), st.integers(-128, 127)),
    (pa.string(), CELLS),
    (pa.bool_(), st.booleans()),
    (pa.large_string(), CELLS),
    (pa.date32(), st.integers(0, 20_000)),
    (pa.timestamp("us"), st.integers(0, 2**50)),
    (pa.decimal128(12, 2), st.decimals(-(10**9), 10**9, places=2)),
    (pa.list_(pa.int32()), st.lists(st.integers(0, 9), max_size=2)),
    (pa.binary(), st.binary(max_size=5)),
    (pa.null(), st.none()),
    (pa.struct([("a", pa.int8())]), st.fixed_dictionaries({"a": st.integers(0, 9)})),
    (pa.float16(), st.floats(width=16)),
    (pa.duration("s"), st.integers(0, 10**6)),
    (pa.dictionary(pa.int8(), pa.string()), CELLS),
]


@st.composite
def parquet_files(draw):
    rows = draw(st.integers(0, 10))
    columns = {}
    for name in draw(st.lists(HEADERS, min_size=1, max_size=4)):
        kind, values = draw(st.sampled_from(PARQUET_TYPES[:3] * 5 + PARQUET_TYPES))
        columns[name] = _array(
            kind, draw(st.lists(values | st.none(), min_size=rows, max_size=rows))
        )
    file = io.BytesIO()
    try:
        pq.write_table(
            pa.table(columns), file, compression=draw(st.sampled_from(["none", "snappy", "zstd"]))
        )
    except (pa.ArrowException, UnicodeError):
        assume(False)
    content = bytearray(file.getvalue())
    if (
        draw(st.integers(0, 4)) == 0
    ):  # damaged within the texts and numbers; whole bytes are Atheris's
        del content[draw(st.integers(0, len(content))) :]
    return bytes(content)


@target(csv_files() | parquet_files(), st.integers(1, 6))
def tables(content, rows):
    """From a file's bytes to the last sentence: each step goes on with finite numbers or refuses in
    a sentence. In pieces the file gives the same rows, or is refused as well."""
    from dataclasses import replace

    from linreg.data.tables import register_table, table_settings
    from linreg.experiments import your_data
    from linreg.experiments.resources import local_resources
    from linreg.figures.pages import page_figures
    from linreg.figures.theme import THEMES
    from linreg.settings.model import Comparison
    from linreg.text import comparison as comparison_text
    from linreg.text import markdown
    from linreg.text import your_data as your_data_text

    try:
        table = open_table(content, MARKUP[0])
        head = table.head()
        assert list(head.columns) == [column.name for column in table.columns]
        names = [column.name for column in table.columns if column.numeric]
        chosen = names[-1], tuple(names[:-1][:2])
        selection = table.select(*chosen)
    except TableError as error:
        one_sentence(str(error))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        refusal, pieces = "holds no numbers", []
        try:
            pieces = list(stream_table(path, *chosen, rows_per_chunk=rows))
        except TableError as error:  # so far it has had more texts than numbers
            refusal = str(error)
        assert "holds no numbers" in refusal
        if pieces:
            assert np.array_equal(np.concatenate([piece.X for piece in pieces]), selection.X)
            assert np.array_equal(np.concatenate([piece.y for piece in pieces]), selection.y)
    if len(chosen[1]) < 2:
        return
    try:
        data = table_settings(register_table(table).digest, *chosen, standardise=rows % 2 == 0)
    except SettingsError as error:
        one_sentence(str(error))
        return
    run = Settings(data, batch_size=min(rows, data.samples), epochs=2, bias=rows % 3 > 0)
    comparison = Comparison(run, replace(run, wiring="squeeze"))
    of = local_resources()
    result = your_data.run(comparison, of)
    assert (result.kept, result.dropped) == (selection.kept, selection.dropped)
    used = your_data_text.rows_used(result)
    assert used.replace(markdown.WORD_JOINER, "").isprintable()
    said = [
        *your_data_text.data_findings(result),
        comparison_text.setup(comparison),
    ]
    plates = [
        plate
        for page in ("comparison", "cause")
        for plate in page_figures(page, comparison, None, of, THEMES["light"])
    ]
    alts = {panel.alt for plate in plates for panel in plate.panels}
    said += alts
    for plate in plates:
        said.append(plate.caption)
        for panel in plate.panels:
            json.dumps(panel.spec, allow_nan=False)
            for frame in panel.data.values():
                assert np.isfinite(frame.select_dtypes("number").to_numpy(float)).all()
    for sentence in said:
        assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"\\.", "", sentence)) or any(
            word in name for word in ("nan", "inf", "None") for name in (*names, "")
        )
        # an alt text is no Markdown: it names columns as they are, and an export escapes it
        assert "<script>" not in sentence or sentence in alts


# ---- shapes and the guard ------------------------------------------------------------------------

SHAPES = st.lists(st.sampled_from([0, 1, 1, 1, 2, 3, 5]), max_size=4).map(tuple)
LONG = st.lists(st.integers(-1, 2**64), max_size=10)


@target(
    SHAPES | LONG,
    SHAPES | LONG,
    st.sampled_from(["mse", "l1", "huber", "smooth_l1", "bce", "nothing", "mse "]),
    st.text(max_size=30),
)
def shapes(first, second, loss, text):
    """A diagnosis, or a sentence; the shape of the result is PyTorch's own."""
    import torch

    from linreg.experiments.your_code import CodeResult
    from linreg.guard.shapes import diagnose_shapes, parse_shape
    from linreg.text.your_code import shapes_verdict

    with contextlib.suppress(ValueError):
        parse_shape(text)
    try:
        found = diagnose_shapes(first, second, loss)
    except ValueError as error:
        one_sentence(str(error))
        return
    shapes_verdict(CodeResult(found))
    assert parse_shape(str(found.prediction_shape)) == found.prediction_shape
    if max([*first, *second], default=0) < 10:
        try:
            result = tuple(torch.broadcast_shapes(first, second))
        except RuntimeError:
            result = None
        assert found.broadcast_shape == (None if found.kind == "raises" else result)


@target(
    SHAPES,
    SHAPES,
    st.sampled_from(["sub", "mse", "l1", "where", "mul_", "dot", "equal"]),
    st.booleans(),
)
def guard(first, second, name, requires):
    """Under the guard an operation gives the very tensor that it gives without, unless its operands
    could have been paired."""
    import torch
    from torch.nn import functional as F

    from linreg.guard.report import SilentBroadcastError
    from linreg.guard.shapes import could_be_paired
    from linreg.guard.watch import no_silent_broadcast

    operations = {
        "sub": lambda a, b: a - b,
        "mse": F.mse_loss,
        "l1": lambda a, b: F.l1_loss(a, b, reduction="none"),
        "where": lambda a, b: torch.where(a > 0, a, b),
        "mul_": lambda a, b: a.clone().mul_(b),
        "dot": lambda a, b: (a * b).sum(),
        "equal": lambda a, b: a == b,
    }
    generator = torch.Generator().manual_seed(0)
    a, b = (
        torch.randn(shape, generator=generator, requires_grad=requires) for shape in (first, second)
    )

    def outcome(guarded):
        with (
            warnings.catch_warnings(),
            no_silent_broadcast() if guarded else contextlib.nullcontext(),
        ):
            warnings.simplefilter("ignore")
            try:
                return operations[name](a, b)
            except SilentBroadcastError:
                return "reported"
            except RuntimeError as error:
                return type(error)

    plain, guarded = outcome(False), outcome(True)
    loss = name in ("mse", "l1")
    differ = loss or len(first) != len(second)
    if isinstance(guarded, str):
        assert differ
        assert could_be_paired(first, second)
    elif isinstance(plain, torch.Tensor):
        assert torch.equal(plain, guarded) or (plain.isnan().any() and plain.shape == guarded.shape)
        assert not (differ and could_be_paired(first, second)) or name == "mul_"
    else:
        assert plain is guarded


# ---- numbers -------------------------------------------------------------------------------------


@st.composite
def problems(draw):
    """Rows of any size, with columns that may be constant, alike or empty of information."""
    rows = draw(st.integers(1, 12))
    z = np.random.default_rng(draw(st.integers(0, 2**32))).normal(size=(rows, 3))
    columns = []
    for k in range(3):
        kind = draw(
            st.sampled_from(["own"] * 5 + ["constant", "alike", "zero", "drawn", "nearly alike"])
        )
        size = 10.0 ** draw(st.integers(-3, 3) | st.integers(-160, 160))
        column = {
            "own": z[:, k],
            "constant": np.ones(rows),
            "alike": z[:, 0],
            "zero": np.zeros(rows),
            "nearly alike": z[:, 0] + 1e-9 * z[:, k],
        }.get(kind)
        if column is None:
            column = np.array(draw(st.lists(SIZES, min_size=rows, max_size=rows)))
        with np.errstate(over="ignore"):
            columns.append(column * size + draw(st.sampled_from([0.0, 0.0, 1.0, 1e6])))
    return np.column_stack(columns[:2]), columns[2]


@target(
    problems(),
    st.integers(1, 12),
    st.booleans(),
    st.sampled_from(["original", "squeeze", "weight_1d"]),
)
def numbers(problem, size, bias, wiring):
    """Least squares and the surface: a sentence, or finite numbers; and no point has a smaller loss
    than the minimum."""
    from linreg.data.dataset import Dataset
    from linreg.quadratic.moments import batch_moments
    from linreg.quadratic.streaming import loss_surface, matched_surface

    X, y = problem
    try:
        run = Settings(wiring=wiring, bias=bias, batch_size=size)
        surface = loss_surface(Dataset(X, y), run)
        moments = batch_moments(Dataset(X, y), run)
        judge = matched_surface(Dataset(X, y), bias)
    except SettingsError as error:
        one_sentence(str(error))
        return
    for one in (surface, judge, moments.mean()):
        assert np.isfinite(one.minimum).all()
        assert np.isfinite(one.min_loss)
        assert one.min_loss >= 0
        assert one.condition_number >= 1
        profile = one.profile()
        assert np.isfinite(profile.minimum).all()
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        step = np.abs(surface.minimum).max() or 1.0
        around = surface.minimum + step * np.random.default_rng(0).normal(
            size=(20, len(surface.minimum))
        )
        losses = surface.value(around)
        scale = np.abs(around) @ np.sqrt(np.diag(surface.A)) + np.sqrt(np.abs(surface.s))
        rounding = (1e-9 if surface.unique else 1e-6) * scale**2
        assert (losses >= surface.min_loss - rounding)[
            np.isfinite(losses) & np.isfinite(rounding)
        ].all()


@st.composite
def asked_ensembles(draw):
    from linreg.settings.optimizers import OPTIMIZERS

    numbers_ = st.floats(-1e3, 1e3) | SIZES
    runs = draw(st.integers(0, 5))
    names = [
        "momentum",
        "alpha",
        "eps",
        "betas",
        "rho",
        "weight_decay",
        "nesterov",
        "lr_decay",
        "<b>",
    ]
    options = draw(
        st.dictionaries(
            st.sampled_from(names),
            st.sampled_from([0.0, 0.5, 0.9, 1.0, 1.5, -1.0, np.nan, np.inf]),
            max_size=1,
        )
    )
    return {
        "init": np.array(draw(st.lists(numbers_, min_size=2 * runs, max_size=2 * runs))).reshape(
            runs, 2
        ),
        "lr": draw(st.floats(1e-12, 1e6) | SIZES),
        "optimizer": draw(st.sampled_from([*OPTIMIZERS, "Nothing"])),
        "steps": draw(st.integers(-1, 60)),
        "record_every": draw(st.integers(-1, 9)),
        "groups": draw(
            st.none()
            | st.lists(st.integers(-1, 2), min_size=runs, max_size=runs).map(
                lambda one: np.array(one, dtype=int)
            )
        ),
        **options,
    }


@target(asked_ensembles())
def ensembles(asked):
    """A sentence, or a record: finite up to where a run diverged and nothing after it."""
    from linreg.training.ensemble import train_ensemble

    moments = _moments()
    betas = asked.pop("betas", None)
    if betas is not None:
        asked["betas"] = (betas, 0.999)
    bad = [
        name
        for name in ("alpha", "eps", "rho", "weight_decay", "betas", "nesterov", "momentum")
        if name in asked
    ]
    odd = any(
        not 0 <= np.min(asked[name]) < 1 or not np.isfinite(asked[name]).all() for name in bad
    )
    with np.errstate(all="ignore") if odd else contextlib.nullcontext():
        try:
            found = train_ensemble(moments, **asked)
        except SettingsError as error:
            one_sentence(str(error))
            return
    runs = len(asked["init"])
    assert found.weights.shape == (len(found.steps), runs, 2)
    assert found.steps[0] == 0
    assert found.steps[-1] == asked["steps"]
    assert np.array_equal(
        found.weights[0][found.diverged_at != 0], asked["init"][found.diverged_at != 0]
    )
    for run in range(runs):
        lost = found.diverged_at[run]
        until = found.steps < lost if lost >= 0 else np.ones(len(found.steps), bool)
        assert np.isfinite(found.weights[until, run]).all()
        assert np.isnan(found.weights[~until, run]).all()


_KEPT = {}


def _moments():
    from linreg import DataSettings, batch_moments, make_data

    if "moments" not in _KEPT:
        data = DataSettings(samples=30)
        runs = [Settings(data, batch_size=7), Settings(data, wiring="squeeze", batch_size=30)]
        _KEPT["moments"] = [batch_moments(make_data(data), run) for run in runs]
    return _KEPT["moments"]


@target(
    st.sampled_from(["original", "weight_2d", "noop_squeeze", "weight_1d", "squeeze", "unsqueeze"]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.booleans(),
    st.integers(-40, 40),
    st.tuples(*[st.floats(-9, 9)] * 3),
)
def wirings(wiring, rows, size, bias, power, weights):
    """The surface of every wiring is what PyTorch's own loss gives, batch by batch, in double
    precision."""
    import torch

    from linreg.data.dataset import Dataset
    from linreg.quadratic.streaming import loss_surface
    from linreg.settings.wirings import WIRINGS
    from linreg.training.pytorch import layer_of

    z = np.random.default_rng(rows).normal(size=(rows, 3)) * 10.0**power
    try:
        run = Settings(wiring=wiring, batch_size=size, bias=bias, init=weights[: 2 + bias])
        surface = loss_surface(Dataset(z[:, :2], z[:, 2]), run)
    except SettingsError as error:
        one_sentence(str(error))
        return
    one, layer = WIRINGS[wiring], layer_of(run, torch.float64)
    one.place(layer)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        batches = [
            (torch.tensor(part[:, :2]), torch.tensor(part[:, 2]))
            for part in np.split(z, range(size, rows, size))
        ]
        losses = [float(one.loss(torch.nn.MSELoss(), one.forward(layer, x), y)) for x, y in batches]
    bound = (np.abs(weights[: 2 + bias]).sum() + 1) ** 2 * (10.0**power + bias) ** 2
    assert (
        abs(float(surface.value(np.array(weights[: 2 + bias]))) - np.mean(losses))
        <= 1e-9 * np.mean(losses) + 1e-12 * bound
    )


# ---- what the browser sends ----------------------------------------------------------------------

SENT = st.none() | st.booleans() | st.integers() | SIZES | TEXTS
JUNK = st.recursive(
    SENT, lambda one: st.lists(one, max_size=3) | st.dictionaries(TEXTS, one, max_size=3)
)
POINTS = st.lists(st.lists(st.floats(-9, 9), min_size=2, max_size=2), min_size=1, max_size=14)
MESSAGES = JUNK | st.dictionaries(
    st.sampled_from(
        ["step", "starts", "lr", "momentum", "alpha", "batch_rows", "w1", "w2", "epochs", "v"]
    ),
    st.floats(0, 2) | st.integers(-1, 3_000) | POINTS | JUNK,
    max_size=6,
)


@target(MESSAGES)
def messages(message):
    """What the elements of a live page may be sent, whatever sends it: a sentence, or settings that
    a link can hold."""
    from dataclasses import replace

    from linreg.settings.changes import with_changes
    from linreg.settings.fields import specs_of
    from linreg.settings.model import Comparison
    from linreg.settings.pages import CauseView, SurfaceView, with_view_changes
    from linreg.ui.cause import MOVED
    from linreg.ui.live.messages import read_starts, read_step, read_values

    step = read_step(message)
    assert step is None or (type(step) is int and step >= 0)

    def training():
        specs = specs_of(Settings)
        changes = read_values(message, {name: specs[name] for name in ("lr", "momentum")})
        if isinstance(message, dict) and "starts" in message:
            changes["init"] = read_starts(message, specs["init"])[0]
        run = with_changes(Settings(optimizer="Nesterov", momentum=0.9), changes)
        comparison = Comparison(run, replace(run, wiring="squeeze"))
        assert from_query(to_query(comparison)) == (comparison, [])

    def cause():
        specs = specs_of(CauseView)
        return with_view_changes(
            CauseView(), read_values(message, {name: specs[name] for name in MOVED})
        )

    def surface():
        starts = read_starts(message, specs_of(SurfaceView)["starts"])
        flat = tuple(w for start in starts for w in start)
        return with_view_changes(SurfaceView(), {"starts": flat, "ring": 0})

    for read in (training, cause, surface):
        try:
            view = read()
        except SettingsError as error:
            one_sentence(str(error))
        else:
            kind = type(view)
            assert view is None or from_view_query(kind, to_view_query(view)) == (view, [])


# ---- the box for pasted shapes -------------------------------------------------------------------

PIECES = [
    "UserWarning: Using a target size (torch.Size([100])) that is different to the input size"
    " (torch.Size([100, 1])).",
    "RuntimeError: The size of tensor a (3) must match the size of tensor b (4) at non-singleton"
    " dimension 1",
    "(100, 1)", "(100,)", "[64, 10]", "torch.Size([8, 1])", "torch.Size([", "(B, 1)", "(B,)",
    "pred.shape", "target =", "y_true:", "logits", "->", "vs", "\n", ",", "x", "nn.L1Loss()",
    "F.mse_loss(pred, target)", "Float[Tensor, 'B 1']", "100", "-1", "1e9", "0",
]  # fmt: skip
PASTED = st.builds(
    lambda gap, pieces: gap.join(pieces),
    st.sampled_from(["", " ", "\n"]),
    st.lists(st.sampled_from(PIECES) | TEXTS, max_size=8),
)


@target(PASTED)
def pastes(text):
    """A pasted text is refused in a sentence, or each of its readings is a diagnosis that a link
    can hold."""
    from linreg.experiments import your_code
    from linreg.experiments.pasted_shapes import read_paste, read_shape
    from linreg.settings.pages import CodeView, with_view_changes
    from linreg.text import pasted_shapes as pasted_text
    from linreg.text.your_code import shapes_verdict

    try:
        assert isinstance(read_shape(text), tuple)
    except ValueError as error:
        one_sentence(str(error))
    try:
        readings = read_paste(text)
    except ValueError as error:
        one_sentence(str(error))
        return
    assert readings
    pasted_text.question(readings)
    for reading in readings:
        pasted_text.known_by(reading)
        changes = {
            "prediction": reading.prediction,
            "truth": reading.target,
            "names": reading.names,
            "loss": reading.loss or CodeView().loss,
        }
        try:
            view = with_view_changes(CodeView(), changes)
        except SettingsError as error:
            one_sentence(str(error))
            continue
        assert from_view_query(CodeView, to_view_query(view, full=True)) == (view, [])
        try:
            result = your_code.run(view, None)
        except ValueError as error:
            one_sentence(str(error))
        else:
            one_sentence(shapes_verdict(result).replace("\n", " "))


# ---- the command line ----------------------------------------------------------------------------

OPTIONS = [
    "--link",
    "--preset",
    "--table",
    "--target",
    "--json",
    "--optimizer",
    "--lr",
    "--momentum",
    "--batch-size",
    "--fixed-lr",
    "--fixed-wiring",
    "--wiring",
    "--init",
    "--bias",
    "--shuffle",
    "--seed",
    "--noise",
    "--correlation",
    "--weights",
    "--scale",
    "--mean",
    "--fixed-batch-size",
    "--fixed-init",
    "--no-bias",
    "--help",
    "--version",
    "--nonsense",
    "-x",
    "--",
    "--x",
    "--metric",
    "--step",
]
VALUES = WORDS | st.sampled_from(
    [
        "SGD",
        "Adam",
        "original",
        "squeeze",
        "as_asked",
        "auto-mpg",
        "5,3",
        "0.01",
        "?v=1&lr=<b>",
        "-1,2",
        "table.csv",
    ]
)
FIRST = ["compare", "script", "diagnose", "figures", "claims", "sweep", "nothing", ""]


@target(
    st.sampled_from(FIRST),
    st.lists(st.tuples(st.sampled_from(OPTIONS), st.none() | VALUES), max_size=5),
    csv_files(),
)
def commands(command, options, content):
    """Status 0, or 2 with one line that says why; nothing but the standard output is written."""
    from linreg.__main__ import main

    arguments = [command] if command else []
    small = {
        "compare": ["--samples", "40", "--batch-size", "10", "--epochs", "2"],
        "script": ["--samples", "40"],
        "figures": [
            "--out",
            "figures",
            "--format",
            "csv",
            "--only",
            "cause",
            "--samples",
            "40",
            "--batch-size",
            "10",
        ],
        "diagnose": ["table.csv", "--target", "y", "--features", "a", "b", "--batch-size", "2"],
        "sweep": [
            "--columns",
            "2",
            "--rows",
            "2",
            "--inits",
            "1",
            "--steps",
            "9",
            "--samples",
            "40",
        ],
        "claims": ["--seeds", "nan"],
    }
    arguments += small.get(command, [])
    for name, value in options:
        arguments += [name] if value is None else [name, value]
    assume("\0" not in "".join(arguments))  # no shell can give one
    Path("table.csv").write_bytes(content)
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Using a target size")
        status = main(arguments)
    assert status in (0, 2)
    said = [
        line
        for line in err.getvalue().replace("\r", "\n").splitlines()
        if line.startswith("linreg: ")
    ]
    if status == 2 and arguments:
        assert len(said) == 1
        assert said[0].isprintable()
    if status == 0 and "--json" in arguments and not {"--help", "--version"} & set(arguments):
        json.loads(out.getvalue(), parse_constant=lambda name: not_json(name))


HEAD = "import sys, torch\nfrom torch.nn import functional as F\n"
LINES = {  # of a script -> how it ends there: its status, or None where it goes on
    "F.mse_loss(torch.ones(5, 1), torch.ones(5))": "broadcast",
    "torch.ones(5, 1) - torch.ones(5)": "broadcast",
    "F.mse_loss(torch.ones(5), torch.ones(5))": None,
    "print('a line', sys.argv[1:])": None,
    "print('\\udcff')": 1,
    "raise ValueError('<script>')": 1,
    "raise SystemExit(3)": 3,
    "sys.exit()": 0,
    "import nothing_of_that_name": 1,
    "torch.ones(2) @ torch.ones(3)": 1,
}


@target(
    st.lists(st.sampled_from([*LINES]), max_size=4),
    st.sampled_from(["", "(", "\0", "\tx = 1", "é = '\udcff'"]) | st.text(max_size=9),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(["--warn", "--strict", *OPTIONS[-9:]]), TEXTS), max_size=2),
    st.sampled_from(["script.py", "script.py", "missing.py", "", "-m", "."]),
)
def scripts(lines, last, broken, options, name):
    """`linreg guard` ends as the script does: with its status, 1 where it is wrong, or 2 and one
    line that says what was asked for wrongly."""
    from linreg.__main__ import main

    flags = [option for option, _ in options]
    arguments = ["guard", *flags, name, *(value for _, value in options)]
    content = HEAD + "\n".join([*lines, *([last] if broken else [])])
    assume("\0" not in "".join(arguments))
    Path("script.py").write_bytes(content.encode(errors="surrogatepass"))
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code or 0
    said = err.getvalue()
    if set(flags) <= {"--warn", "--strict"} and name == "script.py" and not broken:
        ends = [LINES[line] for line in lines]
        if "--warn" in flags:
            ends = [None if end == "broadcast" else end for end in ends]
        end = next((end for end in ends if end is not None), 0)
        assert status == (1 if end == "broadcast" else end), (status, said)
        assert (end == "broadcast") == ("SilentBroadcastError" in said)
    elif status == 2:
        one_sentence(said.strip().splitlines()[-1])
    else:
        assert status in (0, 1, 3), status


def not_json(name):
    raise AssertionError(f"{name} in JSON")


# ---- pages ---------------------------------------------------------------------------------------

HOME = Path(__file__).parent.parent.parent / "streamlit_app.py"
SEEN = set()


@target(
    st.sampled_from(["", "cause", "claims", "surface", "sweep", "your_data", "your_code"]),
    QUERIES,
    csv_files(),
    st.booleans(),
)
def pages(page, query, content, own):
    """Every address of every page opens without an exception, says nothing of nan, and shows what
    is foreign as text."""
    from streamlit.testing.v1 import AppTest

    from linreg.data.tables import register_table, table_settings

    query = {
        name: text
        for name, text in query.items()
        if name not in ("embed", "embed_options", "figure", "present")
    }
    query |= {
        name: text
        for name, text in (
            ("samples", "60"),
            ("epochs", "2"),
            ("batch_size", "20"),
            ("seeds", "10"),
        )
        if name not in query
    }
    if own:
        with contextlib.suppress(TableError):
            table = open_table(content, MARKUP[0] + ".csv")
            names = [column.name for column in table.columns if column.numeric]
            if len(names) > 2:
                query |= dict(
                    zip(
                        ("table", "target", "feature1", "feature2"),
                        (register_table(table).digest, *names),
                        strict=False,
                    )
                )
    kind = PAGES.get(page)
    view = from_view_query(kind, query)[0] if kind else None
    found, _ = from_query(
        {name: text for name, text in query.items() if name != "step"}, table_settings
    )
    assume(all(side.steps <= 300 for side in (found.original, found.fixed)))
    if isinstance(view, SweepView):
        assume(view.columns * view.rows * view.inits * view.steps <= 2e5)
        assume(view.columns * view.rows <= 100)
    assume(getattr(view, "seeds", 0) <= 20)
    known = (page, found, view)
    if known in SEEN:
        return
    app = AppTest.from_file(str(HOME), default_timeout=120)
    if page:
        app.switch_page(f"pages/{page}.py")
    for name, text in query.items():
        app.query_params[name] = text
    app.run()
    assert not app.exception, app.exception
    said = [
        element.value
        for kind_ in ("markdown", "caption", "warning", "info", "error")
        for element in getattr(app, kind_)
    ]
    said += [element.label for element in app.expander]
    for sentence in said:
        outside = re.sub(r"`[^`]*`", "", sentence)  # of code, in which all is text
        assert not [foreign for foreign in MARKUP[:4] if foreign in outside], sentence
        quoted = (
            own or "ignored" in sentence or sentence.startswith("The link's version ")
        )  # what the address says
        assert quoted or not re.search(r"(?<![\w\\=])(nan|inf)(?!\w)", sentence), sentence
    SEEN.add(known)  # once it has passed: what has not is looked at again


# ---- the clock -----------------------------------------------------------------------------------


def fuzz(name, seconds, first_seed):
    """Rounds of a target, each with a seed of its own, until the time is over; a crash ends them
    and is raised."""
    check, strategies = TARGETS[name]
    count, began = 0, time.monotonic()
    failed = False

    @functools.wraps(check)
    def counted(*drawn, **named):
        nonlocal count, failed
        if not failed and time.monotonic() - began >= seconds:
            return
        count += 1
        try:
            check(*drawn, **named)
        except UnsatisfiedAssumption:
            raise
        except Exception:
            failed = True  # from here on its smallest input is looked for
            raise

    options = settings(
        max_examples=20 if name == "pages" else 200,
        deadline=None,
        database=None,
        print_blob=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    rounds = 0
    try:
        while time.monotonic() - began < seconds:
            seed(first_seed * 1_000_003 + rounds)(options(given(*strategies)(counted)))()
            rounds += 1
    finally:
        print(json.dumps({"inputs": count, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    name, budget, start, _ = sys.argv[1:]
    warnings.simplefilter("error")
    for kind in (
        DeprecationWarning,
        ResourceWarning,
    ):  # of Hypothesis, Streamlit and the test runner
        warnings.filterwarnings("ignore", category=kind)
    if name != "addresses":
        import torch  # noqa: F401  # before the clock runs

    settings(max_examples=1, database=None, deadline=None)(
        given(st.text())(lambda _: None)
    )()  # reads all of Unicode
    fuzz(name, float(budget), int(start))
