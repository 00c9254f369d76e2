"""What is missing or full is said in one sentence. `make faults` does the same and more to a
running server."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

pytestmark = pytest.mark.slow

HIDE = """import os
from importlib.machinery import PathFinder
find, hidden = PathFinder.find_spec, os.environ["HIDDEN"].split()
PathFinder.find_spec = lambda name, path=None, target=None: (
    None if name.partition(".")[0] in hidden else find(name, path, target))
"""
OPENED = """from streamlit.testing.v1 import AppTest
for page in ("streamlit_app.py", "pages/sweep.py"):
    app = AppTest.from_file(page).run()
    print(*[one.value for one in app.error], len(app.exception), len(app.markdown))
"""


def ran(*arguments, hidden="", folder=None, **options):
    """What Python does with these arguments where some packages are not there."""
    if folder:
        (folder / "sitecustomize.py").write_text(HIDE)
    path = f"{folder}{os.pathsep}{ROOT}" if folder else str(ROOT)
    environment = os.environ | {"HIDDEN": hidden, "PYTHONPATH": path}
    options = {"stdout": subprocess.PIPE, **options}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    ("hidden", "command", "said"),
    [
        ("torch", "compare", "the command compare needs torch, which is not installed"),
        ("jaxtyping", "script", "the command script needs jaxtyping, which is not installed"),
        (
            "vl_convert fontTools",
            "figures --out figures --format csv png",
            "figures as files need vl-convert-python, fonttools, which are not installed",
        ),
    ],
)
def test_a_command_says_which_package_is_not_there(hidden, command, said, tmp_path):
    found = ran("-m", "linreg", *command.split(), hidden=hidden, folder=tmp_path)
    assert found.stderr == f"linreg: {said}; pip install -r requirements.txt\n"
    assert (found.returncode, found.stdout) == (2, "")
    assert not (ROOT / "figures").exists()


def test_every_page_says_which_packages_are_not_there(tmp_path):
    found = ran("-c", OPENED, hidden="contourpy torch", folder=tmp_path)
    said = (
        "This app needs torch, contourpy, which are not installed;"
        " pip install -r requirements.txt. 0 0"
    )
    assert found.stdout.splitlines() == [said, said]


def too_large():
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))


def test_a_file_that_finds_no_room_is_named_and_leaves_nothing(tmp_path):
    found = ran(
        "-B", "-m", "linreg", "script", "--out", str(tmp_path / "run.py"), preexec_fn=too_large
    )
    assert found.returncode == 2
    assert (
        found.stderr
        == f"linreg: {tmp_path / 'run.py'}: File too large; make room or name another file\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_an_output_that_finds_no_room_is_one_line():
    with open("/dev/full", "w") as full:
        found = ran("-m", "linreg", "script", stdout=full)
    assert (found.returncode, found.stderr) == (2, "linreg: the output: No space left on device\n")
    found = ran("-m", "linreg", "script", "--out", "/dev/full")
    assert (
        found.stderr
        == "linreg: /dev/full: No space left on device; make room or name another file\n"
    )
