"""Where the project lies, and programs that use it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def printed(program, *options):
    """The words that a program prints in a Python of its own, which has to end without an error."""
    command = [sys.executable, *options, "-c", program]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
