"""Every page's figures come from its one result, for the command line and the embedded page too."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from figure_checks import is_filled_and_compiles, no_mark_shows_its_columns
from settings_of import compared

from linreg.__main__ import main
from linreg.data.tables import make_data, table_settings
from linreg.experiments import cause, claims, comparison, surface, sweep, your_code
from linreg.experiments.resources import local_resources
from linreg.figures import cause as cause_figures
from linreg.figures import claims as claims_figures
from linreg.figures import comparison as comparison_figures
from linreg.figures import surface as surface_figures
from linreg.figures import sweep as sweep_figures
from linreg.figures import your_code as your_code_figures
from linreg.figures.pages import FIGURES, outstanding, page_figures
from linreg.figures.theme import LIGHT
from linreg.settings.changes import update_both, with_table
from linreg.settings.model import Comparison
from linreg.settings.pages import (
    PAGES,
    CauseView,
    ClaimsView,
    CodeView,
    SurfaceView,
    SweepView,
)
from linreg.settings.query import to_query

pytestmark = pytest.mark.slow

ASKED = compared(epochs=3)
VIEWS = {
    "comparison": None,
    "cause": CauseView(rows=4),
    "claims": ClaimsView(seeds=10),
    "surface": SurfaceView(optimizers=("RMSprop", "SGD"), rates="one"),
    "sweep": SweepView(columns=3, rows=2, y_range=(10.0, 100.0), inits=2, steps=40),
    "your_code": CodeView((4, 1), (4,)),
}
NAMES = {
    "comparison": ["loss surfaces", "loss", "weights", "predictions"],
    "cause": [
        "matrix of all pairs",
        "both bowls in one picture",
        "section through both bowls",
        "four terms of the loss",
        "predictions at the minimum",
        "minimum by batch size",
    ],
    "surface": [
        "paths",
        "loss of optimizers",
        "distance of optimizers",
        "curvature",
        "learning rates",
        "one batch",
    ],
    "sweep": ["sweep converged", "law of the batch size"],
    "your_code": ["pairs of two shapes"],
}


def of_one_result(page, of, step=None):
    """A page's figures as the page itself draws them: from its result."""
    view = VIEWS[page]
    if page == "comparison":
        return comparison_figures.figures(comparison.run(ASKED, of), LIGHT, step)
    if page == "cause":
        return cause_figures.figures(cause.run(ASKED, view, of), LIGHT)
    if page == "claims":
        return claims_figures.figures(claims.run(view, of), LIGHT)
    if page == "surface":
        result, batches = surface.run(ASKED, view, of), surface.batches(ASKED, view, of)
        return surface_figures.figures(result, batches, LIGHT, step)
    if page == "sweep":
        law = sweep.batch_size_law(ASKED, view, of)
        return sweep_figures.figures(sweep.run(ASKED, view, of), law, LIGHT)
    return your_code_figures.figures(your_code.run(view, of), LIGHT)


def contents(figure_sets):
    """All that a figure shows and says, to compare."""
    return [
        (one.name, one.caption, one.alt, [json.dumps(p.standalone()) for p in one.panels])
        for one in figure_sets
    ]


class Counted:
    """A store that notes what it is asked to compute."""

    def __init__(self, store):
        self.store, self.asked = store, []

    def get(self, key):
        return self.store.get(key)

    def compute(self, keys, progress=None):
        self.asked.append(tuple(keys))
        self.store.compute(keys, progress)


@pytest.fixture(scope="module")
def shared():
    """Resources for all pages; what takes long is computed once."""
    return local_resources()


def test_every_page_with_figures_is_there():
    assert set(FIGURES) == {"comparison", *PAGES}


@pytest.mark.parametrize("page", FIGURES)
def test_figures_are_those_of_the_page_s_one_result(page, shared):
    found = list(page_figures(page, ASKED, VIEWS[page], shared, LIGHT))
    assert contents(found) == contents(of_one_result(page, shared))
    if page in NAMES:
        assert [one.name for one in found] == NAMES[page]
    else:
        assert len(found) == len(claims.run(VIEWS[page], shared).claims) + 2
    for one in found:
        assert {panel.alt for panel in one.panels}
        assert one.theme == LIGHT
        for panel in one.panels:
            no_mark_shows_its_columns(panel)
    assert not outstanding(page, ASKED, VIEWS[page], shared), "it has waited for all of it"


@pytest.mark.parametrize("page", ["comparison", "claims", "sweep"])
def test_what_takes_long_is_asked_for_once(page):
    of = local_resources()
    stores = {name: Counted(getattr(of, name)) for name in ("runs", "cells", "seeds")}
    of = replace(of, **stores)
    work = outstanding(page, ASKED, VIEWS[page], of)
    used = {"comparison": "runs", "claims": "seeds", "sweep": "cells"}[page]
    for _ in range(2):
        list(page_figures(page, ASKED, VIEWS[page], of, LIGHT))
    assert {name: store.asked for name, store in stores.items()} == {
        "runs": [],
        "cells": [],
        "seeds": [],
        used: [work.keys],
    }


@pytest.mark.parametrize("page", ["cause", "surface", "your_code"])
def test_what_is_computed_at_once_has_nothing_outstanding(page, shared):
    assert outstanding(page, ASKED, VIEWS[page], shared) is None


def test_a_page_without_a_view_shows_its_default(shared):
    found, expected = (
        contents(page_figures("cause", ASKED, view, shared, LIGHT)) for view in (None, CauseView())
    )
    assert found == expected


@pytest.mark.parametrize("page", ["comparison", "surface"])
def test_a_step_is_a_moment_of_the_replay(page, shared):
    found = contents(page_figures(page, ASKED, VIEWS[page], shared, LIGHT, 7))
    assert found == contents(of_one_result(page, shared, 7))
    assert found != contents(of_one_result(page, shared))
    last = contents(page_figures(page, ASKED, VIEWS[page], shared, LIGHT, 10**9))
    assert last == contents(of_one_result(page, shared)), "beyond the end is the end"


def test_before_training_the_home_page_has_its_surfaces_alone():
    (found,) = comparison_figures.figures(comparison.run(ASKED, local_resources()), LIGHT)
    assert found.name == "loss surfaces"
    assert [entry.text for entry in found.legend] == ["correct solution", "minimum of the loss"]
    for panel in found.panels:
        assert panel.data["path"].empty
        assert panel.data["now"]["text"].item() == "not trained yet"


@pytest.mark.parametrize("page", ["comparison", "surface"])
def test_the_layout_stays_while_the_replay_goes_on(page, shared):
    """And what is drawn of it is not computed again."""
    if page == "comparison":
        result, layout_of = comparison.run(ASKED, shared), comparison_figures.layout_of
    else:
        result = surface.run(ASKED, VIEWS[page], shared)
        layout_of = surface_figures.layout_of
    assert layout_of(result) is layout_of(result)


def test_the_bowls_are_drawn_without_paths(shared):
    result = surface.run(ASKED, VIEWS["surface"], shared)
    for panel, figure in zip(
        result.panels, surface_figures.principal_axes(result, LIGHT).panels, strict=True
    ):
        assert figure.data["trail"].empty
        assert figure.data["now"].empty
        expected = np.linalg.eigvalsh(panel.surface.hessian)[::-1]
        assert figure.data["bowl"]["curvature"].to_numpy() == pytest.approx(expected)
        is_filled_and_compiles(figure, LIGHT)


def test_a_sweep_with_missing_cells_is_drawn_as_far_as_it_is_done(shared):
    of, view = local_resources(), VIEWS["sweep"]
    first = outstanding("sweep", ASKED, view, of).keys[0]
    of.cells.compute([first])
    partial = sweep_figures.maps(sweep.run(ASKED, view, of), LIGHT)
    outstanding("sweep", ASKED, view, shared).run()
    whole = sweep_figures.maps(sweep.run(ASKED, view, shared), LIGHT)
    missing = 0
    for side, (panel, complete) in enumerate(zip(partial.panels, whole.panels, strict=True)):
        cells, expected = panel.data["cells"], complete.data["cells"]
        places = cells["row"] * view.columns + cells["column"]
        done = places.isin(first.cells if side == first.side else ())
        assert cells.loc[done, "value"].tolist() == expected.loc[done, "value"].tolist()
        assert cells.loc[~done, "value"].isna().all()
        assert expected["value"].notna().all()
        columns = ["x", "x2", "y", "y2", "at_x", "at_y"]
        assert cells[columns].equals(expected[columns]), "the cells stand where they will stay"
        is_filled_and_compiles(panel, LIGHT)
        missing += int((~done).sum())
    assert missing == 2 * view.columns * view.rows - len(first.cells)
    assert "no cell has one" in partial.panels[1 - first.side].alt


def test_a_sweep_that_has_not_begun_is_drawn_empty():
    found = sweep_figures.maps(sweep.run(ASKED, VIEWS["sweep"], local_resources()), LIGHT)
    for panel in found.panels:
        assert panel.data["cells"]["value"].isna().all()
        is_filled_and_compiles(panel, LIGHT)


# ---- where the cause page starts -----------------------------------------------------------------


def least_squares_of_the_bundled_table():
    """NumPy's weights and the best bias beside them, each batch counting as much, for the bundled
    table of 392 rows, of whose four batches the last has 92."""
    data = table_settings("auto-mpg", "mpg", ("horsepower", "weight"), standardise=True)
    table = make_data(data)
    columns = np.column_stack([table.X, np.ones(len(table))])
    best = np.linalg.lstsq(columns, table.y, rcond=None)[0]
    off = np.split(table.y - table.X @ best[:2], [100, 200, 300])
    assert [len(part) for part in off] == [100, 100, 100, 92]
    return table, np.append(best[:2], np.mean([part.mean() for part in off]))


def on_the_bundled_table():
    """In the order of the file and in its units of mpg."""
    data = table_settings("auto-mpg", "mpg", ("horsepower", "weight"), standardise=True)
    return update_both(with_table(Comparison(), data), {"shuffle": False, "batch_size": 100})


def test_page_command_line_and_embedded_page_start_at_the_same_least_squares(capsys, tmp_path):
    """Not at the minimum of the mean over the batches, of which the last is smaller."""
    table, best = least_squares_of_the_bundled_table()
    asked, of = on_the_bundled_table(), local_resources()
    assert asked.original.bias
    result = cause.run(asked, CauseView(), of)
    assert result.weights == pytest.approx(best, rel=1e-9)
    assert not np.allclose(result.matched.minimum[:2], best[:2], rtol=1e-4), "the two differ"
    predictions = table.X[:6] @ best[:2] + best[2]
    expected = predictions[:, None] - table.y[:6]
    embedded = next(page_figures("cause", asked, None, of, LIGHT))
    cells = embedded.panels[0].data["cells"]
    assert cells["difference"].to_numpy().reshape(6, 6) == pytest.approx(expected, rel=1e-9)
    link = "&".join(f"{name}={text}" for name, text in to_query(asked).items())
    figures = ["figures", "--out", str(tmp_path), "--only", "cause", "--format", "csv"]
    assert main([*figures, "--link", f"https://x.y/cause?{link}"]) == 0
    (file,) = (path for path in map(str, tmp_path.iterdir()) if "matrix-of-all-pairs" in path)
    with open(file, newline="") as rows:
        written = [float(row["difference"]) for row in csv.DictReader(rows)]
    assert np.reshape(written, (6, 6)) == pytest.approx(expected, rel=1e-9)
    assert file in capsys.readouterr().out
