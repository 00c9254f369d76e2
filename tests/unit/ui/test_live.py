"""The live figures without a browser: what is sent, and the files that are served."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from live_payload import unpacked

from linreg.ui.live import files
from linreg.ui.live.payload import pack


def test_numbers_lie_behind_the_json_where_a_typed_array_can_begin():
    value = {
        "text": "Größe",
        "inf": float("inf"),
        "table": {
            "w": pd.Series(np.array([1.5, np.nan], dtype=np.float32)),
            "step": pd.Series([1, 2**20]),
            "side": pd.Series(["a", "b"]),
            "optimizer": pd.Categorical(["SGD", "Adam", "SGD"]),
        },
        "big": np.array([2**40]),
        "three": np.array([1, 2, 3], dtype=np.int8),
    }
    value["table"]["optimizer"] = pd.Series(value["table"]["optimizer"])
    sent = unpacked(pack(value))
    assert (sent["text"], sent["inf"], sent["table"]["side"]) == ("Größe", None, ["a", "b"])
    np.testing.assert_array_equal(sent["table"]["w"], np.float32([1.5, np.nan]))
    step = sent["table"]["step"]
    assert (step.dtype, step.tolist()) == (np.int32, [1, 2**20]), "JavaScript has no int64"
    assert sent["big"].tolist() == [2.0**40]
    assert sent["three"].tolist() == [1, 2, 3]
    assert sent["table"]["optimizer"] == ["SGD", "Adam", "SGD"]


def test_what_is_equal_is_sent_once_and_nothing_changes():
    axis = {"title": "weight 1", "scale": {"domain": [0.0, -0.0, 1, True, 1.0], "nice": False}}
    column = np.linspace(0, 1, 500)
    sides = ["Original", "Fixed"] * 250
    table = {"w": pd.Series(column), "side": pd.Series(sides), "single": np.float32(column)}
    once = {"layers": [axis], "tables": [table]}
    twice = {"layers": [axis, {"x": axis}, [axis, axis]], "tables": [table, table, {"w": column}]}
    assert len(pack(twice)) < len(pack(once)) + 600
    sent = unpacked(pack(twice))
    expected = repr([axis, {"x": axis}, [axis, axis]])
    assert repr(sent["layers"]) == expected, "with the signs of zeros, and what is an integer"
    for received in sent["tables"]:
        np.testing.assert_array_equal(received["w"], column, strict=True)
    assert sent["tables"][1]["side"] == sides
    both = np.tile(column, 2)
    assert len(pack({"w": both})) < len(pack({"w": column})) + 20, "the same of both sides"
    np.testing.assert_array_equal(unpacked(pack({"w": both}))["w"], both, strict=True)
    narrowed = unpacked(pack({"w": pd.Series(column.astype(np.float32).astype(float))}))["w"]
    assert narrowed.dtype == np.float32, "as exact in half of the bytes"
    np.testing.assert_array_equal(narrowed.astype(float), column.astype(np.float32).astype(float))


def test_files_are_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "vega_bundle", fails)
    with pytest.raises(OSError, match="no space left"):
        files.prepare(tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(files, "vega_bundle", lambda: "bundle")
    files.prepare(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert folder.name == files.files_version()
    own = {path.name for path in Path(files.__file__).parent.iterdir()}
    served = {path.name for path in folder.iterdir()}
    assert served == {name for name in own if name.endswith((".js", ".css"))} | {"vega.js"}
    monkeypatch.setattr(files, "vega_bundle", fails)
    files.prepare(tmp_path)  # it is there


def test_a_folder_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path))
    own = files.private_folder()
    assert files.private_folder() == own
    assert own.stat().st_mode & 0o077 == 0
    os.chmod(own, 0o777)
    assert files.private_folder() != own, "others can write there"


def test_a_long_run_is_sent_in_part(monkeypatch):
    from linreg.figures import moving

    assert moving._recorded(3_000).tolist() == list(range(3_001)), (
        "the thread's steps are all there"
    )
    assert len(moving._recorded(300_000)) <= 3_001
    monkeypatch.setattr(moving, "MAX_STEPS", 10)
    monkeypatch.setattr(moving, "EVEN_STEPS", 10)
    monkeypatch.setattr(moving, "EARLY_STEPS", 6)
    assert moving._recorded(8).tolist() == list(range(9))
    frames = [0, 3, 6, 9, 12, 15, 18, 21, 24, 25]
    assert moving.frame_steps(25) == 3
    assert moving._recorded(25).tolist() == sorted({*frames, 0, 1, 3, 6, 13, 25})
    assert moving._recorded(0).tolist() == [0]
