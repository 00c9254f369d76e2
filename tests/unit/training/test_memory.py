"""What is given back was not needed, and what is needed comes back."""

import subprocess
import sys
import tempfile

import pytest
from project import ROOT

from linreg.training import memory

PROGRAM = """
import threading, numpy as np, pandas as pd, pyarrow
from linreg.training import memory

def of_files():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Pss_File")) // 1024

def work(answers):
    dice = np.random.default_rng(0)
    for _ in range(100):
        X = dice.normal(size=(60, 3))
        frame = pd.DataFrame(X, columns=list("abc")).sort_values("a")
        answers.append(float(np.linalg.svd(X, compute_uv=False).sum() + frame["b"].iloc[0] + np.sort(X[:, 2])[5]))

memory.spare()
quiet, busy = [], [[], []]
work(quiet)
before = of_files()
memory.give_back()
after = of_files()
threads = [threading.Thread(target=work, args=[each]) for each in busy]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    memory.give_back()
import sqlite3, decimal, xml.dom.minidom  # libraries that are loaded after it
assert quiet == busy[0] == busy[1]
assert memory.own_bytes() > 20e6
print(before, after)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is given back")
def test_code_that_is_dropped_comes_back_while_others_work():
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not answer.returncode, answer.stderr
    before, after = map(int, answer.stdout.split())
    assert after < before / 2


def test_temporary_files_are_held_in_memory_where_no_folder_can_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "IN_MEMORY", str(tmp_path))
    before = tempfile.gettempdir()
    memory.hold_files()
    assert tempfile.gettempdir() == before

    def none():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", before)
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "gettempdir", none)
        memory.hold_files()
    with tempfile.TemporaryFile() as file:
        file.write(b"an upload")
    assert tempfile.gettempdir() == str(tmp_path)
