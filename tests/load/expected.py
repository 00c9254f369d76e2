"""What a page must show for its address, computed here from the library alone."""

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlencode

import pyarrow as pa

from linreg.data.tables import table_settings
from linreg.experiments import comparison as comparison_experiment
from linreg.experiments import sweep as sweep_experiment
from linreg.experiments.resources import local_resources
from linreg.experiments.work import LocalStore
from linreg.experiments.your_data import with_default_table
from linreg.figures import comparison as comparison_figures
from linreg.figures import sweep as sweep_figures
from linreg.figures.export import FORMATS, exported, with_source
from linreg.figures.pages import page_figures
from linreg.figures.theme import THEMES
from linreg.settings.fields import SettingsError
from linreg.settings.pages import PAGES
from linreg.settings.query import from_query, from_view_query, to_query, to_view_query

RESOURCES = local_resources()
UNTRAINED = replace(RESOURCES, runs=LocalStore(lambda _keys, _progress: ()))


def settings_of(where):
    """The comparison and the view of a page's address."""
    query = {name: text for name, text in where.query if name != "step"}
    kind = PAGES.get(where.page)
    own = {
        name: query.pop(name) for name in list(query) if kind and name in kind.__dataclass_fields__
    }
    comparison, ignored = from_query(query, table_settings)
    view = None
    if kind:
        view, refused = from_view_query(kind, own)
        ignored += refused
    if ignored:
        raise ValueError(f"the page is at an address that it ignores: {ignored}")
    return comparison, view


def address_of(where, server):
    """The page's address with every setting, as the source line of a file has it."""
    comparison, view = settings_of(where)
    query = to_query(comparison, full=True)
    if view:
        query |= to_view_query(view, full=True)
    if where.step is not None:
        query["step"] = str(where.step)
    return f"{server}/{where.page}?{urlencode(query, safe=',')}"


@lru_cache(maxsize=512)
def plates_of(where):
    """Every figure that the page may show."""
    comparison, view = settings_of(where)
    kind = PAGES.get(where.page)
    if where.page == "your_data":
        comparison = with_default_table(comparison)
    name, theme = where.page if kind else "comparison", THEMES[where.theme]
    plates = []
    with suppress(SettingsError):  # the page says why it draws no more
        for plate in page_figures(name, comparison, view, RESOURCES, theme, where.step):
            plates.append(plate)  # those before an error count
    if name == "sweep":  # its law is drawn also where there is no map
        law = sweep_experiment.batch_size_law(comparison, view, RESOURCES)
        plates += [sweep_figures.law(law, theme)] if law else []
        with suppress(SettingsError):  # its maps mark the cell of the comparison
            sweep = sweep_experiment.run(comparison, view, RESOURCES)
            plates.append(sweep_figures.maps(sweep, theme, sweep.sweep.own_cell))
    if name == "comparison":  # before its runs are trained
        untrained = comparison_experiment.run(comparison, UNTRAINED)
        plates.append(comparison_figures.surfaces(untrained, theme, 0))
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


def is_right_file(where, button, content, server):
    """Whether a file is, to the last byte, one of the page's figures in the size that the menu
    offers first."""
    kind = next(key for key, one in FORMATS.items() if one.title == button)
    source = address_of(where, server)
    return any(
        _parts(exported(with_source(plate, source), kind, "page")) == _parts(content)
        for plate in plates_of(where)
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
            values = [
                int(value) if isinstance(value, bool) else value  # as a live page sends it
                for value in table[column].to_pylist()
            ]
            found.update(f"\n{name}.{column} {values!r}".encode())
    return found.digest()
