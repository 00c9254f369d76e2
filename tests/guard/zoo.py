"""Training steps of public packages under the guard with its defaults: `make zoo`.

Every case trains once without the guard and once under it, and then with a planted bug, a target or
a prediction that is (N, 1). There are to be no alarms in the sound steps, and one in each planted.
Each package runs in a process of its own with limits; after a crash or a hang the next case goes
on. The row of each package goes into the table in docs/guard.md."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import queue
import re
import resource
import subprocess
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
DOCS = ROOT / "docs/guard.md"
PACKAGES = {  # the module zoo_NAME.py, and the distribution; the slow ones first
    "transformers": "transformers",
    "timm": "timm",
    "torchvision": "torchvision",
    "pyro": "pyro-ppl",
    "gpytorch": "gpytorch",
    "geometric": "torch-geometric",
    "torchmetrics": "torchmetrics",
    "x_transformers": "x-transformers",
    "pytorch": "torch",
}
CASE_SECONDS = 300
PACKAGE_SECONDS = 3600
MEMORY_BYTES = 6 << 30


@dataclass
class Row:
    """What the cases of a package came to."""

    package: str
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        steps = sum(one["steps"] for one in self.outcomes)
        planted = sum(one["planted"] for one in self.outcomes)
        caught = planted - sum(len(one["missed"]) for one in self.outcomes)
        models = len({one["case"].partition(",")[0] for one in self.outcomes})
        return (
            f"| {PACKAGES[self.package]} {version(PACKAGES[self.package])} | {models} | {steps}"
            f" | {len(self.alarms())} | {planted} | {caught} |"
        )

    def alarms(self) -> dict[str, list[tuple[str, str]]]:
        """The lines that were reported in sound steps, each with its messages and cases."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for one in self.outcomes:
            for alarm in one["alarms"]:
                found[alarm["where"]].append((alarm["message"], one["case"]))
        return found


HEAD = """\
| package | models | steps | lines with an alarm | planted bugs | caught |
|---|--:|--:|--:|--:|--:|"""


# ---- the process of a package --------------------------------------------------------------------


def work(package: str, first: int, only: str) -> None:
    """Run the cases from a number on, and print a line of JSON before and after each."""
    import zoo_cases

    cases = importlib.import_module(f"zoo_{package}").cases()
    chosen = (case for case in cases if re.search(only, case.name))
    for line in zoo_cases.outcomes(chosen, first):
        print("\n" + json.dumps(line), flush=True)


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))


def run_package(package: str, only: str) -> Row:
    """Run a package's cases, in a new process after each that crashed or hung."""
    row, first, started = Row(package), 0, time.monotonic()
    while first is not None and time.monotonic() - started < PACKAGE_SECONDS:
        first = _run_from(first, row, only)
    if first is not None:
        row.outcomes.append(_failure("the rest", f"took more than {PACKAGE_SECONDS} s"))
    row.seconds = time.monotonic() - started
    return row


def _run_from(first: int, row: Row, only: str) -> int | None:
    """Run the cases from a number on; the number to go on from, or None at the end."""
    command = [sys.executable, __file__, "--worker", row.package, str(first), "--only", only]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit_memory,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    lines: queue.Queue[str | None] = queue.Queue()
    errors: list[str] = []

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put(None)

    threads = [
        threading.Thread(target=read, daemon=True),
        threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True),
    ]
    for thread in threads:
        thread.start()
    running: dict[str, Any] = {"case": "the import", "number": first}
    why = ""
    while True:
        try:
            line = lines.get(timeout=CASE_SECONDS)
        except queue.Empty:
            why = f"took more than {CASE_SECONDS} s"
            process.kill()
            break
        if line is None:
            break
        if not line.startswith("{"):
            continue
        found = json.loads(line)
        if "steps" in found:
            row.outcomes.append(found)
            running = {}
        else:
            running = found
    status = process.wait()
    for thread in threads:
        thread.join(5)
    if not why and status == 0:
        return None
    why = why or f"ended with status {status}: {''.join(errors[-8:])}"
    row.outcomes.append(_failure(running.get("case", "between two cases"), why))
    imported = running.get("case") != "the import"
    return int(running.get("number", first)) + 1 if imported else None


def _failure(case: str, why: str) -> dict[str, Any]:
    return {"case": case, "steps": 0, "alarms": [], "planted": 0, "missed": [], "error": why}


# ---- the whole -----------------------------------------------------------------------------------


def explain(row: Row) -> str:
    """What is wrong with a package's outcomes; empty if nothing is."""
    found = []
    for where, reports in sorted(row.alarms().items(), key=lambda one: -len(one[1])):
        cases = list(dict.fromkeys(case for _, case in reports))
        shown = ", ".join(cases[:4]) + (f" and {len(cases) - 4} more" if len(cases) > 4 else "")
        found.append(f"ALARM {where} ({shown})\n      {reports[0][0]}")
    for one in row.outcomes:
        found += [f"MISSED {one['case']}: {bug}" for bug in one["missed"]]
        if one["error"]:
            found.append(f"ERROR {one['case']}: {one['error'].rstrip()}")
    return "\n".join(found)


def with_row(text: str, row: str) -> str:
    """The documentation with a package's row in the table between its two comments; the rows of
    the other packages stay."""
    before, _, rest = text.partition("<!-- zoo -->\n")
    table, _, after = rest.partition("\n<!-- end of zoo -->")
    rows = {line.split()[1]: line for line in [*table.splitlines()[2:], row] if line.strip()}
    known = [rows[name] for name in PACKAGES.values() if name in rows]
    table = "\n".join([HEAD, *known])
    return f"{before}<!-- zoo -->\n{table}\n<!-- end of zoo -->{after}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("packages", nargs="*", help=" ".join(PACKAGES))
    parser.add_argument("--only", default="", help="cases whose name has this regular expression")
    parser.add_argument("--processes", type=int, default=2, help="packages at the same time")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        work(chosen.packages[0], int(chosen.packages[1]), chosen.only)
        return 0
    packages = chosen.packages or list(PACKAGES)
    with ThreadPoolExecutor(chosen.processes) as pool:
        runs = [pool.submit(run_package, package, chosen.only) for package in packages]
        rows = []
        for run in as_completed(runs):
            row = run.result()
            rows.append(row)
            print(f"{row.package}: {len(row.outcomes)} cases in {row.seconds:.0f} s", flush=True)
            print(explain(row), flush=True)
            if not chosen.only:
                DOCS.write_text(with_row(DOCS.read_text(), str(row)))
    print("\n".join([HEAD, *map(str, rows)]))
    return 1 if any(explain(row) for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
