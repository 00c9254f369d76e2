"""The home page: training both sides with PyTorch, replaying the runs, and what came of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from linreg.experiments import comparison as experiment
from linreg.experiments.comparison import ComparisonResult
from linreg.experiments.work import Work
from linreg.figures import comparison as figures
from linreg.quadratic.evaluation import CONVERGED_WITHIN
from linreg.settings.limits import LIMITS
from linreg.settings.model import LABELS, Comparison, Settings
from linreg.text import comparison as text
from linreg.text import numbers
from linreg.text.script import differing_lines, file_name, notebook, script
from linreg.ui.cache import RESOURCES, RUNS, result_of, speed_key, table_of
from linreg.ui.downloads import keep_download
from linreg.ui.figure_view import Selection, draw
from linreg.ui.replay import FRAME_SECONDS, step_controls, step_to_show
from linreg.ui.state import page_state
from linreg.ui.url import write_url
from linreg.ui.work import run_behind_bar, start_button, stop_button, time_left, work_bar

PROBE_STEPS = 200  # that tell how long a step takes


def result_for(comparison: Comparison) -> ComparisonResult:
    """The result of a comparison, without runs where these have yet to be trained."""
    return result_of(experiment.run, comparison)


# ---- training ------------------------------------------------------------------------------------


def _train(comparison: Comparison, work: Work[Settings, Any], place: DeltaGenerator) -> bool:
    """Train what is missing, or offer a button for it in `place`. Whether it has been trained."""
    if not RUNS.seconds_per_step:  # on a server's first training: so that the time is shown before
        _seconds_per_step(work.keys[0])
        _show_expected_time(comparison)
    state = page_state()
    is_short = work.steps <= LIMITS.autorun_steps
    if not state.may_run(comparison, is_short):
        with place.container():
            seconds = sum(settings.steps * _seconds_per_step(settings) for settings in work.keys)
            st.info(f"{work.steps:,} steps will take about {numbers.duration(seconds)}.")
            start_button(f"Train {work.steps:,} steps", "train", comparison, primary=True)
        return False
    with work_bar(place):
        if not is_short:
            stop_button("Stop the training", "stop_training", comparison)
        train_behind_bar(work)
    place.empty()
    return True


def train_behind_bar(work: Work[Settings, Any]) -> None:
    """Train, and show how many steps are done and how long the rest will take."""
    left = time_left()

    def bar_text(done: int, total: int) -> str:
        return f"Training: {done:,} of {work.steps:,} steps{left(done, total)}"

    run_behind_bar(work, bar_text, work.steps)


def _seconds_per_step(settings: Settings) -> float:
    """As measured before, or now on a few steps of these settings."""
    if speed_key(settings) not in RUNS.seconds_per_step:
        # a learning rate so small that the run cannot diverge
        short = replace(settings, epochs=-(-PROBE_STEPS // settings.steps_per_epoch), lr=1e-12)
        table = table_of(settings.data)
        rows = slice(0, PROBE_STEPS * settings.batch_size)
        head = replace(table, X=table.X[rows], y=table.y[rows])
        RUNS.train([replace(short, epochs=1)], head)  # the first steps are slower
        (run,) = RUNS.train([short], head)
        RUNS.seconds_per_step[speed_key(settings)] = run.seconds / max(len(run.losses), 1)
    return RUNS.seconds_per_step[speed_key(settings)]


def _show_expected_time(comparison: Comparison) -> None:
    """How many steps the comparison has, and once a speed is known how long they take."""
    known = RUNS.seconds_per_step
    slowest = max(known.values(), default=None)
    seconds = [
        known.get(speed_key(side), slowest) for side in (comparison.original, comparison.fixed)
    ]
    place = page_state().expected
    assert place is not None, "a page has been started"
    place.caption(text.steps_and_time(comparison, seconds))


# ---- replay --------------------------------------------------------------------------------------


def replay(comparison: Comparison) -> None:
    """Both surfaces with their paths, loss and weights against step, and one slider that replays
    them all.

    What has yet to be trained is trained before, by the whole page: no button can stop what a
    fragment does.
    """
    before = st.empty()  # so that what follows has the same place whether or not runs were trained
    work = experiment.outstanding(comparison, RESOURCES)
    untrained = result_for(comparison)
    if work and not untrained.complete:
        _show_expected_time(comparison)
        with before.container():
            place = st.empty()  # above the figures, which have no height until they are drawn
            draw(lambda theme: figures.surfaces(untrained, theme))
            if not _train(comparison, work, place):
                return
        before.empty()
    playing = page_state().playing
    st.fragment(_replay, run_every=FRAME_SECONDS if playing else None)(comparison)


def _replay(comparison: Comparison) -> None:
    # on every run: a fragment may write only where it wrote in the last run of the whole page
    _show_expected_time(comparison)
    result = result_for(comparison)
    if not result.complete:  # the runs are not in the cache any more
        st.rerun()
    step = step_to_show(result.last_step)
    step_controls(step, result.last_step)
    draw(lambda theme: figures.surfaces(result, theme, step), "surfaces", of=comparison)
    left, right = st.columns(2, gap="medium")
    with left:
        click = Selection("loss", "clicked", _show_clicked_step)
        draw(lambda theme: figures.losses(result, theme, step), "loss", [click], of=comparison)
    with right:
        draw(lambda theme: figures.weights(result, theme, step), "weights", of=comparison)


def _show_clicked_step(key: str) -> None:
    state = page_state()
    clicked = [point["step"] for point in state.selected_points(key, "clicked")]
    if state.is_new_click(key, clicked):
        state.show_step(int(clicked[0]))
        write_url()


# ---- findings ------------------------------------------------------------------------------------


def finding(comparison: Comparison, place: Any) -> None:
    """The finding in words and in code: of the runs, or before them of the settings alone."""
    result = result_for(comparison)
    lines = differing_lines(comparison.original, comparison.fixed)
    with place.container():
        st.markdown(f"**{text.headline(*result.outcomes)}**")
        for column, side, code in zip(
            st.columns(2, gap="medium"), result.sides, lines, strict=True
        ):
            said = text.explanation(side.settings, side.outcome)
            column.markdown(f"**{side.label}.** {said}")
            column.code(
                "\n".join(code) or "# nothing that the other side does not have", wrap_lines=True
            )


def evidence(comparison: Comparison) -> None:
    """The numbers and verdicts of both sides, the shapes, PyTorch's warnings, and the script."""
    result = result_for(comparison)
    if result.complete:
        _numbers_and_warnings(result)
    _script(result)


def _numbers_and_warnings(result: ComparisonResult) -> None:
    outcomes = [outcome for outcome in result.outcomes if outcome]
    left, right = st.columns([4, 3], gap="medium")
    left.subheader("What each side comes to")
    left.markdown(text.outcome_table(outcomes, LABELS))
    left.caption(f"Converged: R² within {CONVERGED_WITHIN:g} of that of least squares.")
    right.subheader("The three shapes")
    right.markdown(text.shape_table(result.runs, LABELS))
    st.subheader("What PyTorch says")
    for label, run in zip(LABELS, result.runs, strict=True):
        if run.warnings:
            st.markdown(f"**{label}**: a `UserWarning` on stderr, once for each pair of shapes")
            st.code("\n".join(run.warnings), language=None, wrap_lines=True)
        else:
            st.markdown(f"**{label}**: nothing")


def _script(result: ComparisonResult) -> None:
    """Both sides as a file to take away, made when it is asked for, and a look at it."""
    comparison = result.comparison
    outcomes = [outcome for outcome in result.outcomes if outcome] if result.complete else None
    st.subheader("Get the script")
    printed = "the losses and weights above" if outcomes else "the losses and weights of both"
    st.caption(
        "Both sides in one PyTorch file that needs nothing of linreg: what differs is marked, and"
        f" it prints {printed}."
    )
    name = file_name(comparison)
    with st.container(horizontal=True):
        for label, make, ending, mime in (
            ("Python script", script, "py", "text/x-python"),
            ("Jupyter notebook", notebook, "ipynb", "application/x-ipynb+json"),
        ):
            st.download_button(
                label,
                keep_download(partial(make, comparison, outcomes), f"{name}.{ending}", mime),
                f"{name}.{ending}",
                mime,
                key=f"get.{ending}",
                on_click="ignore",
            )
    look = st.expander("The code", type="compact", on_change="rerun", key="script")
    if look.open:
        look.code(script(comparison, outcomes), language="python")
