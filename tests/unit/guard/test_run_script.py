"""`linreg guard SCRIPT.py`: the script runs as it would without, and ends at a silent broadcast."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial

import pytest
from project import ROOT

from linreg.__main__ import main

BUG = "torch.nn.functional.mse_loss(torch.ones(5, 1), torch.ones(5))"
pytestmark = pytest.mark.filterwarnings("ignore:Using a target size")


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a script, and return its name; the working directory is another folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    def write(text, name="train.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        imports = "import sys, torch\n" if "torch" in text else "import sys\n"  # it takes a second
        path.write_text(imports + textwrap.dedent(text))
        return str(path)

    return write


def test_a_script_runs_as_python_would_run_it(written, capsys):
    """What it prints of itself is what Python prints without the guard, its status as well."""
    written("VALUE = 7\n", "beside.py")
    script = written(
        """
        import beside, pickle, os
        class Model: pass
        pickle.dumps(Model())  # finds the class in __main__
        print(sys.argv, sys.path[0], __name__, __file__, __spec__, beside.VALUE, os.getcwd())
        print(sys.modules["__main__"].__dict__ is globals())
        sys.exit(3)
        """
    )
    arguments = [script, "--warn", "-m", "x", "--", "-h"]
    plain = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    before = sys.argv, sys.path[:], sys.modules["__main__"]
    with pytest.raises(SystemExit) as end:
        main(["guard", *arguments])
    assert (sys.argv, sys.path, sys.modules["__main__"]) == before
    assert (capsys.readouterr().out, end.value.code) == (plain.stdout, plain.returncode)
    assert plain.returncode == 3


def test_a_module_runs_as_python_would_run_it(written, capsys, monkeypatch):
    script = written("print(sys.argv, __name__, __package__, sys.path[0])\n", "tool/__main__.py")
    written("", "tool/__init__.py")
    monkeypatch.chdir(os.path.dirname(os.path.dirname(script)))
    command = [sys.executable, "-m", "tool", "--warn", "3"]
    plain = subprocess.run(command, capture_output=True, text=True)
    monkeypatch.delitem(sys.modules, "tool", raising=False)
    assert main(["guard", "-m", "tool", "--warn", "3"]) == 0
    assert capsys.readouterr().out == plain.stdout != ""


def test_a_silent_broadcast_ends_the_script(written, capsys):
    script = written(f"def loss():\n    return {BUG}\nloss()\nprint('not reached')\n")
    assert main(["guard", script]) == 1
    out, err = capsys.readouterr()
    assert not out
    lines = err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert f'File "{script}", line 4, in <module>' in lines[1]
    assert "watch.py" not in err, "the frames of the guard are left out"
    assert "functional.py" not in err, "and those of PyTorch"
    assert lines[-1].startswith(f"linreg.guard.report.SilentBroadcastError: {script}:3: ")


def test_a_script_that_catches_the_error_ends_with_a_report_all_the_same(written, capsys):
    script = written(f"try:\n    {BUG}\nexcept RuntimeError:\n    pass\nprint('goes on')\n")
    assert main(["guard", script]) == 1
    out, err = capsys.readouterr()
    assert out == "goes on\n"
    assert f"1 silent broadcast found\n{script}:3 (1 time)\n" in err


def test_warn_goes_on_and_sums_up(written, capsys):
    script = written(
        f"""
        for _ in range(3):
            {BUG}
        torch.ones(4, 1) - torch.ones(4)
        print("end")
        sys.exit(4)
        """
    )
    with pytest.raises(SystemExit) as end:
        main(["guard", "--warn", script])
    assert end.value.code == 4
    out, err = capsys.readouterr()
    assert out == "end\n"
    title, first, _, second, _ = err.splitlines()
    assert title == "linreg guard: 2 silent broadcasts found"
    assert first == f"{script}:4 (3 times)"
    assert second == f"{script}:5 (1 time)"


def test_a_file_is_left_alone_and_strict_reports_more(written, capsys):
    script = written("torch.ones(4, 1) - torch.ones(3)\n")
    assert main(["guard", script]) == 0
    assert main(["guard", "--strict", script]) == 1
    assert main(["guard", "--strict", "--skip", "other", "--skip", "train.py", script]) == 0
    assert main(["guard", "--strict", "--only", "other.py", script]) == 0
    assert capsys.readouterr().err.count("SilentBroadcastError") == 1


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("def f():\n    1 / 0\nf()\n", "ZeroDivisionError: division by zero"),
        ("[][1]\n", "IndexError: list index out of range"),
        ("open('x.csv')\n", "FileNotFoundError: [Errno 2] No such file or directory: 'x.csv'"),
        ("import absent_package\n", "ModuleNotFoundError: No module named 'absent_package'"),
        ("x = = 1\n", "SyntaxError: invalid syntax"),
    ],
)  # fmt: skip
def test_an_error_of_the_script_is_shown_as_python_shows_it(written, capsys, text, last):
    script = written(text)
    plain = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert main(["guard", script]) == plain.returncode == 1
    assert capsys.readouterr().err == plain.stderr
    assert plain.stderr.splitlines()[-1] == last


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "linreg: say which SCRIPT.py to run, or -m MODULE"),
        (["absent.py"], "linreg: absent.py: there is no such script"),
        (["-m", "absent_module"], "linreg: no module is named absent_module"),
        (["--wran", "train.py"], "linreg: --wran is no option of guard; did you mean --warn?"),
        (["--skip"], "linreg: Option '--skip' requires an argument"),
    ],
)
def test_what_cannot_be_run_is_one_line(arguments, told, capsys):
    assert main(["guard", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{told}\n")


@pytest.mark.slow
def test_ctrl_c_ends_the_script_with_130_and_the_summary(written):
    script = written(f"import time\n{BUG}\nprint('ready', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "linreg", "guard", "--warn", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # heard also where the tests run in the background of a shell, which has it ignored
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"{script}:3 (1 time)" in err


def test_the_help_does_not_import_torch():
    program = (
        "import sys; from linreg.__main__ import main; main(['guard', '--help']);"
        " sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert done.returncode == 0
