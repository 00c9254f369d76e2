"""The live figures without a browser: what is sent, and the files that are served."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from live_payload import unpacked

from linreg.figures.moving import MAX_STEPS
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


def test_files_are_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "render", fails)
    with pytest.raises(OSError, match="no space left"):
        files.prepare(tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(files, "render", lambda *_: "bundle")
    files.prepare(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert folder.name == files.files_version()
    own = {path.name for path in Path(files.__file__).parent.iterdir()}
    served = {path.name for path in folder.iterdir()}
    assert served == {name for name in own if name.endswith((".js", ".css"))} | {"vega.js"}
    monkeypatch.setattr(files, "render", fails)
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

    monkeypatch.setattr(moving, "MAX_STEPS", 10)
    assert moving._recorded(8).tolist() == list(range(9))
    assert moving._recorded(25).tolist() == [0, 3, 6, 9, 12, 15, 18, 21, 24, 25]
    assert moving._recorded(0).tolist() == [0]
    assert MAX_STEPS >= 3_000, "the thread's steps are all there"
