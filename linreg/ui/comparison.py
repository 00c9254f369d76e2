"""The home page: training both sides with PyTorch, replaying the runs, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from linreg.data.dataset import initial_weights
from linreg.experiments import comparison as experiment
from linreg.experiments.comparison import ComparisonResult
from linreg.experiments.work import Work
from linreg.figures import comparison as figures
from linreg.figures.figure import FigureSet
from linreg.figures.moving import MovingRun, runs_of_comparison
from linreg.quadratic.evaluation import CONVERGED_WITHIN
from linreg.settings.changes import apply_overrides, overrides, with_changes
from linreg.settings.fields import specs_of
from linreg.settings.limits import LIMITS
from linreg.settings.model import LABELS, Comparison, Settings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.pages import MENU
from linreg.text import comparison as text
from linreg.text import numbers
from linreg.text.script import differing_lines, file_name, notebook, script
from linreg.text.your_data import origin
from linreg.ui.cache import RESOURCES, RUNS, result_of, speed_key, table_of
from linreg.ui.controls import show_refusal
from linreg.ui.downloads import keep_download
from linreg.ui.figure_view import draw_live, live_menus
from linreg.ui.live import TrainingSettings, live_training
from linreg.ui.live.messages import read_starts, read_values
from linreg.ui.page import begin_fragment
from linreg.ui.replay import step_controls
from linreg.ui.state import page_state
from linreg.ui.url import query_of_page
from linreg.ui.work import run_behind_bar, start_button, stop_button, time_left, work_bar

RATES = (1e-5, 10.0)  # ends of the slider of the learning rate
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

    Until PyTorch has trained, the browser shows its own training. PyTorch's is run by the whole
    page: no button can stop what a fragment does.
    """
    place = st.empty()
    st.fragment(_replay)(comparison)
    work = experiment.outstanding(comparison, RESOURCES)
    if work and not result_for(comparison).complete and _train(comparison, work, place):
        st.rerun()


def _replay(comparison: Comparison) -> None:
    begin_fragment()
    # on every run: a fragment may write only where it wrote in the last run of the whole page
    _show_expected_time(comparison)
    result, group = result_for(comparison), "comparison"
    runs, last_step = replayed(comparison)

    def drawn(
        figure_set: Callable[..., FigureSet], key: str = "", sends_runs: bool = False
    ) -> None:
        draw_live(group, partial(figure_set, result), runs, key, sends_runs, of=comparison)

    drawn(figures.surfaces, sends_runs=True)
    step_controls(group, last_step)
    _training(group, comparison, runs)
    live_menus(partial(figures.surfaces, result), runs, "surfaces", comparison)
    left, right = st.columns(2, gap="medium")
    if result.complete:
        with left:
            drawn(figures.predictions, "predictions")
    with right:
        _fixes(comparison)
    left, right = st.columns(2, gap="medium")
    with left:
        drawn(figures.losses, "loss")
    with right:
        drawn(figures.weights, "weights")


def _training(group: str, comparison: Comparison, runs: list[MovingRun]) -> None:
    """The sliders of what the browser trains while a starting point is dragged."""
    original, own = comparison.original, overrides(comparison)
    labels = [
        {
            "label": label,
            "optimizer": side.optimizer,
            "starts": [0],
            "follows": {name: k == 0 or name not in own for name in ("lr", "momentum")},
        }
        for k, (label, side) in enumerate(zip(LABELS, (original, comparison.fixed), strict=True))
    ]
    optimizer = OPTIMIZERS[original.optimizer]
    settings = TrainingSettings(
        starts=[initial_weights(original).tolist()],
        lr=original.lr,
        momentum=original.momentum,
        lr_range=(min(RATES[0], original.lr), max(RATES[1], original.lr)),
        momentum_from=float(optimizer.needs_momentum) / 100 if optimizer.takes_momentum else None,
    )
    problems = experiment.browser_training(comparison, RESOURCES)
    show_refusal(live_training(group, problems, labels, settings, runs, _train_as_chosen))


def _train_as_chosen(key: str) -> None:
    """Take over the start, the learning rate or the momentum that the visitor has let go."""
    state = page_state()
    if state.was_removed(key):
        return
    message = state.widget(key)["release"]
    comparison = state.comparison
    original, own = comparison.original, overrides(comparison)
    specs = specs_of(Settings)

    def changed() -> Comparison:
        changes = read_values(message, {name: specs[name] for name in ("lr", "momentum")})
        if "starts" in message:  # both sides start there
            start = read_starts(message, specs["init"])[0]
            changes["init"] = (*start, *(original.init or ())[2:])
            own.pop("init", None)
        changed_original = with_changes(original, changes)
        return Comparison(changed_original, apply_overrides(changed_original, own))

    state.change(changed, key)


def replayed(comparison: Comparison) -> tuple[list[MovingRun], int]:
    """The runs that the figures replay, none before they are trained, and their last step."""
    result = result_for(comparison)
    if result.complete:
        return runs_of_comparison(result), result.last_step
    return [], max(comparison.original.steps, comparison.fixed.steps)


# ---- findings ------------------------------------------------------------------------------------


def opening(comparison: Comparison, place: Any) -> None:
    """What is wrong, what it costs and the line that mends it: of the runs, or before these are
    trained of the settings alone."""
    result = result_for(comparison)
    lines = differing_lines(comparison.original, comparison.fixed)
    with place.container(gap="xsmall"):
        st.header(text.title(result))
        st.markdown(text.lead(result))
        for place_of_line, code in zip(st.columns(2, gap="medium"), lines, strict=True):
            place_of_line.code(
                "\n".join(code) or "# nothing that the other side does not have", wrap_lines=True
            )


def _fixes(comparison: Comparison) -> None:
    """The fixes to copy, and the ways to one's own code and to the cause."""
    st.markdown("**Fix it** in your own code, and keep it from coming back")
    st.code(text.FIXES, language="python", wrap_lines=True)
    with st.container(horizontal=True):
        for name, label in (("your_code", "Check my shapes"), ("cause", "How the bug works")):
            page = MENU[name]
            st.page_link(page.path, label=f"{label} →", query_params=query_of_page(page))
    st.caption(f"{origin(comparison.original.data)} On this page: {text.setup(comparison)}")


def evidence(comparison: Comparison) -> None:
    """The numbers and verdicts of both sides, the shapes, PyTorch's warnings, and the script."""
    result = result_for(comparison)
    if result.complete:
        _numbers_and_warnings(result)
    _script(result)


def _numbers_and_warnings(result: ComparisonResult) -> None:
    left, right = st.columns([4, 3], gap="medium")
    left.subheader("Results")
    left.markdown(text.outcome_table(result))
    left.caption(f"Converged: R² within {CONVERGED_WITHIN:g} of that of least squares.")
    right.subheader("The three shapes")
    right.markdown(text.shape_table(result))
    st.subheader("What PyTorch says")
    for label, run in zip(LABELS, result.runs, strict=True):
        if run.warnings:
            st.markdown(f"**{label}**: PyTorch prints this warning once for each pair of shapes:")
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
        "Both sides in one PyTorch file that runs without linreg: what differs is marked, and"
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
