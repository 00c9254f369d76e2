"""Figures on the page: their panels and captions, their data as tables, and the menu that saves
them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from typing import Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # Streamlit's own
import streamlit as st

from linreg.figures.animation import animated_gif, animation_name, is_animated
from linreg.figures.export import FORMATS, SIZES, exported, file_name, title, with_source
from linreg.figures.figure import Figure, FigureSet
from linreg.figures.moving import MovingRun
from linreg.figures.renderer import RenderError, prestart
from linreg.figures.theme import LIGHT, THEMES, Theme
from linreg.settings.dependencies import FIGURES, missing, missing_message
from linreg.settings.model import Comparison
from linreg.text.citation import bibtex
from linreg.text.file_names import state_words
from linreg.ui.downloads import keep_download
from linreg.ui.live import live_figures
from linreg.ui.state import page_state
from linreg.ui.url import full_address

Replay = Callable[..., bytes]  # (theme, progress) -> the file
LECTURE_SCALE = 1.3  # of the text in figures, in a lecture view
FORMAT_ROWS = (("svg", "pdf", "png"), ("html", "csv"))  # the buttons of the save menu


def current_theme() -> Theme:
    """The colours of the visitor's page."""
    return THEMES.get(st.context.theme.type or "light", LIGHT)


@dataclass(frozen=True)
class Selection:
    """A panel that can be clicked: the key of its chart, the name of its selection or of several,
    and what a click does."""

    key: str
    mode: str | Sequence[str]
    act: Callable[[str], None]


def draw(
    figures_of: Callable[[Theme], FigureSet],
    key: str = "",
    clicks: Sequence[Selection] = (),
    note: str = "",
    caption: bool = True,
    of: Comparison | None = None,
) -> None:
    """Draw the panels of a figure set beside each other, and their caption below.

    With a key there are also the data and the save menu. `of` is the comparison that is shown,
    where that is not the session's."""
    figures = _legible(figures_of(current_theme()))
    is_single = len(figures.panels) == 1
    places: Sequence[AbstractContextManager[Any]] = (
        [nullcontext()] if is_single else st.columns(len(figures.panels), gap="medium")
    )
    for place, panel, click in zip_longest(places, figures.panels, clicks):
        with place:
            if click is None:
                _show(panel)
            else:
                _show(panel, click.key, lambda click=click: click.act(click.key), click.mode)
    if caption:
        st.caption(figures.caption + note)
    if key:
        st.fragment(_toolbar)(figures_of, key, of)


def draw_live(
    group: str,
    figures_of: Callable[[Theme, int | None], FigureSet],
    runs: Sequence[MovingRun],
    key: str = "",
    sends_runs: bool = False,
    of: Comparison | None = None,
    caption: bool = True,
) -> None:
    """Draw a figure set whose panels the browser moves, and what `draw` draws below it.

    The set is that of a theme and a step; data and files are those of the step on the screen.
    `group`, `runs` and `sends_runs` are those of `live_figures`."""
    at_end = _legible(figures_of(current_theme(), None))
    live_figures(group, at_end, runs, sends_runs)
    if caption and not at_end.legend:  # which says what the marks mean
        st.caption(at_end.caption)
    if key:
        live_menus(figures_of, runs, key, of)


def live_menus(
    figures_of: Callable[[Theme, int | None], FigureSet],
    runs: Sequence[MovingRun],
    key: str,
    of: Comparison | None = None,
) -> None:
    """The data and the files of a figure set of `draw_live`, at the step on the screen."""
    step = page_state().step
    last = max((int(run.steps[-1]) for run in runs), default=0)
    replay = partial(animated_gif, figures_of, last=last) if last else None
    st.fragment(_toolbar)(lambda theme: figures_of(theme, step), key, of, replay)


def _legible(figures: FigureSet) -> FigureSet:
    """The figure set with large type where the page is a lecture view."""
    if not page_state().is_presenting:
        return figures
    panels = [replace(panel, spec=_with_larger_text(panel.spec)) for panel in figures.panels]
    return replace(figures, panels=tuple(panels))


def _with_larger_text(part: Any) -> Any:
    """A part of a spec with every font size `LECTURE_SCALE` times as large."""
    if isinstance(part, Mapping):
        return {
            name: value * LECTURE_SCALE
            if name.lower().endswith("fontsize") and isinstance(value, int | float)
            else _with_larger_text(value)
            for name, value in part.items()
        }
    return [_with_larger_text(item) for item in part] if isinstance(part, list) else part


def _show(
    figure: Figure,
    key: str | None = None,
    on_select: Any = "ignore",
    mode: str | Sequence[str] | None = None,
) -> None:
    """Draw one panel in the page's own colours."""
    datasets = {name: _arrow(columns) for name, columns in figure.drawn().items()}
    st.vega_lite_chart(
        {**figure.spec, "datasets": datasets},
        theme=None,
        width="stretch",
        alt=figure.name or figure.alt,
        key=key,
        on_select=on_select,
        selection_mode=mode if mode is None or isinstance(mode, str) else list(mode),
    )


def _arrow(columns: Mapping[str, pd.Series]) -> pa.Table:
    """The columns alone. With the pandas metadata that `pa.Table.from_pandas` adds it takes five
    times as long."""
    return pa.table({name: pa.array(column.array) for name, column in columns.items()})


# ---- data and files ------------------------------------------------------------------------------


def _toolbar(
    figures_of: Callable[[Theme], FigureSet],
    key: str,
    of: Comparison | None,
    replay: Replay | None = None,
) -> None:
    """The data of a figure set, and the set as a file: each is made when it is asked for.

    `replay` makes the animated GIF of a figure set that is replayed.
    """
    table_key, save_key = f"table.{key}", f"save.{key}"
    state = page_state()
    is_open = bool(state.widget(table_key) or state.widget(save_key))
    # Expanders: the keyboard would reach the inside of a popover only after all of the page. An
    # open one has the whole width.
    with st.container(horizontal=not is_open, gap="small"):
        table = st.expander("Data as a table", type="compact", on_change="rerun", key=table_key)
        menu = st.expander(
            "Save", icon=":material/download:", type="compact", on_change="rerun", key=save_key
        )
    if table.open:
        _data(table, figures_of(current_theme()))
    if menu.open:
        with menu:
            _save_menu(figures_of, key, of, replay)


def _data(place: Any, figures: FigureSet) -> None:
    tabs = place.tabs(figures.labels) if figures.labels else [place]
    for tab, panel in zip(tabs, figures.panels, strict=True):
        tab.dataframe(panel.shown_table(), hide_index=True, height=240)


def _save_menu(
    figures_of: Callable[[Theme], FigureSet],
    key: str,
    of: Comparison | None,
    replay: Replay | None,
) -> None:
    """Size and colours, kept for the next figure, and a button for each kind of file."""
    if missing(FIGURES):
        st.info(f"{missing_message('Figures as files need', missing(FIGURES))}.")
        return
    prestart()  # while the visitor chooses
    size = _kept_choice("size", key, {size.key: size.title for size in SIZES.values()}, "page")
    colours = _kept_choice("colours", key, {name: name for name in THEMES}, current_theme().name)
    state, address = page_state(), full_address()
    figures = with_source(figures_of(THEMES[colours]), address)
    words = state_words(of or state.comparison, state.current_view(), state.step)
    for formats in FORMAT_ROWS:
        row = st.container(horizontal=True)
        for file_format in formats:
            name, mime = file_name(figures, file_format, size, words), FORMATS[file_format].mime
            row.download_button(
                FORMATS[file_format].title,
                keep_download(partial(exported, figures, file_format, size), name, mime),
                name,
                mime,
                key=f"{file_format}.{key}",
                on_click="ignore",
            )
    if replay and is_animated(figures):
        _save_replay(replay, figures, key, words)
    st.caption("Caption")
    st.code(figures.caption, language=None, wrap_lines=True)
    st.caption("BibTeX")
    st.code(bibtex(address, title(figures)), language=None, wrap_lines=True)


def _save_replay(replay: Replay, figures: FigureSet, key: str, words: str) -> None:
    """A button that makes the replay as an animated GIF, behind a bar, and then one that saves it.

    Leaving the page or pressing anything on it ends the work.
    """
    place = st.empty()
    if not place.button("Replay as animated GIF", key=f"gif.{key}"):
        return
    bar = place.progress(0.0, "Drawing the replay")

    def progress(done: int, total: int) -> None:
        bar.progress(done / total, f"Drawing the replay: {done} of {total} frames")

    try:
        content = replay(theme=figures.theme, progress=progress)
    except RenderError as error:
        place.warning(f"The replay could not be drawn: {error}.")
        return
    name = animation_name(figures, words)
    place.download_button(
        f"Save {len(content) / 1e6:.1f} MB",
        keep_download(lambda: content, name, "image/gif"),
        name,
        "image/gif",
        key=f"gif.file.{key}",
        on_click="ignore",
    )


def _kept_choice(name: str, key: str, titles: Mapping[str, str], default: str) -> str:
    """A choice that is remembered for all figures of the session."""
    state = page_state()
    widget_key = f"{name}.{key}"
    state.set_widget(widget_key, state.choices.get(name, default))

    def keep() -> None:
        state.choices[name] = state.widget(widget_key)

    chosen = st.segmented_control(
        name.capitalize(),
        list(titles),
        format_func=titles.__getitem__,
        key=widget_key,
        required=True,
        on_change=keep,
    )
    return chosen or default
