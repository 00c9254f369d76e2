"""What a page must show for its address, computed here from the library alone."""

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import replace
from functools import cache, lru_cache

import pyarrow as pa

from linreg.data.dataset import table_settings
from linreg.data.files import BUNDLED
from linreg.experiments.sweep_grid import law_of_batch_size, law_settings
from linreg.figures import gallery
from linreg.figures.export import FORMATS, exported
from linreg.figures.theme import THEMES
from linreg.quadratic.least_squares import least_squares, with_ones
from linreg.quadratic.streaming import loss_surface
from linreg.settings.changes import with_table
from linreg.settings.fields import SettingsError
from linreg.settings.model import TableSettings
from linreg.settings.pages import PAGES
from linreg.settings.query import from_query, from_view_query
from linreg.settings.wirings import WIRINGS

_core = gallery.core()
_cells = cache(lambda grid: _core.cells(grid, grid.tasks()))
CORE = replace(
    _core,
    runs=cache(_core.runs),
    by_seed=cache(_core.by_seed),
    cells=lambda grid, _tasks: _cells(grid),
)
OPENS_ON = "auto-mpg"


@lru_cache(maxsize=512)
def plates_of(where):
    """Every plate that the page may show."""
    query = {name: text for name, text in where.query if name != "step"}
    kind = PAGES.get(where.page)
    own = {
        name: query.pop(name) for name in list(query) if kind and name in kind.__dataclass_fields__
    }
    comparison, ignored = from_query(query, table_settings)
    views = {}
    if kind:
        views[kind], refused = from_view_query(kind, own)
        ignored += refused
    if ignored:
        raise ValueError(f"the page is at an address that it ignores: {ignored}")
    if where.page == "your_data" and not isinstance(comparison.original.data, TableSettings):
        bundled = BUNDLED[OPENS_ON]
        comparison = with_table(
            comparison, table_settings(OPENS_ON, bundled.target, bundled.features, standardise=True)
        )
    name, theme = where.page if kind else "comparison", THEMES[where.theme]
    plates = []
    with suppress(SettingsError):  # the page says why it draws no more
        for _, plate in gallery.figures(comparison, theme, views, where.step, [name], CORE):
            plates.append(plate)  # those before an error count
    if name == "sweep" and WIRINGS[comparison.original.wiring].pairs:  # also where there is no map
        law = law_of_batch_size(
            *law_settings(comparison.original, views[kind].inits, views[kind].steps)
        )
        plates.append(gallery.law_plate(law, theme))
    if name == "comparison":  # before its runs are trained
        table = CORE.table(comparison.original.data)
        best = least_squares(with_ones(table.X) if comparison.original.bias else table.X, table.y)
        sides = gallery.sides_of(comparison, None, lambda settings: loss_surface(table, settings))
        plates.append(
            gallery.surfaces_plate(sides, gallery.scene_of(comparison, sides, best), 0, theme)
        )
    return plates


@lru_cache(maxsize=4096)
def _digests(where):
    found = set()
    for plate in plates_of(where):
        for figure in plate.panels:
            tables = {
                name: pa.table({column: pa.array(values.array) for column, values in frame.items()})
                for name, frame in figure.drawn().items()
            }
            found.add(_digest(figure.name or figure.alt, figure.spec, tables))
    return found


def is_right(received):
    """Whether a figure is, to the last bit, one that its page must show."""
    tables = {name: pa.ipc.open_stream(data).read_all() for name, data in received.tables}
    return _digest(received.alt, json.loads(received.spec), tables) in _digests(received.where)


def is_right_file(where, button, content):
    """Whether a file is, to the last byte, one of the page's figures in the size that the menu
    offers first."""
    kind = next(key for key, one in FORMATS.items() if one.title == button)
    return any(
        _parts(exported(plate, kind, "page")) == _parts(content) for plate in plates_of(where)
    )


def _parts(content):
    """A PDF file's parts sorted, since its two typefaces come in either order; any other file as it
    is."""
    return (
        sorted(re.findall(rb"stream\n(.*?)\nendstream", content, re.DOTALL))
        if content[:4] == b"%PDF"
        else content
    )


def _digest(alt, spec, tables):
    words = re.sub(
        r"view_\w+", "view", json.dumps(spec, sort_keys=True)
    )  # Streamlit names them anew
    found = hashlib.sha256(f"{alt}\n{words}".encode())
    for name, table in sorted(tables.items()):
        for column in table.column_names:
            found.update(f"\n{name}.{column} {table[column].to_pylist()!r}".encode())
    return found.digest()
