"""The sweep page: two settings varied over a map of cells, both sides, and the law of the batch
size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from linreg.experiments.sweep_grid import (
    BatchSizeLaw,
    CellStats,
    Sweep,
    Task,
    assemble_grid,
    law_of_batch_size,
    law_settings,
    run_tasks,
    shown_inits,
    stability_limits,
    sweep_around,
)
from linreg.figures import gallery
from linreg.settings.fields import SettingsError, format_number
from linreg.settings.limits import LIMITS
from linreg.settings.model import LABELS, VERSION, Comparison, Settings, TableSettings
from linreg.settings.pages import SweepView
from linreg.settings.query import to_query
from linreg.settings.sweep_axes import AXES, METRICS
from linreg.settings.wirings import WIRINGS
from linreg.text import comparison as comparison_text
from linreg.text import sweep as sweep_text
from linreg.ui.cache import AS_TEXT, Kept, surface_of
from linreg.ui.controls import choice, number, text
from linreg.ui.elements import compiled
from linreg.ui.figure_view import Selection, draw
from linreg.ui.state import page_state

MOST_KEPT = 8_000  # tasks; each holds a few numbers a cell


@st.cache_resource(show_spinner=False)
def _kept_cells() -> Kept[Task, CellStats]:
    return Kept(MOST_KEPT)


def sweep_setup(comparison: Comparison) -> None:
    """What is trained, but for what the map varies."""
    shown = page_state().view(SweepView)
    varied = (shown.x, shown.y)
    st.markdown(
        f"{comparison_text.setup(comparison, varied)} "
        f" \n{comparison_text.sides(comparison, varied)}"
    )


def sweep_controls() -> None:
    """What is varied, over which range, and how a cell is coloured."""
    titles = {key: axis.title for key, axis in AXES.items()}
    left, right, last = st.columns([2, 2, 2], gap="medium")
    with left:
        choice("view.x", "Across", titles=titles.__getitem__)
    with right:
        choice("view.y", "Up", titles=titles.__getitem__)
    with last:
        choice("view.metric", "Colour", titles=lambda key: METRICS[key].title)
    with st.expander("Ranges, cells, inits and steps"):
        left, right = st.columns(2, gap="medium")
        with left:
            text("view.x_range", "Range across", "two numbers, or `default`")
            number("view.columns", "Cells across")
            number("view.inits", "Inits a cell")
        with right:
            text("view.y_range", "Range up", "two numbers, or `default`")
            number("view.rows", "Cells up")
            number("view.steps", "Steps")


@st.cache_data(hash_funcs=AS_TEXT, max_entries=8, show_spinner=False)
def _tasks(sweep: Sweep) -> list[Task]:
    tasks = sweep.tasks()
    work = sum(task.runs * task.steps for task in tasks)
    if work > LIMITS.sweep_steps:
        raise SettingsError(
            f"{work:,} steps of all runs are above the {LIMITS.sweep_steps:,} that a sweep may have"
            " here;"
            " use fewer cells, inits or steps",
            "steps",
        )
    return tasks


def sweep_section(comparison: Comparison) -> None:
    """Both maps, as far as their cells are done, with a way to stop and to go on."""
    _open_clicked()
    state = page_state()
    shown_view = state.view(SweepView)
    grid, metric = sweep_around(comparison, shown_view), METRICS[shown_view.metric]
    try:
        tasks = _tasks(grid)
    except SettingsError as error:
        st.info(f"{str(error)[0].upper()}{str(error)[1:]}.")
        return
    place, maps = st.empty(), st.container()
    cells, missing, work = _done_so_far(tasks)
    stopped = state.is_stopped(grid)
    if missing and state.may_run(grid, is_short=work <= LIMITS.asked_sweep_steps):
        _run(grid, missing, cells, place)
    elif missing:
        undone = (
            f"{sum(len(task.cells) for task in missing):,} cells of {2 * grid.cells:,} are not done"
        )
        with place.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"Stopped: {undone}." if stopped else f"{undone}: {work:,} steps of all runs."
            )
            st.button(
                "Go on" if stopped else "Run them", key="go_on", on_click=state.agree, args=(grid,)
            )
    numbers = assemble_grid(grid, cells)
    with maps:
        st.markdown(sweep_text.sweep_finding(grid, numbers["share"], tasks))
        shown = replace(grid, inits=shown_inits(grid, tasks))
        keys = [f"map.{label}" for label in LABELS]
        draw(
            lambda theme: gallery.maps_plate(
                shown, numbers[metric.of], metric, _limits(grid), theme
            ),
            "maps",
            [Selection(key, "cell", _click) for key in keys],
            " A click on a cell opens it side by side, rounded to whole epochs; so does the button"
            " below.",
        )
        st.fragment(_cell_to_open)(grid)


def _done_so_far(tasks: Sequence[Task]) -> tuple[dict[Task, CellStats | None], list[Task], int]:
    """What is kept of the tasks, those that are not, and how many steps all their runs have."""
    cells = {task: _kept_cells().get(task) for task in tasks}
    missing = [task for task, found in cells.items() if found is None]
    return cells, missing, sum(task.runs * task.steps for task in missing)


def _run(
    grid: Sweep,
    missing: Sequence[Task],
    cells: dict[Task, CellStats | None],
    place: Any,
    stoppable: bool = True,
) -> None:
    """Run what is missing behind a bar, with a button that stops it; every task that is done is
    kept."""
    runs = sum(task.runs for task in missing)
    with place.container():
        if stoppable:
            st.button("Stop the sweep", key="stop", on_click=page_state().stop, args=(grid,))
        bar = st.progress(0.0, f"{runs:,} runs")
        done = 0
        optimizers = sorted({task.settings.optimizer for task in missing})
        with compiled(optimizers, max(2 + task.settings.bias for task in missing)):
            for task, found in zip(missing, run_tasks(missing, behind=True), strict=True):
                _kept_cells().keep(task, found)
                cells[task] = found
                done += task.runs
                bar.progress(done / runs, f"{done:,} of {runs:,} runs")
    place.empty()


def all_cells(grid: Sweep, tasks: Sequence[Task]) -> dict[Task, CellStats | None]:
    """Every cell, run now where it is not kept. Raises `SettingsError` where that needs a
    button."""
    cells, missing, work = _done_so_far(tasks)
    if work > LIMITS.asked_sweep_steps:
        raise SettingsError(
            f"{work:,} steps of all runs are run only when asked for; open the page itself", "steps"
        )
    if missing:
        _run(grid, missing, cells, st.empty(), stoppable=False)
    return cells


@st.cache_data(hash_funcs=AS_TEXT, max_entries=32, show_spinner=False)
def _limits(grid: Sweep) -> list[list[tuple[float, float]]]:
    return stability_limits(grid, surface_of)


def _click(key: str) -> None:
    """Remember the clicked cell. Once it is not selected any more, it can be clicked again."""
    state = page_state()
    clicked = [
        (int(point["column"]), int(point["row"])) for point in state.selected_points(key, "cell")
    ]
    if not clicked:
        state.forget_click(key)
    elif state.is_new_click(key, clicked[0]):
        state.cell_to_open = clicked[0]


def _cell_to_open(grid: Sweep) -> None:
    """A cell by its two values, which is the keyboard's way to the click on it."""
    state = page_state()
    if state.cell_to_open is not None:
        st.rerun()  # the button has run this fragment alone
    across, up, button = st.columns([2, 2, 2], gap="medium", vertical_alignment="bottom")
    for place, axis, values in ((across, grid.x, grid.x_values), (up, grid.y, grid.y_values)):
        key = f"control.cell.{axis}"
        state.set_widget(key, min(state.widget(key) or 0, len(values) - 1))
        place.selectbox(
            f"Cell: {AXES[axis].title}",
            list(range(len(values))),
            key=key,
            format_func=partial(_value_of, values),
        )
    button.button(
        "Open this cell side by side", key="open", on_click=_chosen, args=(grid,), width="stretch"
    )


def _value_of(values: Sequence[float], index: int) -> str:
    return format_number(values[index])


def _chosen(grid: Sweep) -> None:
    state = page_state()
    column, row = (state.widget(f"control.cell.{axis}") for axis in (grid.x, grid.y))
    state.cell_to_open = (column, row)


def _open_clicked() -> None:
    """Open the clicked or the chosen cell on the first page."""
    state = page_state()
    cell, state.cell_to_open = state.cell_to_open, None
    if cell is not None:
        grid = sweep_around(state.comparison, state.view(SweepView))
        column, row = cell
        inside = column < len(grid.x_values) and row < len(
            grid.y_values
        )  # not of a map that has been redrawn since
        if inside and state.change(lambda: grid.cell(column, row)):
            st.switch_page(
                "streamlit_app.py",
                query_params={"v": str(VERSION), **to_query(state.comparison)},
            )


def law_section(comparison: Comparison) -> None:
    """Where the bug's weights end against the batch size."""
    settings = comparison.original
    if not WIRINGS[settings.wiring].pairs:
        st.caption("The original's shapes match, so its minimum does not depend on the batch size.")
        return
    shown = page_state().view(SweepView)
    with compiled([settings.optimizer], 2 + settings.bias):
        found = _law(*law_settings(settings, shown.inits, shown.steps))
    draw(lambda theme: gallery.law_plate(found, theme), "law")
    if isinstance(settings.data, TableSettings):
        st.caption(
            "The law is for rows in random order. This table's rows come as they stand in the file."
        )


@st.cache_data(
    hash_funcs=AS_TEXT, max_entries=32, show_spinner="Working out the law of the batch size …"
)
def _law(settings: Settings, sizes: tuple[int, ...], inits: int, steps: int) -> BatchSizeLaw:
    return law_of_batch_size(settings, sizes, inits, steps)
