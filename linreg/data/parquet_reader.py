"""Parquet files. They have no header: the first row is row 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from linreg.data.columns import check_names
from linreg.data.errors import TableError
from linreg.settings.fields import shorten

BATCH_ROWS = 1 << 16


class ParquetReader:
    """The rows of a Parquet file. Texts come as dictionaries, which may be far smaller."""

    first_row, decimal_comma = 1, False

    def __init__(self, file: Any, name: str, batch_rows: int = BATCH_ROWS) -> None:
        self.name, self.batch_rows = name, batch_rows
        with _readable(name):
            file.seek(0)
            schema = pq.ParquetFile(file).schema_arrow
            texts = [
                column.name
                for column in schema
                if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
            ]
            file.seek(0)
            self._file = pq.ParquetFile(
                file, read_dictionary=texts, buffer_size=1 << 20, pre_buffer=False
            )
        self.names = tuple(schema.names)
        check_names(name, self.names)
        self.rows = self._file.metadata.num_rows

    @property
    def unpacked_bytes(self) -> int:
        # not column by column: Arrow crashes on the metadata of a damaged column
        metadata = self._file.metadata
        return sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))

    def batches(
        self, names: Sequence[str], progress: Callable[[int, int], None] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The cells of some columns, `batch_rows` at a time. `progress` is called with the rows
        read so far, and all."""
        done = 0
        with _readable(self.name):
            for batch in self._file.iter_batches(
                self.batch_rows, columns=list(names), use_threads=False
            ):
                # a nested column a.b comes along with a column named "a.b"
                chosen = pa.RecordBatch.from_arrays(
                    [batch.column(name) for name in names], names=list(names)
                )
                chosen.validate(full=True)
                done += len(chosen)
                if progress:
                    progress(done, self.rows)
                yield chosen
            if done != self.rows:
                raise ValueError(f"{self.rows - done:,} rows are not there")


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Arrow's many exceptions as one `TableError`."""
    try:
        yield
    except TableError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise TableError(
            f"{name} is Parquet, but damaged or cut off ({shorten(error, 80)}); save or load it"
            " once more"
        ) from None
