"""Files in every encoding on the command line: each gives the same answer."""

import gzip
import re

import numpy as np
import pytest

from linreg.__main__ import main

TEXT = "\n".join(
    [
        "y,a,b,°C",
        *(
            f"{y:.3f},{a:.3f},{b:.3f},é"
            for y, a, b in np.random.default_rng(0).normal(size=(60, 3))
        ),
        "x,1,2,é",
    ]
)
COPIES = {
    "windows.csv": TEXT.encode("cp1252"),
    "wide.csv": TEXT.encode("utf-16"),
    "packed.csv.gz": gzip.compress(TEXT.encode()),
    "bars.csv": TEXT.replace(",", "|").encode(),
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("command", ["diagnose", "compare"])
def test_a_file_in_another_encoding_gives_the_same_answer(name, command, capsys, tmp_path):
    answers = []
    for file, content in (("plain.csv", TEXT.encode()), (name, COPIES[name])):
        path = tmp_path / file
        path.write_bytes(content)
        table = [str(path)] if command == "diagnose" else ["--table", str(path)]
        chosen = ["--target", "y", "--features", "a", "b", "--batch-size", "20", "--epochs", "2"]
        assert main([command, *table, *chosen]) == 0
        printed = capsys.readouterr().out
        answers.append(re.sub("table=[0-9a-f]{16}", "", printed))  # the link names the content
    assert answers[0] == answers[1]
    if command == "diagnose":
        assert "60 of 61 rows are used" in " ".join(answers[1].split())
