"""The sweep page: two settings varied over a map of cells, both sides, and the law of the batch
size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from linreg.experiments import sweep as experiment
from linreg.experiments.sweep_grid import CellStats, Sweep, Task, sweep_around
from linreg.experiments.work import Work
from linreg.figures import sweep as figures
from linreg.settings.fields import SettingsError, format_number
from linreg.settings.limits import LIMITS
from linreg.settings.model import LABELS, VERSION, Comparison, TableSettings
from linreg.settings.pages import SweepView
from linreg.settings.query import to_query
from linreg.settings.sweep_axes import AXES, METRICS
from linreg.text import comparison as comparison_text
from linreg.text import sweep as sweep_text
from linreg.ui.cache import RESOURCES, result_of
from linreg.ui.controls import choice, number, text
from linreg.ui.elements import compiled
from linreg.ui.figure_view import Selection, draw
from linreg.ui.state import page_state
from linreg.ui.work import run_behind_bar, start_button, stop_button, work_bar


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


def sweep_section(comparison: Comparison) -> None:
    """Both maps, as far as their cells are done, with a way to stop and to go on."""
    _open_clicked()
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
    with maps:
        st.markdown(sweep_text.sweep_finding(result))
        draw(
            lambda theme: figures.maps(result, theme),
            "maps",
            [Selection(f"map.{label}", "cell", _click) for label in LABELS],
            " A click on a cell opens it side by side, rounded to whole epochs; so does the button"
            " below.",
        )
        st.fragment(_cell_to_open)(result.sweep)


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
        said = f"Stopped: {undone}." if stopped else f"{undone}: {work.steps:,} steps of all runs."
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
    """Where the bug's weights end, by batch size."""
    settings = comparison.original
    with compiled([settings.optimizer], 2 + settings.bias):
        found = experiment.batch_size_law(comparison, page_state().view(SweepView), RESOURCES)
    if found is None:
        st.caption("The original's shapes match, so its minimum does not depend on the batch size.")
        return
    draw(lambda theme: figures.law(found, theme), "law")
    if isinstance(settings.data, TableSettings):
        st.caption(
            "The law is for rows in random order. This table's rows come as they stand in the file."
        )
