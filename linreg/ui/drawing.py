"""Figures on the page, their words and data, and the slider that replays them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count, zip_longest
from typing import Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # Streamlit's own
import streamlit as st
from streamlit.runtime import get_instance

from linreg.figures import renderer
from linreg.figures.export import FORMATS, SIZES, exported, file_name
from linreg.figures.figure import Figure, FigureSet
from linreg.figures.gallery import state_words
from linreg.figures.theme import LIGHT, THEMES, Theme
from linreg.settings.dependencies import FIGURES, missing, missing_message
from linreg.settings.model import Comparison
from linreg.text import markdown
from linreg.ui.frame import current, set_widget, view, was_removed, write_url

FRAMES, FRAME_SECONDS = 40, 0.2  # of a replay


def current_theme() -> Theme:
    """The colours of the visitor's page."""
    return THEMES.get(st.context.theme.type or "light", LIGHT)


def show(
    figure: Figure, key: str | None = None, on_select: Any = "ignore", mode: str | None = None
) -> None:
    """Draw a figure as it is, in the page's own colours."""
    st.vega_lite_chart(
        {
            **figure.spec,
            "datasets": {name: _arrow(columns) for name, columns in figure.drawn().items()},
        },
        theme=None,
        width="stretch",
        alt=figure.name or figure.alt,
        key=key,
        on_select=on_select,
        selection_mode=mode,
    )


def _arrow(columns: Mapping[str, pd.Series]) -> pa.Table:
    """The columns alone: to work out how pandas would like to have them back takes five times as
    long."""
    return pa.table({name: pa.array(column.array) for name, column in columns.items()})


@dataclass(frozen=True)
class Selection:
    """A panel that can be clicked: its key in the session, the name of its selection, and what a
    click does."""

    key: str
    mode: str
    act: Callable[[str], None]


def draw(
    plate_of: Callable[[Theme], FigureSet],
    key: str = "",
    clicks: Sequence[Selection] = (),
    note: str = "",
    caption: bool = True,
    of: Comparison | None = None,
) -> None:
    """Draw a plate, its panels beside each other, and under it its caption; with a key also its
    data, and the menu that takes it along. `of` is the comparison that it shows, where that is not
    the session's."""
    plate = plate_of(current_theme())
    one = len(plate.panels) == 1
    places: Sequence[AbstractContextManager[Any]] = (
        [nullcontext()] if one else st.columns(len(plate.panels), gap="medium")
    )
    for place, panel, click in zip_longest(places, plate.panels, clicks):
        with place:
            if click is None:
                show(panel)
            else:
                show(panel, click.key, lambda click=click: click.act(click.key), click.mode)
    if caption:
        st.caption(plate.caption + note)
    if key:
        st.fragment(_toolbar)(plate_of, key, of)


def _toolbar(plate_of: Callable[[Theme], FigureSet], key: str, of: Comparison | None) -> None:
    """The data of a plate, and the plate as a file: each is made when it is asked for."""
    keys = [f"table.{key}", f"save.{key}"]
    beside = not any(st.session_state.get(one) for one in keys)  # an open one has the whole width
    with st.container(
        horizontal=beside, gap="small"
    ):  # no popover: the keyboard would come to it after all of the page
        table = st.expander("Data as a table", type="compact", on_change="rerun", key=keys[0])
        menu = st.expander(
            "Save", icon=":material/download:", type="compact", on_change="rerun", key=keys[1]
        )
    if table.open:
        _data(table, plate_of(current_theme()))
    if menu.open:
        with menu:
            _save(plate_of, key, of)


def _data(place: Any, plate: FigureSet) -> None:
    labels = plate.labels or ("",)
    for tab, panel in zip(
        place.tabs(labels) if plate.labels else [place], plate.panels, strict=True
    ):
        tab.dataframe(panel.shown_table(), hide_index=True, height=240)


def _save(plate_of: Callable[[Theme], FigureSet], key: str, of: Comparison | None) -> None:
    """Size and colours, kept for the next figure, and a button for each kind of file."""
    if missing(FIGURES):
        st.info(f"{missing_message('Figures as files need', missing(FIGURES))}.")
        return
    renderer.prestart()  # while the visitor chooses
    state = st.session_state
    size = _kept_choice("size", key, {size.key: size.title for size in SIZES.values()}, "page")
    theme = THEMES[
        _kept_choice("colours", key, {name: name for name in THEMES}, current_theme().name)
    ]
    plate = plate_of(theme)
    words = state_words(
        of or current(), view(state["kind"]) if state["kind"] else None, state["step"]
    )
    for place, kinds in zip(
        (st.container(horizontal=True), st.container(horizontal=True)), _ROWS, strict=True
    ):
        for kind in kinds:
            name, mime = file_name(plate, kind, size, words), FORMATS[kind].mime
            place.download_button(
                FORMATS[kind].title,
                keep_download(partial(exported, plate, kind, size), name, mime),
                name,
                mime,
                key=f"{kind}.{key}",
                on_click="ignore",
                disabled=state["playing"],  # each of its frames is another figure
            )
    st.caption("Caption")
    st.code(plate.caption, language=None, wrap_lines=True)


def keep_download(make: Callable[[], bytes | str], name: str, mime: str) -> Callable[[], bytes]:
    """The maker of a download, whose file stays until a few others have been made.

    Streamlit itself forgets a file that is made on demand once two runs have ended, whoever's they
    are: with many visitors that is before a browser has fetched it."""

    def made() -> bytes:
        content = make()
        content = content.encode() if isinstance(content, str) else content
        files = get_instance().media_file_mgr
        files.add(
            content,
            mime,
            f"held.{next(_DOWNLOADS) % KEPT_DOWNLOADS}",
            name,
            is_for_static_download=True,
        )
        return content

    return made


KEPT_DOWNLOADS = 16  # files that can still be fetched
_DOWNLOADS = count()
MAKERS = "asyncio_"  # how the threads are called in which Streamlit has downloads made


def _of_a_page(_: logging.LogRecord) -> bool:
    """Whether a page has nobody to belong to, which is worth a warning; a file that is held for all
    is meant to be so."""
    return not threading.current_thread().name.startswith(MAKERS)


logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").addFilter(_of_a_page)


def _kept_choice(name: str, key: str, titles: Mapping[str, str], first: str) -> str:
    state = st.session_state
    set_widget(f"{name}.{key}", state.get(f"kept.{name}", first))

    def keep() -> None:
        state[f"kept.{name}"] = state[f"{name}.{key}"]

    label = name.capitalize()
    chosen = st.segmented_control(
        label,
        list(titles),
        format_func=titles.__getitem__,
        key=f"{name}.{key}",
        required=True,
        on_change=keep,
    )
    return chosen or first


_ROWS = (("svg", "pdf", "png"), ("html", "csv"))


def plain_table(rows: Mapping[str, Mapping[str, str]]) -> None:
    """Words and numbers as a table that can be scrolled sideways on a phone: row -> column -> text
    in Markdown.

    One text: Streamlit's own table works each of its cells out anew, as Markdown, whenever anything
    on the page changes."""
    if rows:
        labels = list(next(iter(rows.values())))
        st.markdown(
            markdown.table_in_markdown(
                {name: list(row.values()) for name, row in rows.items()}, labels
            )
        )


# ---- the step ------------------------------------------------------------------------------------


def step_to_show(last: int) -> int:
    """The step of the session; while playing, each call is one frame further."""
    state = st.session_state
    step = last if state["step"] is None else min(state["step"], last)
    if state["playing"]:
        step = min(step + max(last // FRAMES, 1), last)
        state["step"] = step if step < last else None
        if step == last:
            state["playing"] = False
            st.rerun()
    return int(step)


def step_controls(step: int, last: int) -> None:
    """The slider and the play button, where there is more than one step."""
    if not last:
        st.caption("There is nothing to replay: the runs diverge at step 0.")
        return
    playing = st.session_state["playing"]
    button, slider = st.columns([1, 7], vertical_alignment="bottom", gap="medium")
    if button.button(
        "Pause" if playing else "Play", key="play", on_click=_play, args=(last,), width="stretch"
    ):
        st.rerun()  # a fragment's clock starts and stops with the whole page
    if playing:  # a slider that moves by itself would report its own moves as the visitor's
        set_widget("playing.step", step)
        slider.slider(
            "Replay: step", 0, last, key="playing.step", format="localized", disabled=True
        )
    else:
        set_widget("control.step", step)
        slider.slider(
            "Replay: step", 0, last, key="control.step", format="localized", on_change=_slide
        )


def forget_step_controls() -> None:
    """Where a fragment stops drawing them: Streamlit keeps their state, and a slider that comes
    back would stand at 0."""
    for key in ("control.step", "playing.step"):
        st.session_state.pop(key, None)


def _play(last: int) -> None:
    state = st.session_state
    state["playing"] = not state["playing"]
    if state["playing"] and (state["step"] is None or state["step"] >= last):
        state["step"] = 0


def _slide() -> None:
    state = st.session_state
    if was_removed("control.step"):
        return
    if not state["playing"]:  # the slider that Play has replaced reports its last value once more
        state["step"] = state["control.step"]
        write_url()


# ---- compiled kernels ----------------------------------------------------------------------------


@contextmanager
def compiled(optimizers: Sequence[str], parameters: int = 2) -> Iterator[None]:
    """Around work that needs these optimizers' kernels: where one has yet to be compiled, the page
    says so."""
    from linreg.training.ensemble import is_compiled

    if all(is_compiled(optimizer, parameters) for optimizer in optimizers):
        yield
    else:
        with st.spinner("Compiling the optimizers, once on this server …", show_time=True):
            yield
