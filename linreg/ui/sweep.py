"""The sweep page: two settings varied over a map of cells, both sides, and the law of the batch
size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from linreg.experiments import sweep as experiment
from linreg.experiments.sweep import CellResult, LawResult, SweepResult
from linreg.experiments.sweep_grid import CellStats, Sweep, Task, sweep_around
from linreg.experiments.work import Work
from linreg.figures import sweep as figures
from linreg.settings.fields import SettingsError
from linreg.settings.limits import LIMITS
from linreg.settings.model import LABELS, VERSION, Comparison, TableSettings
from linreg.settings.pages import SweepView
from linreg.settings.query import to_query
from linreg.settings.sweep_axes import AXES, METRICS, Axis
from linreg.text import comparison as comparison_text
from linreg.text import sweep as sweep_text
from linreg.text.markdown import escape_markdown
from linreg.text.numbers import axis_number
from linreg.ui.cache import RESOURCES, result_of
from linreg.ui.controls import choice, number, text
from linreg.ui.elements import compiled, page_script
from linreg.ui.figure_view import Selection, draw
from linreg.ui.state import CONTROL, page_state
from linreg.ui.work import run_behind_bar, start_button, stop_button, work_bar


def sweep_setup(comparison: Comparison) -> None:
    """What is trained, but for what the map varies."""
    shown = page_state().view(SweepView)
    varied = (shown.x, shown.y)
    st.markdown(
        f"{comparison_text.setup(comparison, varied)} "
        f" \n{comparison_text.sides(comparison, varied)}"
    )


def sweep_section(comparison: Comparison) -> None:
    """What the maps show, as far as their cells are done, and the maps with the selected cell."""
    finding = st.empty()
    _sweep_controls()
    view = page_state().view(SweepView)
    try:
        work = experiment.outstanding(comparison, view, RESOURCES)
    except SettingsError as error:
        st.info(f"{str(error)[0].upper()}{str(error)[1:]}.")
        return
    place, maps = st.empty(), st.container()
    if work:
        _run_or_ask(sweep_around(comparison, view), work, place)
    result = result_of(experiment.run, comparison, view)
    finding.markdown(sweep_text.sweep_finding(result))
    with maps:
        st.fragment(_maps)(result)


def _sweep_controls() -> None:
    """What is varied, over which range, and what the colour shows."""
    titles = {key: axis.title for key, axis in AXES.items()}
    left, right, last = st.columns([2, 2, 2], gap="medium")
    with left:
        choice("view.x", "x axis", titles=titles.__getitem__)
    with right:
        choice("view.y", "y axis", titles=titles.__getitem__)
    with last:
        choice("view.metric", "Colour shows", titles=lambda key: METRICS[key].title)
    with st.expander("Ranges, cells, initial weights and steps"):
        left, right = st.columns(2, gap="medium")
        with left:
            text("view.x_range", "Range of the x axis", "two numbers, or `default`")
            number("view.columns", "Cells along x")
            number("view.inits", "Initial weights per cell")
        with right:
            text("view.y_range", "Range of the y axis", "two numbers, or `default`")
            number("view.rows", "Cells along y")
            number("view.steps", "Steps per run")


def _run_or_ask(sweep: Sweep, work: Work[Task, CellStats], place: DeltaGenerator) -> None:
    """Run the missing cells, or where that takes long or was stopped offer a button for it."""
    state = page_state()
    if state.may_run(sweep, is_short=work.steps <= LIMITS.autorun_sweep_steps):
        with work_bar(place):
            stop_button("Stop the sweep", "stop", sweep)
            run_cells_behind_bar(work)
        place.empty()
        return
    undone = f"{sum(len(task.cells) for task in work.keys):,} cells of {2 * sweep.cells:,}"
    undone += " are not done"
    stopped = state.is_stopped(sweep)
    with place.container(horizontal=True, vertical_alignment="center"):
        said = f"Stopped: {undone}." if stopped else f"{undone}: {work.steps:,} steps in all."
        st.markdown(said)
        start_button("Go on" if stopped else "Run them", "go_on", sweep)


def run_cells_behind_bar(work: Work[Task, CellStats]) -> None:
    """Run the missing cells, and show how many runs are done."""
    runs = sum(task.runs for task in work.keys)

    def bar_text(done: int, total: int) -> str:
        return f"{done:,} of {total:,} runs" if done else f"{total:,} runs"

    optimizers = sorted({task.settings.optimizer for task in work.keys})
    parameters = max(2 + task.settings.bias for task in work.keys)
    run_behind_bar(work, bar_text, runs, optimizers, parameters)


# ---- the selected cell ---------------------------------------------------------------------------


@dataclass(frozen=True)
class SelectedCell:
    """A cell by its values on both axes, so that it outlasts a change of the ranges."""

    x: tuple[str, float]
    y: tuple[str, float]


def _maps(result: SweepResult) -> None:
    """Both maps, and below them the numbers of the selected cell and a button that opens it."""
    sweep, view = result.sweep, result.view
    column, row = _selected(sweep) or sweep.own_cell
    name = f"{view.x}.{view.y}.{view.metric}"  # another spec: its clicks begin anew
    draw(
        lambda theme: figures.maps(result, theme, (column, row)),
        "maps",
        [
            Selection(f"map.{label}.{name}", ("clicked", "opened"), partial(_click, sweep))
            for label in LABELS
        ],
        " Outlined: the selected cell. A click selects another, a second click on it compares both"
        " sides at its settings.",
    )
    _cell_controls(sweep, column, row)
    cell = CellResult(result, column, row)
    st.markdown(f"**{sweep_text.cell_title(cell)}**")
    numbers = sweep_text.cell_table(cell)
    st.markdown(numbers or "This cell is not trained.")
    _open_link(sweep, column, row)


def _open_link(sweep: Sweep, column: int, row: int) -> None:
    """A link to the cell side by side, which a second click on the cell follows as well.

    The cell's settings are in the link alone, so that Back returns to those of the sweep."""
    state = page_state()
    try:
        cell = sweep.cell(column, row)
    except SettingsError as error:
        st.caption(f"This cell cannot be opened: {escape_markdown(str(error))}.")
        return
    finally:
        follow, state.cell_to_open = state.cell_to_open, False
    with st.container(key=OPEN):
        st.page_link(
            "streamlit_app.py",
            label="Open this cell side by side",
            icon=":material/compare:",
            query_params={"v": str(VERSION), **to_query(cell)},
        )
    if follow:
        page_script("open_cell.js")


OPEN = "open_cell"  # the key of the link's container, which `open_cell.js` clicks


def _selected(sweep: Sweep) -> tuple[int, int] | None:
    """Column and row of the cell that the visitor has selected, where the map still has it."""
    cell: SelectedCell | None = page_state().cell
    if cell is None or (cell.x[0], cell.y[0]) != (sweep.x, sweep.y):
        return None
    if cell.x[1] not in sweep.x_values or cell.y[1] not in sweep.y_values:
        return None
    return sweep.x_values.index(cell.x[1]), sweep.y_values.index(cell.y[1])


def _select(sweep: Sweep, column: int, row: int) -> None:
    page_state().cell = SelectedCell(
        (sweep.x, sweep.x_values[column]), (sweep.y, sweep.y_values[row])
    )


def _click(sweep: Sweep, key: str) -> None:
    """Select the clicked cell, or open it where it was selected before or clicked twice."""
    state = page_state()
    clicked = _new_point(key, "clicked")
    opened = _new_point(key, "opened")
    cell = opened or clicked
    if cell is None or not _is_within(sweep, *cell):
        return
    if opened or cell == _selected(sweep):
        state.cell_to_open = True
    _select(sweep, *cell)


def _new_point(key: str, selection: str) -> tuple[int, int] | None:
    """The cell by which a selection differs from what it was before."""
    state = page_state()
    name = f"{key}.{selection}"
    before: frozenset[tuple[int, int]] = state.last_clicks.get(name, frozenset())
    now = frozenset(
        (int(point["column"]), int(point["row"]))
        for point in state.selected_points(key, selection)
        if point.get("column") is not None  # rather than a line over the cells
    )
    state.last_clicks[name] = now
    changed = (now - before) or (before - now)
    return next(iter(changed)) if len(changed) == 1 else None


def _is_within(sweep: Sweep, column: int, row: int) -> bool:
    """Whether the map, which may have been drawn anew since a click, has this cell."""
    return column < len(sweep.x_values) and row < len(sweep.y_values)


def _cell_controls(sweep: Sweep, column: int, row: int) -> None:
    """A slider for each axis, which is the keyboard's way to the click on a cell."""
    state = page_state()
    places = st.columns(2, gap="medium")
    for place, key, values, index in (
        (places[0], "x", sweep.x_values, column),
        (places[1], "y", sweep.y_values, row),
    ):
        if len(values) < 2:
            continue
        axis = AXES[getattr(sweep, key)]
        state.set_widget(_slider_key(key), index)
        place.select_slider(
            f"Cell: {axis.title}",
            list(range(len(values))),
            key=_slider_key(key),
            format_func=partial(_value_of, axis, values),
            on_change=_move,
            args=(sweep, column, row),
        )


def _slider_key(axis: str) -> str:
    return f"{CONTROL}cell.{axis}"


def _value_of(axis: Axis, values: Sequence[float], index: int) -> str:
    return axis_number(axis, values[index])


def _move(sweep: Sweep, column: int, row: int) -> None:
    """Select the cell that the sliders stand at; where an axis has none, as before."""
    state = page_state()
    at = state.widget(_slider_key("x")), state.widget(_slider_key("y"))
    _select(
        sweep, *(old if new is None else new for new, old in zip(at, (column, row), strict=True))
    )


def law_section(comparison: Comparison) -> None:
    """Where the bug's weights end, by batch size."""
    settings = comparison.original
    with compiled([settings.optimizer], 2 + settings.bias):
        found = experiment.batch_size_law(comparison, page_state().view(SweepView), RESOURCES)
    if found is None:
        st.caption("The original's shapes match, so its minimum does not depend on the batch size.")
        return
    st.subheader("Where the original ends, by batch size")
    st.markdown(sweep_text.law_finding(LawResult(found, settings.batch_size)))
    draw(lambda theme: figures.law(found, theme), "law")
    if isinstance(settings.data, TableSettings):
        st.caption(
            "The law is for rows in random order. This table's rows come as they stand in the file."
        )
