"""The lines of a generated script that read a table, as `linreg.data` reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linreg.data.bundled import BUNDLED
from linreg.data.errors import TableError
from linreg.data.tables import table_named
from linreg.settings.model import TableSettings

if TYPE_CHECKING:  # Arrow is loaded when a file is read
    from linreg.data.files import Table

WIDTH = 100
UPLOADED = "  # the table that was uploaded"
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".zip", ".xz", ".zst", ".tar")  # those that pandas knows


def table_lines(data: TableSettings) -> list[str]:
    """Code that reads the features X (N, 2) and the target y (N,) in double precision: the rows
    with a number in every chosen column."""
    chosen = (data.target, *data.features)
    names = ", ".join(map(literal, chosen))
    columns, cut = f"names = [{names}]  # the target, then the features", "[names]"
    opened, read, table = _opening(data.table)
    csv_format = table and table.csv_format
    if csv_format:
        places = [csv_format.names.index(name) for name in chosen]
        if any(csv_format.raw_names[k] != csv_format.names[k] for k in places):
            # in pandas these columns have other names
            columns = f"columns = {places}  # the target, then the features: {names}"
            cut = ".iloc[:, columns]"
        if csv_format.decimal_comma:
            # with decimal="," pandas leaves a column as text if one cell is text or has a point
            cut += '.replace(",", ".", regex=True)'
    lines = [
        opened,
        columns,
        f'table = {read}{cut}.apply(pd.to_numeric, errors="coerce")',
        "table = torch.tensor(table[(table.abs() <= 1e100).all(axis=1)].to_numpy(float))  # numbers"
        " only",
        f"X, y = table[:, 1:], table[:, 0]  # {(data.samples, 2)}, {(data.samples,)}",
    ]
    standardised = "X" * data.standardise + "y" * data.standardise_target
    for name in standardised:  # divided by infinity, a constant column becomes all zeros
        spread = "torch.where({0}.amax(0) > {0}.amin(0), {0}.std(0, correction=0), torch.inf)"
        lines.append(f"{name} = ({name} - {name}.mean(0)) / {spread.format(name)}")
    return lines


def literal(text: str) -> str:
    """A Python literal of any text: nothing in it can end the literal or the line."""
    found = repr(text)
    return f'"{found[1:-1]}"' if found[0] == "'" and '"' not in found else found


def _opening(key: str) -> tuple[str, str, Table | None]:
    """The first line, an expression for the table after it, and an uploaded table that is here.

    An upload that is no longer here gets a path to replace."""
    if key in BUNDLED:
        path = literal(f"linreg/data/bundled/{BUNDLED[key].file}")
        return f"path = {path}  # in linreg's repository", "pd.read_csv(path)", None
    try:
        table = table_named(key)
    except TableError:
        return f'path = "your_table.csv"{UPLOADED}', "pd.read_csv(path)", None
    path = literal(table.name)
    if not table.csv_format:
        return f"path = {path}{UPLOADED}", "pd.read_parquet(path)", table
    options = _options(table)
    if len(options) > 1:  # opened at once: the line after has no room for them
        opened = f"table = pd.read_csv({', '.join([path, *options])})"
        return opened + UPLOADED * (len(opened + UPLOADED) <= WIDTH), "table", table
    return f"path = {path}{UPLOADED}", f"pd.read_csv({', '.join(['path', *options])})", table


def _options(table: Table) -> list[str]:
    """What pandas has to be told to read a CSV file."""
    csv_format, name = table.csv_format, table.name.lower()
    assert csv_format
    options = []
    if csv_format.delimiter != ",":
        options.append(f"sep={literal(csv_format.delimiter)}")
    if csv_format.decimal_comma:
        options.append("dtype=str")
    if csv_format.encoding != "utf-8":
        options.append(f'encoding="{csv_format.encoding}"')
    if csv_format.compressed and (not name.endswith(".gz") or name.endswith(".tar.gz")):
        options.append('compression="gzip"')
    elif not csv_format.compressed and name.endswith(COMPRESSED_SUFFIXES):
        options.append("compression=None")
    return options
