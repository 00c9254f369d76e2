"""The command line: `python -m linreg COMMAND --help`."""

import sys

from linreg.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
