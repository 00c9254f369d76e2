"""Hostile input for as long as it is given time: `make fuzz SECONDS=600 SEED=1`.

Each target runs in a process of its own, so that one that ends its process counts as a crash of
that target alone. Those of Hypothesis draw input of the right form, those of Atheris change bytes
towards code that was not reached before. A crash is printed with its input, and the exit status is
then 1."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
HYPOTHESIS = {  # share of the time
    "addresses": 2, "tables": 5, "shapes": 1, "guard": 2, "ensembles": 3, "numbers": 4,
    "wirings": 2, "messages": 3, "pastes": 3, "scripts": 3, "commands": 4, "pages": 9,
}  # fmt: skip
ATHERIS = {"address bytes": 3, "table bytes": 6, "shape bytes": 1, "paste bytes": 2}
# seconds that a process may need beyond its time: imports, compiled kernels, the smallest input of
# a crash
START = 30
GRACE = 300


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="for all targets together (120)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=[*HYPOTHESIS, *ATHERIS], metavar="TARGET")
    given = parser.parse_args()
    targets = {**HYPOTHESIS, **(ATHERIS if find_spec("atheris") else {})}
    if not find_spec("atheris"):
        print("atheris is not installed (requirements-fuzz.txt): bytes are not fuzzed")
    targets = {name: share for name, share in targets.items() if name in (given.only or targets)}
    crashes = inputs = 0
    began = time.monotonic()
    print(f"{'target':16}{'inputs':>12}{'seconds':>10}{'crashes':>10}")
    for name, share in targets.items():
        seconds = max(given.seconds * share / sum(targets.values()), 1)
        count, took, crash = _run(name, seconds, given.seed)
        print(f"{name:16}{count:>12,}{took:>10.1f}{int(bool(crash)):>10}", flush=True)
        if crash:
            print("\n".join(f"    {line}" for line in crash.splitlines()[-60:]), flush=True)
        inputs, crashes = inputs + count, crashes + bool(crash)
    print(f"{'all':16}{inputs:>12,}{time.monotonic() - began:>10.1f}{crashes:>10}")
    return 1 if crashes else 0


def _run(name: str, seconds: float, seed: int) -> tuple[int, float, str]:
    """How many inputs a target was given, in how many seconds, and what is known of its crash."""
    file = "structured.py" if name in HYPOTHESIS else "guided.py"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / file), name, str(seconds), str(seed), folder]
        began = time.monotonic()
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=_environment(),
                capture_output=True,
                timeout=seconds + START + GRACE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return (
                0,
                time.monotonic() - began,
                f"still running after {error.timeout:.0f} s\n{_text(error.stderr)}",
            )
        output, said = _text(done.stdout), _text(done.stderr)
        if name in HYPOTHESIS:
            last = next(
                (line for line in reversed(output.splitlines()) if line.startswith('{"inputs"')),
                None,
            )
            told = json.loads(last) if last else {"inputs": 0, "seconds": time.monotonic() - began}
            count, took = told["inputs"], told["seconds"]
        else:
            counts = [
                int(number) for number in re.findall(r"^(?:#|Done )(\d+)", said, re.MULTILINE)
            ]
            count, took = max(counts, default=0), time.monotonic() - began
        if not done.returncode:
            return count, took, ""
        kept = "".join(
            f"\ninput: {path.read_bytes()!r}" for path in sorted(Path(folder).glob("crash-*"))
        )
        status = (
            f"exit status {done.returncode}"
            if done.returncode > 0
            else f"ended by signal {-done.returncode}"
        )
        return count, took, f"{status}\n{said or output}{kept}"


def _environment() -> dict[str, str]:
    import os

    paths = [
        str(HERE.parent.parent),
        str(HERE.parent),
        *filter(None, [os.environ.get("PYTHONPATH")]),
    ]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "120",
    }


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
