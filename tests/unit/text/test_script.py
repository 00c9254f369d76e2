"""Code that a page shows or hands out is the code that was run: executed, it gives the trainer's
very numbers."""

import ast
import gzip
import io
import re
import subprocess
import sys
import warnings
from contextlib import chdir, redirect_stdout
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from apprunner import opened, ran
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from judging import trained_result
from project import ROOT

from linreg.data.files import TableError, open_table
from linreg.data.tables import make_data, register_table, table_settings
from linreg.quadratic.streaming import loss_surface
from linreg.settings.changes import with_table
from linreg.settings.model import Comparison, DataSettings, Settings, TableSettings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.presets import PRESETS
from linreg.settings.query import from_query
from linreg.settings.wirings import WIRINGS
from linreg.text.comparison import outcome_table
from linreg.text.outcomes import headline
from linreg.text.script import differing_lines, notebook, script, training_code
from linreg.training.outcome import outcome
from linreg.training.pytorch import train

SMALL = DataSettings(samples=60, scale=2.0)
SAMPLE = [
    *(Settings(data=SMALL, wiring=wiring, batch_size=25, epochs=2) for wiring in WIRINGS),
    *(
        Settings(data=SMALL, wiring=wiring, batch_size=25, epochs=2, init=(0.5, -1.0))
        for wiring in WIRINGS
    ),
    *(
        Settings(
            data=SMALL,
            optimizer=entry.name,
            momentum=0.8 * entry.takes_momentum,
            lr=1e-3,
            batch_size=25,
            epochs=2,
        )
        for entry in OPTIMIZERS.values()
    ),
    Settings(data=SMALL, bias=True, init=(1.0, 2.0, 3.0), batch_size=25, epochs=2),
    Settings(data=SMALL, shuffle=True, seed=5, batch_size=25, epochs=3, wiring="squeeze"),
]


@pytest.mark.parametrize(
    "settings", SAMPLE, ids=lambda s: f"{s.wiring}-{s.optimizer}-{s.init}-{s.shuffle}"
)
def test_the_code_gives_the_weights(settings):
    table = make_data(settings.data)
    scope = {
        "torch": torch,
        "numpy": np,
        "train_x": torch.tensor(table.X, dtype=torch.float32),
        "train_y": torch.tensor(table.y, dtype=torch.float32),
    }
    state = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        exec(training_code(settings), scope)
    torch.set_rng_state(state)
    ended = torch.cat(
        [parameter.detach().reshape(-1) for parameter in scope["net"].parameters()]
    ).numpy()
    np.testing.assert_array_equal(train([settings])[0].weights[-1], ended)


@pytest.mark.parametrize(
    ("preset", "removed", "added"),
    [
        (
            "as_asked",
            ["loss = criterion(pred_y, batch_y)"],
            ["loss = criterion(pred_y.squeeze(-1), batch_y)"],
        ),
        ("strange_line", [], ["self.layer1.weight = torch.nn.Parameter(torch.tensor([2.0, 3.0]))"]),
        (
            "answer_2d",
            ["self.layer1.weight = torch.nn.Parameter(torch.tensor([[2.0, 3.0]]))"],
            ["self.layer1.weight = torch.nn.Parameter(torch.tensor([2.0, 3.0]))"],
        ),
        (
            "answer_batch_of_one",
            ["batch_size = 100", "for epoch in range(30):"],
            ["batch_size = 1", "for epoch in range(1):"],
        ),
    ],
)
def test_the_lines_that_differ(preset, removed, added):
    comparison = PRESETS[preset].comparison
    assert differing_lines(comparison.original, comparison.fixed) == (removed, added)


def test_a_side_does_not_differ_from_itself():
    assert differing_lines(Settings(), Settings()) == ([], [])


# ---- both sides in one file ----------------------------------------------------------------------


def run_here(code):
    """What a script prints, run in this process."""
    printed, state = io.StringIO(), torch.get_rng_state()
    with warnings.catch_warnings(), redirect_stdout(printed):
        warnings.filterwarnings("ignore", "Using a target size", UserWarning)
        exec(compile(code, "the script", "exec"), {})
    torch.set_rng_state(state)
    return printed.getvalue()


def run_apart(code, *arguments):
    """What a program prints in a process of its own, in which any warning but PyTorch's own is an
    error."""
    program = [sys.executable, "-W", "error", "-W", "ignore::UserWarning", "-c", code, *arguments]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def shown(comparison):
    """The app's own words for both sides, as the script writes them: losses, weights."""
    data = make_data(comparison.original.data)
    runs = train([comparison.original, comparison.fixed], data)
    outcomes = [outcome(run, data, loss_surface(data, run.settings)) for run in runs]
    lines = outcome_table(trained_result(runs)).splitlines()[2:]
    rows = {
        line.split(" | ")[0].removeprefix("| "): line.removesuffix(" |").split(" | ")[1:]
        for line in lines
    }
    superscripts = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    told = []
    for verdict, final, last, weights in zip(*list(rows.values())[:4], strict=True):
        final = verdict.removeprefix("✕ ") if "diverged" in verdict else final
        row = [text.replace("−", "-").replace("–", "-") for text in (final, last, weights)]
        row = [
            re.sub(
                r" × 10(\S+?)(?=[,)]|$)",
                lambda m: f"e{int(m[1].translate(superscripts)):+03d}",
                text,
            )
            for text in row
        ]
        told.append(["0.0e+00" if text == "0" else text for text in row])
    return told, outcomes


def rows(printed):
    """The same from what a script prints."""
    head, *lines = printed.splitlines()
    assert re.split(r"\s{3,}", head.strip()) == [
        "Loss at the final weights",
        "Mean loss of the last epoch",
        "Final weights",
    ]
    names, *cells = zip(*(re.split(r"\s{2,}", line) for line in lines), strict=True)
    assert names == ("Original", "Fixed")
    return [
        list(row)
        for row in zip(*(map(without_minus_zero, column) for column in cells), strict=True)
    ]


def without_minus_zero(text):
    return re.sub(r"-(0\.000)\b", r"\1", text)


def well_made(code, width=100):
    """What holds for every script, whatever the settings."""
    lines = code.splitlines()
    assert len(lines) < 60
    assert not [line for line in lines if len(line) > width and "In linreg: ?" not in line]
    nodes = list(ast.walk(ast.parse(code)))
    imports = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert imports <= {"numpy", "pandas", "torch"}
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom)]
    assert not {node.id for node in nodes if isinstance(node, ast.Name)} & {
        "exec",
        "eval",
        "open",
        "__import__",
    }


def prints_what_the_app_shows(comparison):
    told, outcomes = shown(comparison)
    code = script(comparison, outcomes)
    well_made(code)
    assert rows(run_here(code)) == told
    return code


def short(comparison, samples=250):
    """The same on fewer rows and for fewer epochs."""
    data, sides = (
        replace(comparison.original.data, samples=samples),
        (comparison.original, comparison.fixed),
    )
    return Comparison(*(replace(side, data=data, epochs=min(side.epochs, 2)) for side in sides))


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_as_a_script(preset):
    comparison = PRESETS[preset].comparison
    prints_what_the_app_shows(short(comparison, samples=2_500))
    well_made(script(comparison))


CHANGES = {
    "nothing": {},
    "init": {"init": (0.5, -1.25)},
    "optimizer": {"optimizer": "Adam"},
    "lr": {"lr": 0.05},
    "momentum": {"momentum": 0.5},
    "batch": {"batch_size": 1},
    "epochs": {"epochs": 3},
    "shuffle": {"shuffle": True},
    "seed": {"seed": 7},
    "bias": {"bias": True, "init": (0.5, -1.25, 2.0)},
    "diverges": {"optimizer": "SGD", "lr": 2.0, "epochs": 20},
    "all": {
        "init": (0.5, -1.25), "optimizer": "Nesterov", "momentum": 0.9, "lr": 1e-4,
        "batch_size": 7, "epochs": 1, "shuffle": True, "seed": 7,
    },
}  # fmt: skip


# what the code of a wiring depends on; the other changes are lines of their own
WITH_EVERY_WIRING = ("nothing", "init", "bias", "all")


@pytest.mark.parametrize(
    ("wiring", "change"),
    [
        (key, change)
        for key in WIRINGS
        for change in CHANGES
        if (key == "squeeze" or change in WITH_EVERY_WIRING)
        and (change != "bias" or WIRINGS[key].takes_bias)
    ],
)
def test_a_fixed_side_that_differs(wiring, change):
    original = Settings(data=SMALL, batch_size=25, epochs=2)
    comparison = Comparison(original, replace(original, wiring=wiring, **CHANGES[change]))
    code = prints_what_the_app_shows(comparison)
    marked = [line for line in code.splitlines()[2:] if "# <--" in line]
    assert bool(marked) == (comparison.fixed != original)
    if change == "diverges":
        assert "Fixed     diverged at step" in re.sub(r" {10,}", "     ", run_here(code))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_as_a_script(optimizer):
    entry = OPTIMIZERS[optimizer]
    both = Settings(
        data=SMALL,
        optimizer=optimizer,
        momentum=0.8 * entry.takes_momentum,
        lr=1e-3,
        batch_size=25,
        epochs=2,
    )
    prints_what_the_app_shows(Comparison(both, replace(both, wiring="squeeze", shuffle=True)))


@st.composite
def comparisons(draw):
    """Any two sides on the same small data."""
    data = DataSettings(
        samples=draw(st.integers(3, 60)),
        weights=(draw(st.floats(-10, 10)), 3.0),
        scale=draw(st.sampled_from([0.25, 1.0, 100.0])),
        mean=draw(st.sampled_from([0.0, 1.5])),
        correlation=draw(st.sampled_from([0.0, 0.5, -0.9])),
        noise=draw(st.sampled_from([1.0, 0.3])),
        seed=draw(st.integers(0, 999_999)),
    )

    def side():
        wiring, optimizer = (
            draw(st.sampled_from(list(WIRINGS))),
            OPTIMIZERS[draw(st.sampled_from(list(OPTIMIZERS)))],
        )
        bias = WIRINGS[wiring].takes_bias and draw(st.booleans())
        weight = st.floats(-100, 100, width=32)
        return Settings(
            data,
            wiring,
            draw(
                st.none()
                | st.tuples(weight, weight)
                | (st.tuples(weight, weight, weight) if bias else st.nothing())
            ),
            optimizer.name,
            draw(st.sampled_from([1e-3, 0.05, 1.0])),
            draw(st.sampled_from([0.9] if optimizer.needs_momentum else [0.0, 0.4]))
            * optimizer.takes_momentum,
            draw(st.integers(1, data.samples)),
            draw(st.integers(1, 3)),
            draw(st.booleans()),
            bias,
            draw(st.integers(0, 999_999)),
        )

    return Comparison(side(), side())


@pytest.mark.slow
@given(comparisons())
@examples(40)
def test_any_comparison_as_a_script(comparison):
    told, _ = shown(comparison)
    code = script(comparison)
    well_made(code, width=120)  # numbers of 17 digits may need more than the 100 of others
    assert rows(run_here(code)) == told


@pytest.mark.parametrize("upload", [False, True])
def test_the_longest_script_is_short_enough(upload, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    key = "auto-mpg"
    if upload:  # with decimal commas, and a name that pandas has in another way
        monkeypatch.chdir(tmp_path)
        cars = pd.read_csv(ROOT / "linreg/data/bundled/auto-mpg.csv").rename(
            columns={"weight": "weight "}
        )
        cars.to_csv("cars.csv", index=False, sep=";", decimal=",")
        held = register_table(open_table("cars.csv"))
        key = held.digest
    data = table_settings(key, "mpg", ("horsepower", "weight"), standardise=True)
    ours = Settings(
        data, "noop_squeeze", (1.0, 2.0, 3.0), "SGD", 1e-7, 0.5, 100, 30, False, True, 1
    )
    theirs = Settings(
        data, "unsqueeze", (12345.678, -12345.678), "Adam", 1.0, 0.0, 30, 4, True, True, 2
    )
    code = prints_what_the_app_shows(Comparison(ours, theirs))
    assert from_query(dict(parse_qsl(code.splitlines()[0].partition("?")[2])), table_settings)[
        0
    ] == Comparison(ours, theirs)


def test_the_script_says_what_to_expect_and_where_it_is_from():
    comparison = short(PRESETS["strange_line"].comparison)
    outcomes = shown(comparison)[1]
    code = script(comparison, outcomes)
    lines = code.splitlines()
    said = " ".join(line.removeprefix("# ") for line in lines if line.startswith("# "))
    assert said.startswith(f"{headline(*outcomes)} What differs is marked <--. In linreg: ?")
    assert "250 rows; RMSprop at lr 0.01, batches of 100, 2 epochs, seed 0." in said
    (link,) = (line.removeprefix("# In linreg: ?") for line in lines if "In linreg" in line)
    assert from_query(dict(parse_qsl(link))) == (comparison, [])
    assert "# <--" in code
    assert "# <--" not in script(Comparison(Settings(), Settings()))


@pytest.mark.parametrize("standardise", [(False,), (True,), (True, True), (False, True)])
def test_the_bundled_table_as_a_script(standardise, monkeypatch):
    monkeypatch.chdir(ROOT)
    table = table_settings("auto-mpg", "mpg", ("horsepower", "weight"), *standardise)
    comparison = with_table(short(Comparison()), table)
    prints_what_the_app_shows(comparison)


HOSTILE = ("it's", '"""', "a\nimport os\n# \\")
FILES = {
    "plain.csv": "y,a,b\n" + "".join(f"{k % 5 + 0.25},{k},{k * k % 7}\n" for k in range(1, 13)),
    "gaps.csv": "y, a, b\n1.5, 2, 3\n,1,1\n2.5,x,1\n0.5,4,inf\n4,1.5,2\n-1,0,1e120\n3,2,2\n",
    "comma.csv": "y;a;b\n1,5;2;3,25\n2,5;1;1\n4;1,5;2\n3;2;2,5\n",
    "tabs.tsv": "y\ta\tb\n1.5\t2\t3\n2.5\t1\t1\n4\t1.5\t2\n",
    "comma and text.csv": "y;a;b\n1,5;2;3,25\n2,5;x;1\n4;1,5;2\n3;;2,5\n1.5;?;2\n2.5;1;0,5\n",
    "tabs.csv": "y\ta\tb\n1.5\t2\t3\n2.5\t1\t1\n4\t1.5\t3\n",
    "commas.txt": "y,a,b\n1.5,2,3\n2.5,1,1\n4,1.5,3\n",
    "blanks.csv": "b,y,a ,c\n3,1.5,2,x\n1,2.5,1,x\n2,4,1.5,x\n",
    "quoted blanks.csv": '" b","y",a\n3,1.5,2\n1,2.5,1\n2,4,1.5\n',
    "comma and blanks.csv": "\n y; a; b\n1,5;2;3\n2,5;1;1\n4;1,5;2\n3;x;1\n",
    "constant.csv": "y,a,b\n1.5,0.1,3\n2.5,0.1,1\n4,0.1,2\n",
    'it\'s "mine".csv': "y,a,b\n1.5,2,3\n2.5,1,1\n4,1.5,2\n",
    "bars.csv": "y|a|b\n1.5|2|3\n2.5|x|1\n4|1.5|2\n0.5|1|1\n",
}
ENCODED = "y,a,b,°C\n1.5,2,3,warm\n2.5,x,1,–\n4,1.5,2,é\n0.5,1,1,\n"
FILES |= {
    "windows.csv": ENCODED.encode("cp1252"),
    "utf-16.csv": ENCODED.encode("utf-16"),
    "utf-16-be.csv": ENCODED.encode("utf-16-be"),
    "packed.csv.gz": gzip.compress(ENCODED.encode()),
    "PACKED.CSV.GZ": gzip.compress(ENCODED.encode("cp1252")),
    "packed.csv": gzip.compress(ENCODED.replace(",", "|").encode("utf-16")),
    "packed.tar.gz": gzip.compress(ENCODED.encode()),
    "not packed.csv.gz": ENCODED.encode(),
    "not a.zip": ENCODED.encode(),
    "all.csv.gz": gzip.compress(ENCODED.replace(",", ";").replace(".", ",").encode("cp1252")),
}


@pytest.mark.parametrize("name", [*FILES, "table.parquet"])
def test_an_upload_as_a_script(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    if name in FILES:
        content = FILES[name]
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    else:
        pd.read_csv(io.StringIO(FILES["gaps.csv"]), skipinitialspace=True).to_parquet(path)
    held = register_table(open_table(path))
    comparison = with_table(
        short(Comparison()), table_settings(held.digest, "y", ("a", "b"), standardise=True)
    )
    prints_what_the_app_shows(comparison)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (
            "y,a,b\n1.5,2,3\n2.5,1,1\n",
            [
                'path = "t.csv"  # the table that was uploaded',
                'names = ["y", "a", "b"]  # the target, then the features',
                'table = pd.read_csv(path)[names].apply(pd.to_numeric, errors="coerce")',
            ],
        ),
        (
            "b;y ;a\n1,5;2;3\n2,5;1;1\n",
            [
                'table = pd.read_csv("t.csv", sep=";", dtype=str)  # the table that was uploaded',
                'columns = [1, 2, 0]  # the target, then the features: "y", "a", "b"',
                'table = table.iloc[:, columns].replace(",", ".", regex=True)'
                '.apply(pd.to_numeric, errors="coerce")',
            ],
        ),
        (
            "y|a|b\n1.5|2|3\n2.5|1|é\n4|2|1\n",
            [
                'table = pd.read_csv("t.csv", sep="|", encoding="cp1252")'
                "  # the table that was uploaded",
                'names = ["y", "a", "b"]  # the target, then the features',
                'table = table[names].apply(pd.to_numeric, errors="coerce")',
            ],
        ),
    ],
)
def test_an_upload_is_read_by_lines_that_say_no_more_than_they_must(content, lines):
    held = register_table(open_table(content.encode("cp1252"), "t.csv"))
    code = script(with_table(short(Comparison()), table_settings(held.digest, "y", ("a", "b"))))
    assert "\n".join(["import torch", "", *lines, "table = torch.tensor(table["]) in code


def test_a_column_without_a_name_is_read_by_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"y": [1.5, 2.5, 4], "a": [2, 1, 1.5]}).to_csv("index.csv")
    held = register_table(open_table("index.csv"))
    for features in (("column 1", "a"), ("a", "column 1")):
        comparison = with_table(short(Comparison()), table_settings(held.digest, "y", features))
        prints_what_the_app_shows(comparison)


CELL = st.integers(-99, 99).map(str) | st.sampled_from(
    [
        "1.5",
        "-2,25",
        ",5",
        "3.",
        "1e2",
        "1.5,2",
        "x",
        "?",
        "NA",
        "inf",
        "0x10",
        "1_0",
        "true",
        "",
        " ",
        " 7",
        "8 ",
    ]
)


@pytest.mark.slow
@given(
    st.lists(st.tuples(*[CELL] * 3), max_size=12),
    st.tuples(*[st.sampled_from([name, f" {name}", f"{name} ", f"\t{name}"]) for name in "yab"]),
    st.sampled_from(",;\t|"),
    st.sampled_from(["", "\ufeff", "\n"]),
    st.booleans(),
)
@examples(60)
def test_any_table_is_read_as_linreg_reads_it(
    tmp_path_factory, cells, header, delimiter, beginning, standardise
):
    good = [("1", "2", "3"), ("4", "0", "1"), ("2", "5", "4")] * (
        len(cells) + 1
    )  # so that no column is text
    text = pd.DataFrame([*cells, *good], columns=header).to_csv(index=False, sep=delimiter)
    content = (beginning + text).encode()
    held = register_table(open_table(content, "any.csv"))
    try:
        data = table_settings(held.digest, "y", ("a", "b"), standardise)
    except TableError:  # a separated number
        return
    reading = script(with_table(Comparison(), data)).partition("def batch_loss")[0]
    scope, expected = {}, make_data(data)
    with chdir(tmp_path_factory.getbasetemp()):
        Path("any.csv").write_bytes(content)
        exec(reading, scope)
    np.testing.assert_allclose(scope["X"].numpy(), expected.X, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(scope["y"].numpy(), expected.y, rtol=1e-12)


def test_names_from_outside_stay_in_their_literals(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.csv"
    pd.DataFrame([[1.5, 2, 3], [2.5, 1, 1], [4, 1.5, 2]], columns=HOSTILE).to_csv(path, index=False)
    held = register_table(open_table(path, 'x"\nimport os #.csv'))
    comparison = with_table(
        short(Comparison()), table_settings(held.digest, HOSTILE[0], HOSTILE[1:])
    )
    code = script(comparison)
    well_made(code)
    assigned = {
        node.targets[0].id: node.value
        for node in ast.parse(code).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert ast.literal_eval(assigned["names"]) == list(HOSTILE)
    assert ast.literal_eval(assigned["path"]) == held.name
    told, _ = shown(comparison)
    assert rows(run_here(code.replace(repr(held.name), '"a.csv"'))) == told


def test_an_upload_that_is_gone_leaves_a_path_to_fill_in():
    gone = TableSettings("0123456789abcdef", "y", ("a", "b"), 50)
    code = script(
        Comparison(Settings(gone, batch_size=10), Settings(gone, batch_size=10, wiring="squeeze"))
    )
    assert 'path = "your_table.csv"' in code
    well_made(code)


@pytest.mark.slow
def test_the_script_runs_by_itself():
    comparison = short(Comparison(), samples=2_500)
    told, outcomes = shown(comparison)
    assert rows(run_apart(script(comparison, outcomes))) == told


# ---- as a notebook -------------------------------------------------------------------------------

CELLS = """
import json, sys
scope = {}
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        exec("".join(cell["source"]), scope)
"""


@pytest.mark.slow
def test_the_notebook_prints_what_the_script_prints(tmp_path):
    comparison = short(PRESETS["forum_squeeze"].comparison)
    path = tmp_path / "it.ipynb"
    path.write_text(notebook(comparison), encoding="utf-8")
    program = f"import warnings; warnings.simplefilter('ignore', ResourceWarning)\n{CELLS}"
    assert run_apart(program, str(path)) == run_here(script(comparison))


@pytest.mark.parametrize("told", [False, True])
def test_the_notebook_is_valid_and_explains_both_sides(told):
    comparison = short(Comparison())
    outcomes = shown(comparison)[1] if told else None
    made = nbformat.reads(notebook(comparison, outcomes), as_version=4)
    nbformat.validate(made)
    assert all(not cell.outputs for cell in made.cells if cell.cell_type == "code")
    heading = made.cells[0].source
    assert (
        "each of 100 predictions is compared with all 100 targets of its batch, 10,000 pairs"
        in heading
    )
    assert "each prediction is compared with its own target" in heading
    code = "\n\n\n".join(cell.source for cell in made.cells if cell.cell_type == "code")
    assert script(comparison).endswith(f"\n\n{code}\n")


# ---- on the page ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_page_offers_the_script_and_shows_it():
    app = opened(samples="400", epochs="2")
    app.session_state["script"] = True
    ran(app)
    comparison = Comparison(
        *(
            replace(side, data=DataSettings(samples=400), epochs=2)
            for side in (Settings(), Settings(wiring="squeeze"))
        )
    )
    assert app.code[-1].value == script(comparison, shown(comparison)[1]).rstrip("\n")
    assert [button.proto.label for button in app.get("download_button")] == [
        "Python script",
        "Jupyter notebook",
    ]
