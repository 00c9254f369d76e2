"""The home page: training both sides with PyTorch behind a progress bar, replaying them, and saying
what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from linreg.experiments import pytorch_calls
from linreg.figures import comparison as comparison_figures
from linreg.figures import gallery
from linreg.quadratic.evaluation import CONVERGED_WITHIN
from linreg.settings.fields import SettingsError
from linreg.settings.limits import LIMITS
from linreg.settings.model import LABELS, Comparison, Data, Settings, TableSettings
from linreg.text import comparison as comparison_text
from linreg.text import numbers
from linreg.text.script import differing_lines, file_name, notebook, script
from linreg.training.outcome import Outcome, outcome
from linreg.training.worker import PYTORCH
from linreg.ui.cache import AS_TEXT, Kept, least_squares_of, surface_of, table_of
from linreg.ui.drawing import (
    FRAME_SECONDS,
    Selection,
    draw,
    keep_download,
    step_controls,
    step_to_show,
)
from linreg.ui.frame import write_url

if TYPE_CHECKING:
    from linreg.data.dataset import Dataset
    from linreg.training.run import Run


# ---- runs ----------------------------------------------------------------------------------------


@st.cache_data(hash_funcs=AS_TEXT, max_entries=64, show_spinner=False)
def _scene(
    comparison: Comparison, trained: bool, _runs: Sequence[Run]
) -> comparison_figures.Layout:
    best = least_squares_of(comparison.original.data, comparison.original.bias)
    return gallery.scene_of(
        comparison, gallery.sides_of(comparison, _runs if trained else None, surface_of), best
    )


class _KeptRuns(Kept["Settings", "Run"]):
    """The latest runs of all visitors, by their settings."""

    def both(self, comparison: Comparison) -> list[Run] | None:
        """Both runs of a comparison, or None where one of them has yet to be trained."""
        found = [self.get(side) for side in (comparison.original, comparison.fixed)]
        return [run for run in found if run] if all(found) else None

    def missing(self, comparison: Comparison) -> list[Settings]:
        """The sides that have yet to be trained."""
        return [
            side
            for side in dict.fromkeys((comparison.original, comparison.fixed))
            if self.get(side) is None
        ]


@st.cache_resource(show_spinner=False)
def _kept_runs() -> _KeptRuns:
    return _KeptRuns(
        LIMITS.kept_run_bytes, lambda run: run.weights.nbytes + run.losses.nbytes, least=2
    )


@st.cache_resource(show_spinner=False)
def _paces() -> dict[tuple[Any, ...], float]:
    """Seconds a step, as last measured on this server."""
    return {}


def _pace_key(settings: Settings) -> tuple[Any, ...]:
    return settings.wiring, settings.batch_size, settings.optimizer


# ---- training ------------------------------------------------------------------------------------


def runs_of(comparison: Comparison) -> Sequence[Run]:
    """Both runs, trained now where they are not kept. Raises `SettingsError` where that needs a
    button."""
    sides = (comparison.original, comparison.fixed)
    found = {side: run for side in sides if (run := _kept_runs().get(side))}
    missing = [side for side in dict.fromkeys(sides) if side not in found]
    steps = _steps(missing)
    if steps > LIMITS.asked_steps:
        raise SettingsError(
            f"{steps:,} steps are trained only when asked for; open the page itself", "epochs"
        )
    if missing:
        found |= {run.settings: run for run in _train_now(missing)}
    return [found[side] for side in sides]


def results(comparison: Comparison) -> list[tuple[Run, Outcome]] | None:
    """Both runs with their outcomes, once they are trained."""
    runs = _kept_runs().both(comparison)
    return [(run, _outcome(run.settings, run)) for run in runs] if runs else None


@st.cache_data(hash_funcs=AS_TEXT, max_entries=128, show_spinner=False)
def _outcome(settings: Settings, _run: Run) -> Outcome:
    return outcome(_run, table_of(settings.data), surface_of(settings))


def _expect(comparison: Comparison) -> None:
    """How many steps the comparison has, and once a pace is known how long they take."""
    paces = [_known_pace(side) for side in (comparison.original, comparison.fixed)]
    st.session_state["expected"].caption(comparison_text.steps_and_time(comparison, paces))


def _steps(sides: Sequence[Settings]) -> int:
    return sum(settings.steps for settings in sides)


def _train(comparison: Comparison, missing: Sequence[Settings]) -> bool:
    """Train what is missing behind a progress bar, or offer a button for it. Returns whether there
    is anything to show."""
    steps = _steps(missing)
    if not _paces():  # a server's first training: the expected time stands there before it begins
        _pace(missing[0])
        _expect(comparison)
    place = st.empty()
    with place.container():
        if steps > LIMITS.asked_steps:
            if st.session_state.get("agreed") != comparison:
                seconds = sum(settings.steps * _pace(settings) for settings in missing)
                st.info(f"{steps:,} steps will take about {numbers.duration(seconds)}.")
                st.button(
                    f"Train {steps:,} steps",
                    type="primary",
                    key="train",
                    on_click=_agree,
                    args=(comparison,),
                )
                return False
            st.button("Stop the training", key="stop_training", on_click=_agree, args=(None,))
        bar = st.progress(0.0, f"Training: 0 of {steps:,} steps")
        started = time.monotonic()

        def progress(done: int, total: int) -> None:
            left = (time.monotonic() - started) / done * (total - done) if done else None
            said = f", {numbers.duration(left)} left" if left is not None else ""
            bar.progress(done / total, f"Training: {done:,} of {steps:,} steps{said}")

        _train_now(missing, progress)
    place.empty()
    return True


def _agree(comparison: Comparison | None) -> None:
    """Kept in the session, so that a lost connection does not lose the visitor's word; None takes
    it back."""
    st.session_state["agreed"] = comparison


def _train_now(
    missing: Sequence[Settings], progress: Callable[[int, int], None] | None = None
) -> list[Run]:
    runs = _train_in_worker(missing, _table_to_send(missing[0].data), progress)
    for run in runs:
        if run.diverged_at is None:  # its seconds are those of all its steps
            _paces()[_pace_key(run.settings)] = run.seconds / len(run.losses)
        _kept_runs().keep(run.settings, run)
    return runs


def _train_in_worker(
    settings: Sequence[Settings],
    table: Dataset | None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Run]:
    """`linreg.train` where it takes nothing from the pages; with `progress` it ends when this
    script does, unless others wait for the same: a link that many open at once is trained once."""
    return PYTORCH.call(
        pytorch_calls.train, settings, table, progress=progress, dedupe_key=tuple(settings)
    )


def _table_to_send(data: Data) -> Dataset | None:
    """A file's table; a synthetic one is drawn there."""
    return table_of(data) if isinstance(data, TableSettings) else None


def _known_pace(settings: Settings) -> float | None:
    """Seconds a step, of runs like these or else of the slowest yet; None on a server that has
    trained nothing."""
    paces = _paces()
    return paces.get(_pace_key(settings), max(paces.values(), default=None))


def _pace(settings: Settings) -> float:
    """Seconds a step: as measured before, or on up to 200 steps of these very settings."""
    if _pace_key(settings) not in _paces():
        short = replace(
            settings, epochs=-(-200 // settings.steps_per_epoch), lr=1e-12
        )  # so small that it cannot diverge
        table = table_of(settings.data)
        rows = slice(0, 200 * settings.batch_size)
        first = replace(table, X=table.X[rows], y=table.y[rows])
        _train_in_worker([replace(short, epochs=1)], first)  # the first steps are slower
        (run,) = _train_in_worker([short], first)
        _paces()[_pace_key(settings)] = run.seconds / max(len(run.losses), 1)
    return _paces()[_pace_key(settings)]


# ---- replay --------------------------------------------------------------------------------------


def replay(comparison: Comparison) -> None:
    """Both surfaces with their paths, loss and weights against step, and one slider that replays
    them all.

    What has yet to be trained is trained before, by the whole page: what a fragment does no button
    can stop."""
    before = (
        st.empty()
    )  # holds the surfaces while their runs train, so that what follows has one place for good
    missing = _kept_runs().missing(
        comparison
    )  # asked once: another visitor may train the same in the meantime
    if missing:
        _expect(comparison)
        with before.container():
            sides, scene = (
                gallery.sides_of(comparison, None, surface_of),
                _scene(comparison, False, []),
            )
            draw(lambda theme: gallery.surfaces_plate(sides, scene, 0, theme))
            if not _train(comparison, missing):
                return
        before.empty()
    playing = st.session_state["playing"]
    st.fragment(_replay, run_every=FRAME_SECONDS if playing else None)(comparison)


def _replay(comparison: Comparison) -> None:
    _expect(
        comparison
    )  # on every run: a fragment may write only where it wrote in the last run of the whole page
    runs = _kept_runs().both(comparison)
    if not runs:  # so much was trained since that they are not kept any more
        st.rerun()
    sides, scene = gallery.sides_of(comparison, runs, surface_of), _scene(comparison, True, runs)
    last = max(len(run.losses) for run in runs)
    step = step_to_show(last)
    step_controls(step, last)
    draw(lambda theme: gallery.surfaces_plate(sides, scene, step, theme), "surfaces", of=comparison)
    left, right = st.columns(2, gap="medium")
    with left:
        click = Selection("loss", "clicked", _click)
        draw(lambda theme: gallery.loss_plate(sides, step, theme), "loss", [click], of=comparison)
    with right:
        best = least_squares_of(comparison.original.data, comparison.original.bias).tolist()
        draw(
            lambda theme: gallery.weights_plate(comparison, sides, best, step, theme),
            "weights",
            of=comparison,
        )


def _click(key: str) -> None:
    """Go to the clicked step. A chart that is drawn again reports its last click again: that one is
    known."""
    state = st.session_state
    clicked = [point["step"] for point in state[key]["selection"].get("clicked", [])]
    if clicked and clicked != state.get(f"{key}.clicked"):
        state["step"], state["playing"], state[f"{key}.clicked"] = int(clicked[0]), False, clicked
        write_url()


# ---- findings ------------------------------------------------------------------------------------


def finding(comparison: Comparison, place: Any) -> None:
    """The finding in words and in code: from the runs on the screen, or before them from the
    settings alone."""
    found = results(comparison)
    outcomes = [result for _, result in found] if found else [None, None]
    lines = differing_lines(comparison.original, comparison.fixed)
    with place.container():
        st.markdown(f"**{comparison_text.headline(*outcomes)}**")
        for column, label, settings, result, code in zip(
            st.columns(2, gap="medium"),
            LABELS,
            (comparison.original, comparison.fixed),
            outcomes,
            lines,
            strict=True,
        ):
            column.markdown(f"**{label}.** {comparison_text.explanation(settings, result)}")
            column.code(
                "\n".join(code) or "# nothing that the other side does not have", wrap_lines=True
            )


def evidence(comparison: Comparison) -> None:
    """The numbers and verdicts of both sides, the three shapes, what PyTorch said, and all of it as
    a script."""
    found = results(comparison)
    if found:
        _evidence(found)
    _script(comparison, [result for _, result in found] if found else None)


def _evidence(found: Sequence[tuple[Run, Outcome]]) -> None:
    left, right = st.columns([4, 3], gap="medium")
    left.subheader("What each side comes to")
    left.markdown(comparison_text.outcome_table([result for _, result in found], LABELS))
    left.caption(f"Converged: R² within {CONVERGED_WITHIN:g} of that of least squares.")
    right.subheader("The three shapes")
    right.markdown(comparison_text.shape_table([run for run, _ in found], LABELS))
    st.subheader("What PyTorch says")
    for label, (run, _) in zip(LABELS, found, strict=True):
        if run.warnings:
            st.markdown(f"**{label}**: a `UserWarning` on stderr, once for each pair of shapes")
            st.code("\n".join(run.warnings), language=None, wrap_lines=True)
        else:
            st.markdown(f"**{label}**: nothing")


def _script(comparison: Comparison, outcomes: Sequence[Outcome] | None) -> None:
    """Both sides as a file to take away, made when it is asked for, and a look at it."""
    st.subheader("Get the script")
    printed = "the losses and weights above" if outcomes else "the losses and weights of both"
    st.caption(
        "Both sides in one PyTorch file that needs nothing of linreg: what differs is marked, and"
        f" it prints {printed}."
    )
    name = file_name(comparison)
    with st.container(horizontal=True):
        for label, make, ending, kind in (
            ("Python script", script, "py", "text/x-python"),
            ("Jupyter notebook", notebook, "ipynb", "application/x-ipynb+json"),
        ):
            st.download_button(
                label,
                keep_download(partial(make, comparison, outcomes), f"{name}.{ending}", kind),
                f"{name}.{ending}",
                kind,
                key=f"get.{ending}",
                on_click="ignore",
            )
    look = st.expander("The code", type="compact", on_change="rerun", key="script")
    if look.open:
        look.code(script(comparison, outcomes), language="python")
