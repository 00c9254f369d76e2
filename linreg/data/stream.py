"""Tables of any size, read from disk in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from linreg.data.csv_reader import Progress
from linreg.data.errors import TableError
from linreg.data.rows import Dropped, RowFilter, Selection, chosen_columns
from linreg.data.source import Reader, open_reader, open_source


class TableStream:
    """The chunks of a file, each a `Dataset` of at most `rows_per_chunk` rows; every loop over it
    reads the file from its beginning.

    `kept` and `dropped` grow while it is read. A column is taken for text as soon as it has had
    more texts than numbers."""

    def __init__(
        self,
        path: Path,
        target: str,
        features: tuple[str, ...],
        rows_per_chunk: int,
        progress: Progress | None,
    ) -> None:
        if rows_per_chunk < 1:
            raise TableError(f"{rows_per_chunk} rows in a chunk are not possible; use at least 1")
        self.path, self.target, self.features = path, target, features
        self.rows_per_chunk, self.progress = rows_per_chunk, progress
        with self._open() as (_, row_filter):
            self._row_filter = row_filter

    @property
    def kept(self) -> int:
        """How many rows had a number in every chosen column."""
        return self._row_filter.kept

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """Which rows were left out, and why."""
        return self._row_filter.dropped

    def __iter__(self) -> Iterator[Selection]:
        with self._open() as (reader, row_filter):
            self._row_filter = row_filter
            for batch in reader.batches(row_filter.names, self.progress):
                for first in range(0, len(batch), self.rows_per_chunk):
                    found = row_filter.add(batch[first : first + self.rows_per_chunk])
                    if found.kept:
                        yield found
                row_filter.require_numeric()
            row_filter.require_rows()

    @contextmanager
    def _open(self) -> Iterator[tuple[Reader, RowFilter]]:
        with open_source(self.path) as (file, name, size):
            reader = open_reader(file, name, size, batch_rows=self.rows_per_chunk)
            names = chosen_columns(name, reader.names, self.target, self.features)
            yield reader, RowFilter(name, names, reader.first_row, reader.decimal_comma)


def stream_table(
    path: str | Path,
    target: str,
    features: Sequence[str],
    rows_per_chunk: int = 1 << 17,
    progress: Progress | None = None,
) -> TableStream:
    """The rows of `read_table` in chunks, for a file of any size: what `loss_surface` and
    `table_sums` take.

    `progress` is called as `progress(done, total)`: bytes of a CSV file, rows of a Parquet file.
    Raises `TableError` at once for what the file's beginning shows, and while it is read for the
    rest."""
    return TableStream(Path(path), target, tuple(features), rows_per_chunk, progress)
