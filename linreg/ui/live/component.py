"""The elements of a live page: the controls of its replay, and its figures, drawn by the browser.

A page mounts `live_controls` once and `live_figures` for each set of figures, anywhere in its
layout. Those of one `group` belong together: the browser shows the same step in all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import streamlit as st

from linreg.figures.figure import Figure, FigureSet
from linreg.figures.moving import MAX_STEPS, MovingRun
from linreg.ui.live.files import FilesMissing, served_files
from linreg.ui.live.payload import pack


def live_controls(group: str, last: int, step: int | None, on_step: Callable[[str], None]) -> None:
    """Mount the controls of a replay up to the step `last`, which show `step`; None is the last.

    `on_step` is called with the element's key once the visitor has gone to another step;
    `step_of(key)` is that step.
    """
    key = f"live.{group}.controls"
    data = {"group": group, "last": last, "step": step, "stride": -(-max(last, 1) // MAX_STEPS)}
    _mount(key, data, on_step_change=lambda: on_step(key))


def live_figures(
    group: str,
    figures: FigureSet,
    runs: Sequence[MovingRun],
    sends_runs: bool = False,
    on_cell: Callable[[str], None] | None = None,
) -> None:
    """Mount a set of figures, as they are at the end of the runs.

    One set of the group sends the `runs` along. `on_cell` is called with the element's key when a
    cell of a panel was clicked: `{"panel": 0, "column": 3, "row": 5}`.
    """
    key = f"live.{group}.{figures.name}"
    sent_runs = [vars(run) for run in runs]
    data = {
        "group": group,
        "figures": [_sent(panel) for panel in figures.panels],
        "runs": sent_runs if sends_runs else None,
        "runs_digest": hashlib.sha256(pack(sent_runs)).hexdigest()[:16],
    }
    callbacks = {"on_cell_change": lambda: on_cell(key)} if on_cell else {}
    _mount(key, pack(data), **callbacks)


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
        "label": figure.name or figure.alt,
        "alt": figure.alt,
    }


def _mount(
    key: str, data: Any, module: str = "live.js", /, **callbacks: Callable[[], None]
) -> None:
    try:
        address = served_files()
    except FilesMissing as reason:
        st.info(f"The figures cannot be drawn here: {reason}.")
        return
    _component(address, module)(key=key, data=data, **callbacks)


@cache
def _component(address: str, module: str) -> Any:
    loader = files(__package__).joinpath("loader.js").read_text(encoding="utf-8")
    loader = loader.replace("__FILES__", address).replace("live.js", module)
    name = f"linreg.{module.removesuffix('.js')}"
    return st.components.v2.component(name, js=loader, isolate_styles=False)


def live_fade(
    group: str, part: str, data: Mapping[str, Any], on_move: Callable[[str], None]
) -> None:
    """Mount the sliders of `fade_sliders.js`: `part` is `bar` or `weights`.

    `data` is what `fade_bar` or `fade_weights` return. `on_move` is called with the element's key
    once the visitor has let go; the widget's value is `{"move": {name: value}}`.
    """
    key = f"live.{group}.{part}"
    sent = pack({"group": group, "part": part, **data})
    _mount(key, sent, "fade_sliders.js", on_move_change=lambda: on_move(key))
