"""The home page's figures together: what a replay changes, that they compile, and their size."""

import json

import pandas as pd
import pytest
import vl_convert
from trained_sides import trained

from linreg.figures.curves import loss_figure, weights_figure
from linreg.figures.side_surfaces import surface_figure
from linreg.figures.theme import DARK, LIGHT
from linreg.settings.model import Comparison


@pytest.fixture(scope="module")
def thread():
    return trained(Comparison())


@pytest.mark.slow
def test_a_replay_changes_only_the_data(thread):
    """The spec and the text must stay the same, or the browser draws the figure anew at every
    step."""
    sides, layout = thread
    for make in (
        lambda step: surface_figure(sides, 0, layout, step, LIGHT),
        lambda step: loss_figure(sides, step, LIGHT),
        lambda step: weights_figure(sides, (5.0, 3.0), step, LIGHT),
    ):
        first, later = make(10), make(2000)
        assert json.dumps(first.spec) == json.dumps(later.spec)
        assert first.alt == later.alt


@pytest.mark.slow
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_figure_compiles_and_fits(thread, theme):
    sides, layout = thread
    for figure in (
        surface_figure(sides, 0, layout, 700, theme),
        surface_figure(sides, 1, layout, 700, theme),
        loss_figure(sides, 700, theme),
        weights_figure(sides, (5.0, 3.0), 700, theme),
    ):
        assert figure.spec["config"]["background"] == theme.background
        assert figure.alt
        assert figure.caption
        assert isinstance(figure.data[figure.table], pd.DataFrame)
        drawn = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 400}, vl_version="6.4")
        assert "NaN" not in drawn
        assert sum(len(frame.to_csv(index=False)) for frame in figure.data.values()) < 100_000


def test_the_four_figures_of_the_page_are_light(thread):
    """Bytes as the page sends them, in Arrow."""
    import pyarrow as pa

    sides, layout = thread
    figures = [surface_figure(sides, which, layout, 3000, LIGHT) for which in (0, 1)]
    figures += [
        loss_figure(sides, 3000, LIGHT),
        weights_figure(sides, (5.0, 3.0), 3000, LIGHT),
    ]
    size = 0
    for figure in figures:
        size += len(json.dumps(figure.spec))
        for frame in figure.data.values():
            sink = pa.BufferOutputStream()
            table = pa.Table.from_pandas(frame)
            with pa.ipc.new_stream(sink, table.schema) as stream:
                stream.write_table(table)
            size += sink.getvalue().size
    assert size < 250_000
