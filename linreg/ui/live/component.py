"""The elements of a live page: the controls of its replay, and its figures, drawn by the browser.

A page mounts `live_controls` once and `live_figures` for each set of figures, anywhere in its
layout. Those of one `group` belong together: the browser shows the same step in all of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import streamlit as st

from linreg.figures.figure import Figure, FigureSet
from linreg.figures.moving import MovingRun, frame_steps
from linreg.training.browser import Problems
from linreg.ui.live.files import FilesMissing, served_files
from linreg.ui.live.payload import pack

MAX_RECORDED = 20_000  # steps of a run that the browser trains; of a longer one every k-th


def live_controls(
    group: str,
    last: int,
    step: int | None,
    heard: Mapping[str, int],
    on_step: Callable[[str], None],
) -> None:
    """Mount the controls of a replay up to the step `last`, which show `step`; None is the last.

    `on_step` is called with the element's key once the visitor has gone to another step, which is
    in the widget's value `{"step": {"step": step, "told": count}}`. `heard` is for each key the
    last such count: the browser keeps its own step until Python has heard of it.
    """
    key = f"live.{group}.controls"
    data = {
        "group": group,
        "last": last,
        "step": step,
        "heard": heard.get(key, 0),
        "stride": frame_steps(last),
    }
    _mount_beside(key, data, on_step_change=lambda: on_step(key))


def live_figures(
    group: str,
    figures: FigureSet,
    runs: Sequence[MovingRun],
    sends_runs: bool = False,
) -> None:
    """Mount a set of figures, as they are at the end of the runs.

    One set of the group sends the `runs` along.
    """
    key = f"live.{group}.{figures.name}"
    data = {
        "group": group,
        "figures": [_sent(panel) for panel in figures.panels],
        "legend": [vars(entry) for entry in figures.legend],
        "color_bar": figures.color_bar and vars(figures.color_bar),
        "runs": [vars(run) for run in runs] if sends_runs else None,
        "runs_digest": _digest(runs),
    }
    try:
        _mount(key, pack(data))
    except FilesMissing as reason:
        st.info(f"The figures cannot be drawn here: {reason}.")


@dataclass(frozen=True)
class TrainingSettings:
    """What the visitor can change in the figures: starts, learning rate and momentum.

    `lr_range` are the ends of the slider, None where there is none; `momentum_from` is the least
    momentum of its own, None where the optimizer takes none. With `max_starts`, up to so many
    starts can be added and removed. All but the first `typed_starts` are rounded once one of them
    is changed. `trainer` is who trains the same runs in Python, and of a run at most `max_recorded`
    steps are recorded.
    """

    starts: Sequence[Sequence[float]]
    lr: float | None = None
    momentum: float | None = None
    lr_range: tuple[float, float] | None = None
    momentum_from: float | None = None
    max_starts: int | None = None
    typed_starts: int | None = None
    trainer: str = "PyTorch"
    max_recorded: int = MAX_RECORDED


def live_training(
    group: str,
    problems: Problems,
    labels: Sequence[dict[str, Any]],
    settings: TrainingSettings,
    runs: Sequence[MovingRun],
    on_release: Callable[[str], None],
    finals: np.ndarray | None = None,
) -> str:
    """Mount the sliders of the training in the browser, whose starts are dragged in the figures,
    and return the element's key.

    `labels` has for each problem its `label` and `optimizer`, the indices `starts` of its starts,
    and under `follows` whether `lr` and `momentum` are those of the sliders. `runs` are Python's
    runs of the same problems, one from each start. `on_release` is called with the element's key
    once the visitor has let go; `release_of(key)` is what was chosen. `finals` are the last weights
    of all runs, one after the other, where the records of `runs` are not in double precision.
    """
    key = f"live.{group}.training"
    data = {
        "group": group,
        "problems": [
            {**problem, **label} for problem, label in zip(problems.problems, labels, strict=True)
        ],
        "arrays": problems.arrays,
        "live": problems.live,
        "nbytes": problems.nbytes,
        "finals": finals,
        "settings": vars(settings),
        "runs_digest": _digest(runs),
    }
    _mount_beside(key, pack(data), on_release_change=lambda: on_release(key))
    return key


def lecture_keys() -> None:
    """Mount what listens to the keys of the lecture view, on every page of it."""
    _listener()(key="live.lecture")


@cache
def _listener() -> Any:
    code = files(__package__).joinpath("lecture.js").read_text(encoding="utf-8")
    return st.components.v2.component("linreg.lecture", js=code, isolate_styles=False)


def _digest(runs: Sequence[MovingRun]) -> str:
    return hashlib.sha256(pack([vars(run) for run in runs])).hexdigest()[:16]


def _sent(figure: Figure) -> dict[str, Any]:
    """A figure as the browser draws it; a path keeps its steps, by which it is cut."""
    tables: dict[str, dict[str, Any]] = {
        name: dict(columns) for name, columns in figure.drawn().items()
    }
    for name, columns in tables.items():
        if "0" in columns and "step" in figure.data[name]:
            columns["step"] = figure.data[name]["step"]
    return {
        "spec": figure.spec,
        "tables": tables,
        "moving": figure.moving,
        "retrained": figure.retrained,
        "hover": figure.hover,
        "label": figure.name or figure.alt,
        "alt": figure.alt,
    }


def _mount_beside(*args: Any, **callbacks: Callable[[], None]) -> None:
    """Mount an element beside figures, which say so where the browser's code is missing."""
    with suppress(FilesMissing):
        _mount(*args, **callbacks)


def _mount(
    key: str, data: Any, module: str = "live.js", /, **callbacks: Callable[[], None]
) -> None:
    _component(served_files(), module)(key=key, data=data, **callbacks)


@cache
def _component(address: str, module: str) -> Any:
    loader = files(__package__).joinpath("loader.js").read_text(encoding="utf-8")
    loader = re.sub(r"(?m)^ *(//|/\*\*).*\n", "", loader)  # it is sent with every element
    loader = loader.replace("__FILES__", address).replace("live.js", module)
    name = f"linreg.{module.removesuffix('.js')}"
    return st.components.v2.component(name, js=loader, isolate_styles=False)


def live_fade(
    group: str,
    part: str,
    data: Mapping[str, Any],
    heard: Mapping[str, int],
    on_move: Callable[[str], None],
) -> str:
    """Mount the sliders of `fade_sliders.js`, and return the element's key: `part` is `bar` or
    `weights`.

    `data` is what `fade_bar` or `fade_weights` return. `on_move` is called with the element's key
    once the visitor has let go; the widget's value is `{"move": {name: value, "told": count}}`,
    and `heard` that of `live_controls`.
    """
    key = f"live.{group}.{part}"
    sent = pack({"group": group, "part": part, "heard": heard.get(key, 0), **data})
    _mount_beside(key, sent, "fade_sliders.js", on_move_change=lambda: on_move(key))
    return key
