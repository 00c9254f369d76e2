"""Plant faults in a copy of the project, one at a time, and see which tests find them.

`make planted` plants all, ONLY="surface url" some. It fails if a fault is not found.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("linreg", "pages", "tests", "docs", ".streamlit")
COPIED += ("README.md", "pyproject.toml", "streamlit_app.py")
PYTEST = (
    "-m",
    "pytest",
    "-q",
    "-p",
    "no:cacheprovider",
    "--maxfail=3",
    "--tb=no",
    "-m",
    "not browser",
)
FAILED = 1  # pytest's exit code for tests that have failed


@dataclass(frozen=True)
class Fault:
    """A line of the project, what is put in its place, and the tests that are run, those in
    Chromium only where `tests` says so."""

    file: str
    line: str
    planted: str
    tests: str


FAULTS = {
    "surface": Fault(  # a last batch that is smaller counts by its rows, not as a batch
        "linreg/quadratic/streaming.py",
        "            blocks.append((slice(full, n), n - full))\n",
        "            blocks.append((slice(full, n), 1))\n",
        "tests/unit/quadratic",
    ),
    "ensemble": Fault(  # eps under the root
        "linreg/training/kernels.py",
        "    m = c[3] * m + g / (math.sqrt(v) + c[2])\n",
        "    m = c[3] * m + g / math.sqrt(v + c[2])\n",
        "tests/unit/training/test_ensemble.py -k hyperparameters",
    ),
    "trainer": Fault(  # in the order of the first epoch for ever
        "linreg/training/pytorch.py",
        "    orders = (torch.from_numpy(order) for order in batch_order(settings, len(X)))\n",
        "    orders = [torch.from_numpy(next(batch_order(settings, len(X))))] * settings.epochs\n",
        "tests/unit/training/test_pytorch.py",
    ),
    "guard": Fault(  # what cannot be told is called broadcast
        "linreg/guard/fingerprint.py",
        "MARGIN = 8 ",
        "MARGIN = 0 ",
        "tests/unit/guard/test_watch.py -k fingerprint",
    ),
    "url": Fault(  # a fixed side that differs as the default's is not written
        "linreg/settings/query.py",
        '        inherited = default.fixed.wiring if name == "wiring" else original\n',
        "        inherited = getattr(default.fixed, name)\n",
        "tests/unit/settings",
    ),
    "chart": Fault(  # the maximum of a bin is left out
        "linreg/figures/curves.py",
        '        "loss": curve[curve["loss"] > 0],  # a log axis has no zero\n',
        '        "loss": curve[curve["loss"] > 1],\n',
        "tests/unit/figures/test_curves.py tests/unit/figures/test_comparison.py",
    ),
    "script": Fault(  # a negative correlation is squared without its sign
        "linreg/text/script.py.jinja",
        '"(" ~ correlation ~ ") ** 2" if correlation < 0 else correlation ~ "**2"',
        'correlation ~ "**2"',
        "tests/unit/text/test_script.py",
    ),
    "tables": Fault(  # numbers whose squares overflow are taken
        "linreg/data/columns.py",
        "    faults[np.abs(values) > MAX_MAGNITUDE] = Fault.TOO_LARGE\n",
        "",
        "tests/unit/data/test_files.py tests/unit/data/test_encodings.py",
    ),
    "export": Fault(  # the rows of a CSV file no longer say which panel they are of
        "linreg/figures/export.py",
        "    if figures.labels:\n        tables = [\n",
        "    if len(figures.labels) > 2:\n        tables = [\n",
        "tests/unit/figures/test_export.py",
    ),
    "page": Fault(  # what was stopped does not go on
        "linreg/ui/state.py",
        "        self.stopped.pop(type(question), None)\n",
        "",
        "tests/unit/ui tests/app/test_surface_sweep.py",
    ),
    "live": Fault(  # the dots on the loss curves are a step ahead
        "linreg/ui/live/tables.js",
        "      const row = Math.min(run.rowAt(at), run.losses.length - 1);\n",
        "      const row = Math.min(run.rowAt(at) + 1, run.losses.length - 1);\n",
        "tests/browser/test_live.py -m browser -k tables",
    ),
}


def finding_tests(tree: Path, fault: Fault) -> list[str]:
    """The tests that fail with the fault in the tree, and do not fail without it."""
    path = tree / fault.file
    original = path.read_text()
    if original.count(fault.line) != 1:
        raise SystemExit(f"{fault.file} has not just one {fault.line.strip()!r}; plant another")
    path.write_text(original.replace(fault.line, fault.planted))
    try:
        failed = failed_tests(tree, fault.tests.split())
    finally:
        path.write_text(original)
    without = failed_tests(tree, [*failed, "-m", "browser or not browser"]) if failed else []
    return [test for test in failed if test not in without]


def failed_tests(tree: Path, tests: list[str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, *PYTEST, *tests],
        cwd=tree,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, FAILED):
        raise SystemExit(done.stdout + done.stderr)
    lines = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    return [line.removeprefix("FAILED ").partition(" - ")[0] for line in lines]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project, if another")
    given = parser.parse_args()
    unknown = set(given.only) - set(FAULTS)
    if unknown:
        parser.error(f"no such fault: {', '.join(unknown)}")
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in COPIED:
            source, target = given.root / name, Path(folder, name)
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, target)
        for name in given.only or FAULTS:
            began = time.monotonic()
            found = finding_tests(Path(folder), FAULTS[name])
            missed += not found
            took = f"{time.monotonic() - began:.0f} s"
            print(f"{name}: {'found' if found else 'NOT FOUND'} in {took}", flush=True)
            print(textwrap.indent("\n".join(found), "  "), flush=True)
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
