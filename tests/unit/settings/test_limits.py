"""All limits are in one place, come from the environment, and are documented."""

import os
import subprocess
import sys
import tomllib

import pytest
from project import ROOT

from linreg.data import tables
from linreg.data.files import TableError, open_table
from linreg.settings import changes, model, query
from linreg.settings.limits import Limits, limits, unknown_variables


def test_the_environment_raises_a_limit():
    found = limits({"LINREG_STEPS": "5000000", "LINREG_OTHER": "1"})
    assert found.steps == 5_000_000
    assert limits({}) == Limits()


def test_variables_with_a_former_name_are_still_read():
    former = {"LINREG_PAIRED_ROWS": "64", "LINREG_ASKED_STEPS": "500", "LINREG_HELD_BYTES": "7"}
    found = limits(former)
    assert (found.broadcast_rows, found.autorun_steps, found.upload_bytes) == (64, 500, 7)
    assert limits({**former, "LINREG_AUTORUN_STEPS": "600"}).autorun_steps == 600
    with pytest.raises(ValueError, match=r"^LINREG_PAIRED_ROWS='many' is not a limit"):
        limits({"LINREG_PAIRED_ROWS": "many"})


def test_a_mistyped_variable_is_named_once_with_the_one_that_was_meant():
    answer = subprocess.run(
        [sys.executable, "-c", "import linreg.settings, linreg.data.dataset"],
        cwd=ROOT, check=True, capture_output=True, text=True,
        env=os.environ | {"LINREG_STEP": "5", "LINREG_SEEDS": "500", "LINREG_PAIRED_ROWS": "50"},
    )  # fmt: skip
    assert answer.stderr.splitlines() == [
        "the environment variable LINREG_STEP sets no limit; did you mean LINREG_STEPS?"
    ]
    (other,) = unknown_variables({"LINREG_QQQQQQQQQ": "1"})
    assert other.startswith("the environment variable LINREG_QQQQQQQQQ sets no limit; there are")


def test_limits_that_follow_from_others_follow_them():
    assert Limits().broadcast_elements == 4_000_000
    assert Limits(broadcast_rows=10).broadcast_elements == 100
    assert Limits().autorun_sweep_steps == 2_000_000_000


@pytest.mark.parametrize("text", ["", "0", "-1", "1e6", "many", "９", " 5", "9" * 40])
def test_an_invalid_limit_is_refused(text):
    with pytest.raises(
        ValueError,
        match=r"^LINREG_ROWS=.* is not a limit; use a whole number above 0, such as 200000$",
    ):
        limits({"LINREG_ROWS": text})


def test_uploads_and_files_have_the_same_limit():
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
    assert config["server"]["maxUploadSize"] * 2**20 == Limits().file_bytes


def test_visitors_share_the_memory_for_uploaded_tables(monkeypatch):
    first, second = (open_table(f"a,b,c\n{k},2,3\n4,5,6\n".encode(), f"{k}.csv") for k in range(2))
    others = sum(table.bytes for table in tables._REGISTERED.values())
    monkeypatch.setattr(tables, "LIMITS", Limits(upload_bytes=others + first.bytes))
    assert tables.register_table(first) is first
    again = open_table(b"a,b,c\n0,2,3\n4,5,6\n", "again.csv")
    assert tables.register_table(again) is first, (
        "of two with the same content it is one, and takes nothing more"
    )
    with pytest.raises(
        TableError, match=r"^1\.csv takes 0 MB of memory, and this server holds 0 of the 0 MB"
    ):
        tables.register_table(second)
    kept, key = tables.register_table(again), first.digest
    del first
    assert tables.table_named(key) is kept, (
        "who came first has left, and the other still has the table"
    )
    del kept
    tables.register_table(second)  # the first one has been evicted
    with pytest.raises(TableError, match="is not here"):
        tables.table_named(key)


def test_limits_below_the_defaults_reduce_the_defaults(monkeypatch):
    monkeypatch.setattr(changes, "LIMITS", Limits(rows=5_000, steps=1_000, broadcast_rows=64))
    opened, ignored = query.from_query({})
    assert ignored == []
    assert (opened.original.data.samples, opened.original.batch_size) == (5_000, 64)
    assert 900 < opened.original.steps <= 1_000
    assert query.from_query(query.to_query(opened)) == (opened, [])
    _, ignored = query.from_query({"lr": "0.5"})
    assert ignored == [
        "What the link leaves at its default is beyond the limits of this server, and smaller here."
    ]
    assert changes.clamp_to_limits(model.Settings(epochs=1)).batch_size == 64
    monkeypatch.undo()
    assert changes.clamp_to_limits(model.Settings()) == model.Settings()


def test_no_file_is_watched():
    """With a file watcher, Streamlit resolves the path of every module for every session, in the
    thread that serves all of them."""
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
    assert config["server"]["fileWatcherType"] == "none"
