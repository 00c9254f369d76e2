"""The command line: what it prints, what it refuses and how, and that its numbers are those of the
library."""

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from judging import trained_result
from project import ROOT

from linreg import __version__
from linreg.__main__ import main
from linreg.cli import commands, guard, output
from linreg.cli.main import PROGRAM
from linreg.cli.request import parse_link, resolve, resolve_view
from linreg.data import files
from linreg.data.tables import make_data, table_settings
from linreg.experiments import backends
from linreg.experiments.claim_trials import CLAIMS, of_seed
from linreg.experiments.sweep_grid import CellStats, run_task, sweep_around
from linreg.quadratic.streaming import loss_surface
from linreg.settings.changes import all_specs, with_table
from linreg.settings.fields import SettingsError, specs_of
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.pages import PAGES, CauseView, ClaimsView, CodeView, SurfaceView, SweepView
from linreg.settings.presets import PRESETS
from linreg.settings.query import from_query, to_query, to_view_query
from linreg.text import comparison as comparison_text
from linreg.text import numbers as numbers_text
from linreg.text.script import notebook, script
from linreg.training import pytorch

AUTO_MPG = str(ROOT / "linreg" / "data" / "bundled" / files.BUNDLED["auto-mpg"].file)
CARS = ["diagnose", AUTO_MPG, "--target", "mpg", "--features", "horsepower", "weight"]
SMALL = ["--samples", "400", "--epochs", "5"]
DATA = DataSettings(samples=400)
COMPARISON = Comparison(
    Settings(data=DATA, epochs=5), Settings(data=DATA, epochs=5, wiring="squeeze")
)


def told(capsys, *arguments):
    """What a command that succeeds prints."""
    assert main([str(part) for part in arguments]) == 0
    out, err = capsys.readouterr()
    assert not err, "progress is for a terminal"
    return out


def comparison_of(*arguments, view=None):
    """The comparison that these options ask for, and with `view`, that of the sweep, the view."""
    asked = []

    def resolved(chosen):
        wanted = resolve(chosen)
        asked.append(wanted.comparison)
        if view:
            asked[:] = [(wanted.comparison, resolve_view(view, chosen, wanted.link))]

    command = "sweep" if view else "script"
    with patch.dict(commands.RUN, {command: resolved}):
        assert main([command, *(str(part) for part in arguments)]) == 0
    return asked[0]


def refused(capsys, *arguments):
    """What a command says that refuses its input."""
    assert main([str(part) for part in arguments]) == 2
    return capsys.readouterr().err


def query(names):
    return "&".join(f"{name}={value}" for name, value in names.items())


# ---- the frame -----------------------------------------------------------------------------------


def test_without_a_command_there_is_help_and_status_2(capsys):
    assert main([]) == 2
    assert "COMMAND --help" in capsys.readouterr().err


@pytest.mark.parametrize("command", PROGRAM.commands.values(), ids=lambda command: command.name)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_help_with_an_example(capsys, command, option):
    assert f"example:\n  python -m linreg {command.name} {command.example}\n" in told(
        capsys, command.name, option
    )


def test_every_example_is_understood(monkeypatch):
    """Its options are known, and none of them is refused."""
    for name, command in PROGRAM.commands.items():
        asked = []
        monkeypatch.setitem(commands.RUN, name, asked.append)
        monkeypatch.setattr(guard, "run", lambda *given, asked=asked: asked.append(given) or 0)
        assert main([name, *shlex.split(command.example)]) == 0
        assert len(asked) == 1


def test_help_names_the_commands_in_their_order(capsys):
    out = told(capsys, "--help")
    lines = [f"  {one.name:<8}  {one.short_help}\n" for one in PROGRAM.commands.values()]
    assert "".join(lines) in out
    assert list(PROGRAM.commands) == [*commands.RUN, "guard"]  # which imports none of the others


def test_version(capsys):
    assert told(capsys, "--version") == f"linreg {__version__}\n"


def test_help_has_every_setting_with_its_limits_and_what_it_stands_at(capsys):
    out = " ".join(told(capsys, "compare", "--help").split())
    for name, spec in all_specs().items():
        option = name.replace("_", "-")
        assert (f"--{option} / --no-{option} " if spec.type is bool else f"--{option} ") in out
    assert "--batch-size N batch size: 1 to 200000 (100)" in out
    assert "--fixed-lr" not in out
    groups = ("the comparison to start from", "the synthetic data", "both sides; each of these")
    assert sorted(map(out.index, groups)) == [out.index(group) for group in groups]


LOADED = """
import sys
from linreg.__main__ import main
helped = [[], ["compare"], ["sweep"], ["figures"], ["script"]]
wrong = [["compare", "--lr", "abc"], ["compare", "--link", "?lr=abc"], ["sweep", "--y", "lr"],
         ["compare", "--batch-size", "20000"]]
assert not any(main([*one, "--help"]) for one in helped)
assert all(main(arguments) == 2 for arguments in wrong)
print(*{"torch", "numba", "streamlit"} & sys.modules.keys())
"""


@pytest.mark.slow
def test_help_and_wrong_input_load_nothing_slow():
    ran = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == ""
    assert len(ran.stderr.splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("comparee", "comparee is no command; did you mean compare?"),
        ("nothing", "nothing is no command; use one of compare, claims, sweep, diagnose"),
        ("compare --lr abc", "--lr: abc is not a number (at least 1e-12 and at most 1000000)"),
        ("compare --lr 1e9", "--lr: 1e9 is out of range (at least 1e-12 and at most 1000000)"),
        ("compare --lr nan", "--lr: nan is not a number"),
        ("compare --fixed-epochs 0", "--fixed-epochs: 0 is out of range (at least 1 and"),
        ("compare --init -1,2,3,4", "--init: -1,2,3,4 does not have 2 or 3 numbers"),
        (
            "compare --init -1,2,3",
            "initial weights -1,2,3 has 3 numbers, but there is no bias; use 2 numbers",
        ),
        ("compare --optimizer Adamm", "Adamm is unknown; the choices are RMSprop, SGD"),
        ("compare --preset nope", "nope is unknown; the choices are as_asked"),
        ("compare --preset as_asked --link ?v=1", "--preset and --link are two comparisons"),
        (
            "compare --momentum 0.9 --optimizer Adam",
            "momentum 0.9 does not fit Adam, which takes none; use 0, or one of",
        ),
        (
            "compare --batch-size 20000",
            "batch size 20,000 is above the 10,000 samples; use 1 to 10,000",
        ),
        (
            "compare --fixed-batch-size 20000",
            "on the fixed side, batch size 20,000 is above the 10,000 samples",
        ),
        (
            "compare --samples 9000 --batch-size 9000",
            "would compare 81,000,000 pairs at every step; use up to 2,000",
        ),
        (
            "compare --batchsize 10",
            "--batchsize is no option of compare; did you mean --batch-size?",
        ),
        ("compare --batch 10", "--batch is no option of compare"),
        ("compare more", "more is no option of compare; see python -m linreg compare --help"),
        ("compare --out nowhere/a.json", "nowhere/a.json is not possible: there is no folder"),
        ("compare --out .", "it is a folder; name another file"),
        (
            "compare --json --out a.csv",
            "--json and --out a.csv ask for two forms; leave one of them out",
        ),
        ("claims --out a.csv", "claims has no rows for a.csv; name a file that ends otherwise"),
        ("compare -lr 10", "-lr is no option of compare; did you mean --lr?"),
        ("compare -x", "-x is no option of compare; see python -m linreg compare --help"),
        ("compare --lr", "'--lr' requires an argument"),
        ("compare --lr --epochs 3", "'--lr' requires an argument"),
        ("compare --out --json", "'--out' requires an argument"),
        ("compare --table auto-mpg --features a --target b", "'--features' requires 2 arguments"),
        ("compare --bias=1", "'--bias' does not take a value"),
        (
            "--json compare",
            "--json is no option of python -m linreg; options come after the command",
        ),
        ("figures", "--out: it is required"),
        ("figures --out a --format gif", "--format: 'gif' is not one of 'svg', 'pdf', "),
        ("figures --out a --only cause svg", "--only: 'svg' is not one of 'comparison', 'cause', "),
        (
            "compare --target y",
            "--target is of a table, and there is none; give it too, with --table FILE",
        ),
        ("compare --table nowhere.csv", "nowhere.csv cannot be opened"),
        ("compare --table auto-mpg --samples 50", "samples belongs to the synthetic data"),
        ("compare --link nonsense", "nonsense is neither an address nor a query"),
        ("compare --link ?lr=abc", "lr=abc was ignored: it is not a number."),
        ("compare --link ?v=99&lr=0.1", "The link's version 99 is unknown"),
        ("compare --link ?utm_source=x", "utm_source was ignored: there is no such setting."),
        (
            "compare --link https://x.y/cause?columns=4",
            "columns was ignored: there is no such setting.",
        ),
        ("compare --link ?columns=4&w1=3", "columns, w1 was ignored: no page has all of them."),
        ("compare --link ?step=soon", "step=soon was ignored: it is not a whole number."),
        ("compare --link ?x=lr&y=lr", "y=lr was ignored: both axes are learning rate"),
        (
            "compare --link ?table=0123456789abcdef&target=a&feature1=b&feature2=c",
            "give the file too, with --table FILE",
        ),
        ("claims --seeds 3", "--seeds: 3 is out of range (at least 10 and at most 1000)"),
        ("sweep --y lr", "both axes are learning rate; choose another for one of them"),
        (
            "sweep --x-range 10,1",
            "range 10,1 is not one; use two numbers above 0, the smaller first",
        ),
        (
            "sweep --scheduler tcp://a:1",
            "tcp://a:1 is of a Dask cluster; use it with --backend dask",
        ),
        ("sweep --x momentum --optimizer Adam --x-range 0.5,0.9", "does not fit Adam"),
        ("diagnose", "there is no table to read; give a FILE"),
        ("diagnose --link ?v=1", "the link is of the synthetic data"),
        ("diagnose nowhere.csv --target a --features b c", "nowhere.csv cannot be opened"),
        ("diagnose AUTO --target mpg", "--features is missing"),
        ("diagnose AUTO --target mpgs --features horsepower weight", "has no column 'mpgs'"),
        ("diagnose AUTO --target mpg --features horsepower name", "holds no numbers"),
        (
            "diagnose AUTO --target mpg --features horsepower weight --batch-size 500",
            "above the 392 rows",
        ),
        (
            "diagnose AUTO --target mpg --features horsepower weight --lr 0",
            "--lr: 0 is out of range (above 0)",
        ),
    ],
)
def test_wrong_input_is_one_line_and_status_2(capsys, arguments, said):
    assert main([part.replace("AUTO", AUTO_MPG) for part in arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("linreg: ")
    assert said in err
    assert err.count("\n") == 1


# ---- options and links ---------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.key)
def test_a_preset_and_the_link_to_it_are_the_same(preset):
    names = query(to_query(preset.comparison))
    assert comparison_of("--preset", preset.key) == preset.comparison
    assert comparison_of("--link", names) == preset.comparison
    assert comparison_of("--link", f"?{names}") == preset.comparison
    assert (
        comparison_of("--link", f"https://linreg.example/app/?{names}&embed=true&step=12#top")
        == preset.comparison
    )


ASKED = {
    "samples": "5000",
    "weights": "-5,3e2",
    "scale": "10",
    "mean": "-4",
    "correlation": "-0.5",
    "noise": "0",
    "data_seed": "7",
    "wiring": "weight_2d",
    "init": "-1,2",
    "optimizer": "SGD",
    "lr": "1e-5",
    "momentum": "0.9",
    "batch_size": "50",
    "epochs": "3",
    "shuffle": "1",
    "bias": "1",
    "seed": "5",
}


@pytest.mark.parametrize(
    ("prefix", "name"),
    [("", name) for name in all_specs()] + [("fixed.", name) for name in specs_of(Settings)],
)
def test_every_setting_is_an_option_that_means_what_it_means_in_a_link(prefix, name):
    """A value such as -1,2 is not taken for an option."""
    given = {name: ASKED[name]} | ({"optimizer": "SGD"} if name == "momentum" else {})
    expected, ignored = from_query({f"{prefix}{key}": value for key, value in given.items()})
    assert not ignored
    assert expected != Comparison()
    options = []
    for key, value in given.items():
        option = f"--{prefix.replace('.', '-')}{key.replace('_', '-')}"
        options += [option] if value == "1" and key in ("shuffle", "bias") else [option, value]
    assert comparison_of(*options) == expected


def test_several_values_follow_one_option(monkeypatch):
    asked = []
    monkeypatch.setitem(commands.RUN, "figures", asked.append)
    options = "--only cause sweep --out a --format svg csv --features a b --weights -5,3e2"
    assert main(["figures", *options.split()]) == 0
    assert main(["figures", "--format=pdf", "--out", "a", "--format", "svg"]) == 0
    first, second = asked
    assert (first.only, first.format, first.features) == (
        ("cause", "sweep"),
        ("svg", "csv"),
        ("a", "b"),
    )
    assert first.settings == {"weights": (-5, 300)}
    assert (second.only, second.format, second.features) == ((), ("pdf", "svg"), None)
    assert (second.size, second.theme) == ("page", "light")


def test_a_default_that_is_asked_for_goes_over_a_link():
    found = comparison_of("--link", "?init=1,2", "--fixed-init", "default")
    assert (found.original.init, found.fixed.init) == ((1, 2), None)
    found = comparison_of("--link", "?bias=1&shuffle=1", "--no-bias", "--no-fixed-shuffle")
    assert (found.original.bias, found.fixed.bias) == (False, False)
    assert (found.original.shuffle, found.fixed.shuffle) == (True, False)


def test_options_go_over_a_link():
    link = "?v=1&lr=0.05&batch_size=20&fixed.batch_size=1&fixed.lr=0.5"
    found = comparison_of("--link", link, "--lr", "0.2", "--fixed-epochs", "2")
    assert (found.original.lr, found.fixed.lr) == (0.2, 0.5)
    assert (found.original.batch_size, found.fixed.batch_size) == (20, 1)
    assert (found.original.epochs, found.fixed.epochs) == (30, 2)


@pytest.mark.parametrize(
    "view",
    [
        CauseView(rows=8, w1=1.5),
        ClaimsView(seeds=30),
        CodeView((3, 4), (4,)),
        SurfaceView(part="batches", batch=3),
        SweepView(y="noise", x_range=(0.001, 1.0), columns=7, metric="loss"),
    ],
    ids=lambda view: type(view).__name__,
)
def test_a_link_of_any_page_is_followed(view):
    page = next(name for name, kind in PAGES.items() if kind is type(view))
    names = query({"v": "1", "lr": "0.05", **to_view_query(view), "step": "40", "embed": "true"})
    for text in (names, f"http://localhost:8501/{page}?{names}"):
        link = parse_link(text)
        assert link.views[type(view)] == view
        assert link.step == 40
    with pytest.raises(SettingsError, match="there is no such setting"):
        parse_link(f"http://localhost:8501/?{names}")  # the home page has none of them


def test_a_sweep_takes_its_own_link_and_no_other_page_s():
    link = "https://x.y/sweep?columns=7&rows=5&metric=loss"
    assert comparison_of("--link", link, "--rows", 4, view=SweepView)[1] == SweepView(
        columns=7, rows=4, metric="loss"
    )
    assert comparison_of("--link", "https://x.y/cause?rows=5", view=SweepView)[1] == SweepView()


def test_a_link_to_the_bundled_table():
    data = table_settings("auto-mpg", "mpg", ("horsepower", "weight"), True, True)
    expected = with_table(Comparison(), data)
    assert comparison_of("--link", query(to_query(expected))) == expected
    assert comparison_of("--table", "auto-mpg") == expected


def test_a_file_of_one_s_own_is_named_by_its_content(capsys, tmp_path):
    copied = tmp_path / "cars.csv"
    copied.write_bytes(Path(AUTO_MPG).read_bytes())
    columns = ("--target", "mpg", "--features", "weight", "acceleration")
    found = comparison_of("--table", copied, *columns, "--lr", 0.5)
    assert found.original.data.samples == 398
    assert found.original.lr == found.fixed.lr == 0.5
    link = query(to_query(found))
    assert comparison_of("--link", link, "--table", copied) == found
    copied.write_text(copied.read_text() + "20,4,140,90,2000,15,75,1,another\n")
    said = "cars.csv is not the table of the link, or has changed since"
    assert said in refused(capsys, "script", "--link", link, "--table", copied)
    assert comparison_of("--link", link, "--table", copied, *columns).original.data.samples == 399


# ---- compare -------------------------------------------------------------------------------------


def test_compare_prints_the_runs_of_the_trainer(capsys):
    out = told(capsys, "compare", *SMALL)
    table = make_data(DATA)
    result = trained_result(pytorch.train([COMPARISON.original, COMPARISON.fixed], table))
    words = " ".join(out.split())
    assert words.startswith(comparison_text.headline(result))
    for outcome in result.outcomes:
        assert numbers_text.quantity(outcome.final_loss) in words
        assert numbers_text.point(outcome.weights, 3) in words
        assert numbers_text.point(outcome.minimum) in words
    assert "Using a target size (torch.Size([100])) that is different to the input size" in words
    assert "(100, 100), 10,000 terms" in words
    assert "loss = criterion(pred_y, batch_y)" in words
    assert words.endswith("In the app: /?v=1&samples=400&epochs=5")
    assert not set("`*\\") & set(out.replace("criterion(pred_y", "")), "no Markdown"
    assert max(map(len, out.splitlines())) <= output.columns()


def test_compare_as_json_is_what_the_library_finds(capsys):
    """The original diverges: what is not finite is null."""
    out = told(
        capsys,
        "compare",
        *SMALL,
        "--optimizer",
        "SGD",
        "--fixed-lr",
        "1e-5",
        "--link",
        "?step=3",
        "--json",
    )
    found = json.loads(out, parse_constant=pytest.fail)
    assert comparison_of("--link", found["link"]) == Comparison(
        replace(COMPARISON.original, optimizer="SGD"),
        replace(COMPARISON.fixed, optimizer="SGD", lr=1e-5),
    )
    table = make_data(DATA)
    fixed = replace(COMPARISON.fixed, optimizer="SGD", lr=1e-5)
    (run,) = pytorch.train([fixed], table)
    assert found["fixed"]["outcome"]["weights"] == run.weights[-1].astype(float).tolist()
    assert found["fixed"]["at_step"]["weights"] == run.weights[3].tolist()
    assert found["fixed"]["settings"]["data"]["samples"] == 400
    assert found["fixed"]["shapes"] == {"prediction": [100], "target": [100], "loss": [100]}
    assert found["fixed"]["warnings"] == []
    surface = loss_surface(table, fixed)
    assert found["fixed"]["surface"]["minimum"] == surface.minimum.tolist()
    assert found["fixed"]["surface"]["floor"] == surface.min_loss
    assert found["fixed"]["surface"]["condition_number"] == surface.condition_number
    assert found["original"]["outcome"]["final_loss"] is None
    assert found["original"]["outcome"]["diverged_at"] > 0
    assert found["original"]["warnings"][0].startswith("Using a target size")


def test_compare_writes_every_step(capsys, tmp_path):
    assert told(capsys, "compare", *SMALL, "--out", tmp_path / "run.csv") == ""
    rows = list(csv.DictReader((tmp_path / "run.csv").read_text().splitlines()))
    runs = pytorch.train([COMPARISON.original, COMPARISON.fixed])
    for key, run in zip(("original", "fixed"), runs, strict=True):
        own = [row for row in rows if row["side"] == key]
        assert [int(row["step"]) for row in own] == list(range(21))
        assert [[float(row["w1"]), float(row["w2"])] for row in own] == run.weights.tolist()
        assert [float(row["loss"]) for row in own[:-1]] == run.losses.tolist()
        assert own[-1]["loss"] == "", "after the last step there is no batch"
    assert [path.name for path in tmp_path.iterdir()] == ["run.csv"]


@pytest.mark.parametrize(("name", "first"), [("run.json", "{"), ("run.txt", "N"), ("run", "N")])
def test_the_end_of_a_name_says_what_is_in_the_file(capsys, tmp_path, name, first):
    assert told(capsys, "compare", *SMALL, "--epochs", 1, "--out", tmp_path / name) == ""
    assert (tmp_path / name).read_text().startswith(first)


# ---- claims --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_claims_are_those_of_the_library(capsys, tmp_path):
    told(
        capsys,
        "claims",
        "--link",
        "http://localhost:8501/claims?seeds=10",
        "--out",
        tmp_path / "claims.json",
    )
    found = json.loads((tmp_path / "claims.json").read_text())
    first = of_seed(0)
    assert found["seeds"] == 10
    assert [claim["key"] for claim in found["claims"]] == list(CLAIMS)
    for claim, told_of in zip(CLAIMS.values(), found["claims"], strict=True):
        for arm, row in zip(claim.arms, told_of["arms"], strict=True):
            assert row["converged"] == 10 * row["share"]
            assert row["interval"][0] <= row["share"] <= row["interval"][1]
            assert row["converged"] in ((10,) if first[arm.settings][2] else (0,)), (
                "as all seeds do"
            )
            assert comparison_of("--link", row["link"]) == arm.comparison()
    assert {factor["key"]: factor["is"] for factor in found["factors"]}["shape"] == "cause"
    assert found["claims"][4]["pytorch"]["agrees"]


def test_claims_in_words(capsys):
    out = told(capsys, "claims", "--seeds", 10)
    for number, claim in enumerate(CLAIMS.values(), 1):
        assert f"{number}. {claim.says.replace('`', '')}\n" in out
    assert "10 of 10 (72.2 to 100.0 %)" in out
    assert "✕ not the cause" in out
    assert not set("`*|") & set(out)


# ---- sweep ---------------------------------------------------------------------------------------

SWEEP = [
    "sweep",
    *SMALL,
    "--columns",
    4,
    "--rows",
    2,
    "--y-range",
    "1,200",
    "--inits",
    3,
    "--steps",
    60,
]
VIEW = SweepView(columns=4, rows=2, y_range=(1.0, 200.0), inits=3, steps=60)


def test_a_sweep_s_rows_are_the_cells_of_the_library(capsys, tmp_path):
    told(capsys, *SWEEP, "--out", tmp_path / "cells.csv")
    rows = list(csv.DictReader((tmp_path / "cells.csv").read_text().splitlines()))
    assert len(rows) == 2 * 4 * 2
    cells = {(row["side"], float(row["lr"]), int(row["batch_size"])): row for row in rows}
    grid = sweep_around(COMPARISON, VIEW)
    for task in grid.tasks():
        numbers = run_task(task)
        for index, cell in enumerate(task.cells):
            row = cells[
                "original" if task.side == 0 else "fixed",
                grid.x_values[cell % 4],
                grid.y_values[cell // 4],
            ]
            for name in CellStats.__dataclass_fields__:
                expected = getattr(numbers, name)[index]
                assert row[name] == "" if np.isnan(expected) else float(row[name]) == expected
    found = json.loads(told(capsys, *SWEEP, "--json"))
    assert found["fixed"]["share"][1][2] == float(cells["fixed", grid.x_values[2], 200]["share"])
    assert comparison_of("--link", found["link"], view=SweepView) == (COMPARISON, VIEW)


def test_a_sweep_is_drawn_with_a_shade_a_cell(capsys):
    out = told(capsys, *SWEEP, "--metric", "r_squared")
    lines = out.splitlines()
    assert lines[0].startswith("As written it converges ")
    maps = [line.split() for line in lines if line.split() and line.split()[0] in ("1", "200")]
    assert [row for row, _ in maps] == ["200", "1", "200", "1"], "the largest on top"
    shades = json.loads(told(capsys, *SWEEP, "--json"))["fixed"]["r_squared"][1]
    assert [cell == "·" for cell in maps[2][1]] == [value <= 0 for value in shades]
    assert "1e-05" in out
    assert "10\n" in out


@pytest.mark.filterwarnings("ignore")  # of dask's own
def test_a_sweep_runs_on_a_dask_cluster(capsys, tmp_path):
    distributed = pytest.importorskip("distributed")
    told(capsys, *SWEEP, "--out", tmp_path / "cores.csv")

    def transitions(dask_scheduler):
        return dask_scheduler.transition_counter

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as local,
        distributed.Client(local) as client,
    ):
        before = client.run_on_scheduler(transitions)
        address = local.scheduler_address
        told(
            capsys,
            *SWEEP,
            "--backend",
            "dask",
            "--scheduler",
            address,
            "--out",
            tmp_path / "dask.csv",
        )
        assert client.run_on_scheduler(transitions) > before, (
            "the cluster did the work, however short it is"
        )
    assert (tmp_path / "dask.csv").read_text() == (tmp_path / "cores.csv").read_text()


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_cannot_be_used_is_one_line(capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(backends, "CONNECT_SECONDS", 0.3)
    assert main(["sweep", "--backend", "dask", "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "tcp://127.0.0.1:1 cannot be reached" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["sweep", "--backend", "dask"]) == 2
    assert "pip install 'dask[distributed]'" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_without_workers_or_without_linreg_is_one_line(capsys, monkeypatch):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address=None, threads_per_worker=1
    ) as local:
        sweep = ["sweep", "--backend", "dask", "--scheduler", local.scheduler_address]
        monkeypatch.setattr(backends, "CONNECT_SECONDS", 1)
        assert main(sweep) == 2
        assert "has no workers; start some, with dask worker" in capsys.readouterr().err
        monkeypatch.setattr(backends, "CONNECT_SECONDS", 30)
        local.scale(1)
        monkeypatch.setattr(backends, "NEEDED", "not_installed.run_task")
        assert main(sweep) == 2
        assert "the cluster has no not_installed; install linreg" in capsys.readouterr().err
        assert [name for name in local.scheduler.clients if name.startswith("Client-")] == []


# ---- diagnose ------------------------------------------------------------------------------------


def test_diagnose_says_what_the_textbook_says(capsys, tmp_path):
    out = " ".join(told(capsys, *CARS).split())
    assert out.startswith(
        "392 of 398 rows are used. 6 left out: horsepower is missing, first in row 34 of the file."
    )
    assert "instead of 0.7064" in out
    told(capsys, *CARS, "--out", tmp_path / "cars.json")
    found = json.loads((tmp_path / "cars.json").read_text())
    assert found["fixed"]["weights"] == pytest.approx(
        [-0.0473, -0.005794, 45.6402], abs=6e-5
    )  # ISLR
    assert found["dropped"][0]["count"] == 6
    names = ["settings", "sums", "written", "fixed", "training", "standardised", "reach"]
    assert list(found) == ["dropped", *names, "constant", "correlation"], "which scripts read"


def test_diagnose_takes_a_table_smaller_than_the_default_batch(capsys, tmp_path):
    rows = np.random.default_rng(0).normal(size=(50, 3)).tolist()
    file = tmp_path / "small.csv"
    file.write_text("\n".join(["y,a,b", *(",".join(map(repr, row)) for row in rows)]))
    columns = (file, "--target", "y", "--features", "a", "b")
    assert "with batches of 50, the loss has its minimum" in " ".join(
        told(capsys, "diagnose", *columns).split()
    )
    told(capsys, "diagnose", *columns, "--out", tmp_path / "small.json")
    assert json.loads((tmp_path / "small.json").read_text())["settings"]["data"]["table"] == str(
        file
    )
    assert main(["diagnose", *map(str, columns), "--batch-size", "60"]) == 2
    assert "batch size 60 is above the 50 rows of the table" in capsys.readouterr().err


def test_a_side_without_a_bias_leaves_its_column_empty(capsys, tmp_path):
    told(
        capsys,
        "compare",
        "--fixed-bias",
        "--samples",
        "300",
        "--epochs",
        "1",
        "--out",
        tmp_path / "runs.csv",
    )
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert runs[runs["side"] == "original"]["bias"].isna().all()
    assert runs[runs["side"] == "fixed"]["bias"].notna().all()


def test_diagnose_of_a_link_is_that_of_its_file(capsys):
    link = "https://x.y/your_data?table=auto-mpg&target=mpg&feature1=horsepower&feature2=weight&bias=1&batch_size=50"
    assert told(capsys, "diagnose", "--link", link) == told(capsys, *CARS, "--batch-size", 50)


# ---- script and figures --------------------------------------------------------------------------


def test_the_script_is_that_of_the_page(capsys, tmp_path):
    comparison = PRESETS["strange_line"].comparison
    assert told(capsys, "script", "--preset", "strange_line") == script(comparison)
    assert (
        told(capsys, "script", "--link", query(to_query(comparison)), "--out", tmp_path / "line.py")
        == ""
    )
    assert (tmp_path / "line.py").read_text() == script(comparison)
    told(capsys, "script", "--preset", "strange_line", "--out", tmp_path / "line.ipynb")
    assert json.loads((tmp_path / "line.ipynb").read_text()) == json.loads(notebook(comparison))
    assert (
        json.loads(told(capsys, "script", "--preset", "strange_line", "--notebook"))["nbformat"]
        == 4
    )


def test_figures_are_files_whose_names_are_printed(capsys, tmp_path):
    folder = tmp_path / "new" / "figures"
    link = "http://localhost:8501/cause?rows=4&batch_size=50"
    out = told(
        capsys,
        "figures",
        "--out",
        folder,
        "--format",
        "csv",
        "txt",
        "--only",
        "cause",
        "--link",
        link,
    )
    assert sorted(out.split("\n")[:-1]) == sorted(map(str, folder.iterdir()))
    assert {path.suffix for path in folder.iterdir()} == {".csv", ".txt"}
    table = folder / "matrix-of-all-pairs_rmsprop-lr-0.01-batch-50-rows-4.csv"
    matrix = list(csv.DictReader(table.read_text().splitlines()))
    assert len(matrix) == 4 * 4, "as the link has it"
    assert table.with_suffix(".txt").read_text().endswith(f"\nSource: {link}\n")


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ([], "linreg 0.1.0"),
        (["--link", "?lr=0.05"], "linreg 0.1.0, ?v=1&lr=0.05"),
        (["--preset", "from_zero", "--lr", "1"], "linreg 0.1.0, ?v=1&init=0,0&lr=1"),
    ],
)
def test_a_figure_without_an_address_names_what_makes_it_again(capsys, tmp_path, options, source):
    told(capsys, "figures", "--out", tmp_path, "--format", "txt", "--only", "your_code", *options)
    (caption,) = tmp_path.iterdir()
    assert caption.read_text().endswith(f"\nSource: {source}\n")


# ---- where it runs -------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_how_far_it_is_in_one_line_that_goes_away(capsys, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    assert main([*CARS, "--json"]) == 0
    json.loads(capsys.readouterr().out)
    said = screen.getvalue()
    assert "\rReading auto-mpg.csv: 100%" in said
    assert "\n" not in said
    assert said.endswith("\r")
    assert said.split("\r")[-2].strip() == ""


def test_an_interrupted_command_leaves_no_file(monkeypatch, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pytorch, "train", interrupted)
    (tmp_path / "run.json").write_text("as it was")
    assert main(["compare", *SMALL, "--out", str(tmp_path / "run.json")]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert (tmp_path / "run.json").read_text() == "as it was"


def test_a_disk_that_is_full_leaves_no_file(capsys, monkeypatch, tmp_path):
    def full(path, _):
        path.touch()
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["diagnose", *CARS[1:], "--out", str(tmp_path / "cars.txt")]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_ends_it_quietly():
    with subprocess.Popen(
        [sys.executable, "-m", "linreg", *CARS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 141


@pytest.mark.slow
def test_control_c_ends_a_sweep_with_130():
    sweep = [
        sys.executable,
        "-m",
        "linreg",
        "sweep",
        "--steps",
        "100000",
        "--inits",
        "200",
        "--rows",
        "40",
    ]
    with subprocess.Popen(
        sweep,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # what a shell starts by & is deaf to it
    ) as running:
        time.sleep(2.5)
        os.kill(running.pid, signal.SIGINT)
        try:
            out, err = running.communicate(timeout=30)
        except subprocess.TimeoutExpired:  # or it would keep the cores for minutes
            running.kill()
            raise
    assert (running.returncode, out, err) == (130, b"", b"")
