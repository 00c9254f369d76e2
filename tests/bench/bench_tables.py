"""A file streamed from disk: peak memory and time for 10⁶ and 10⁷ rows, by hand: `python
tests/bench/bench_tables.py`.

Every measurement is a process of its own, and its peak is the kernel's VmHWM, which a child does
not inherit. The files (240 MB and 210 MB at most) are written to a temporary directory and removed.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from linreg import Settings, loss_surface, stream_table, table_sums

ROWS = (1_000_000, 10_000_000)
WORK = {
    "rows alone": lambda tables: sum(len(table) for table in tables),
    "loss_surface": lambda tables: loss_surface(tables, Settings()),
    "table_sums": lambda tables: table_sums(tables, Settings()),
}


def write(path, rows):
    rng = np.random.default_rng(0)
    schema = pa.schema([(name, pa.float64()) for name in ("y", "x1", "x2")])
    csv = path.suffix == ".csv"
    with (pa.csv.CSVWriter if csv else pa.parquet.ParquetWriter)(path, schema) as writer:
        for _ in range(0, rows, 100_000):
            X = rng.normal(0, 100, (100_000, 2)).round(3)
            y = (X @ [5.0, 3.0] + rng.normal(size=100_000)).round(3)
            writer.write(pa.table([y, *X.T], schema=schema))


def measured(path, work):
    started = time.perf_counter()
    WORK[work](stream_table(path, "y", ("x1", "x2")))
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"{seconds:.1f} s | {peak / 1e3:.0f} MB")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measured(*sys.argv[1:])
        sys.exit()
    print("| rows | file | what | time | peak memory |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for rows in ROWS:
            for suffix in (".csv", ".parquet"):
                path = Path(folder) / f"table{suffix}"
                write(path, rows)
                for work in WORK:
                    found = subprocess.run(
                        [sys.executable, __file__, str(path), work],
                        capture_output=True,
                        text=True,
                        check=True,
                    )
                    size = path.stat().st_size / 1e6
                    print(
                        f"| {rows:,} | {suffix[1:]}, {size:,.0f} MB | {work} |"
                        f" {found.stdout.strip()} |",
                        flush=True,
                    )
                path.unlink()
