"""The page frame: configuration, menu, the session's comparison and its way into the URL, and the
controls of the sidebar.

One `Comparison` in the session is the truth, and beside it one view for each page that has settings
of its own. Controls are set from them before they are drawn and change them in their `on_change`;
the URL is written from them. No other module touches the session or the URL but for the replay's
step."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from linreg.data.dataset import table_named, table_settings
from linreg.data.files import BUNDLED
from linreg.guard.shapes import parse_shape
from linreg.settings.changes import (
    all_specs,
    apply_overrides,
    check_limits,
    overrides,
    update_both,
    without_table,
)
from linreg.settings.fields import FieldSpec, SettingsError, from_text, shorten, specs_of, to_text
from linreg.settings.model import Comparison, Data, TableSettings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.pages import PAGES as VIEWS
from linreg.settings.pages import View, with_view_changes
from linreg.settings.presets import PRESETS
from linreg.settings.query import from_query, from_view_query, to_query, to_view_query
from linreg.settings.wirings import WIRINGS
from linreg.text.comparison import regression
from linreg.text.markdown import escape_markdown
from linreg.ui.startup import warm_up

PAGES = {  # the menu, in its order
    "streamlit_app.py": "Original vs fixed",
    "pages/cause.py": "Cause",
    "pages/claims.py": "Claims",
    "pages/surface.py": "Surface",
    "pages/sweep.py": "Sweep",
    "pages/your_data.py": "Your data",
    "pages/your_code.py": "Your code",
}
BEHIND_SECONDS = 2  # until a browser surely shows the links of a menu that has been drawn anew
KINDS = {
    f"pages/{page}.py": kind for page, kind in VIEWS.items()
}  # the view of each page that has one


def page(
    title: str, kind: type[Any] | None = None, controls: bool | Callable[[Comparison], bool] = True
) -> Comparison:
    """Start a page: its configuration, the menu, the controls and the URL. Returns the comparison
    to show.

    `kind` is the page's own view, if it has one; `view` gives it. A page on which nothing depends
    on the comparison draws no controls; `controls` may also be asked of the comparison."""
    icon = Path(__file__).parent.with_name("icon.svg")
    st.set_page_config(page_title=f"{title} · linreg", page_icon=str(icon), layout="wide")
    st.html(Path(__file__).with_name("legible.css"))
    if not st.context.is_embedded:
        st.html(Path(__file__).with_name("columns.css"))
    warm_up()
    _read_url(title, kind)
    data = current().original.data
    st.session_state["in_use"] = (
        table_named(data.table) if isinstance(data, TableSettings) else None
    )  # held while it is
    if st.context.is_embedded:
        st.session_state["expected"] = st.empty()
    else:
        with st.sidebar:
            _sidebar(controls(current()) if callable(controls) else controls)
    write_url()
    for sentence in st.session_state["ignored"]:  # until the next change
        st.warning(escape_markdown(sentence), icon="⚠️")
    st.session_state["outside"] = _outside()
    return current()


def _sidebar(controls: bool) -> None:
    links = {label: _query_of(path) for path, label in PAGES.items()}
    for path, label in PAGES.items():
        st.page_link(path, label=label, query_params=links[label])
    state = st.session_state
    if links != state.get("links"):
        state["links_before"], state["links"], state["links_at"] = (
            state.get("links", {}),
            links,
            time.monotonic(),
        )
    st.fragment(_link)()
    if controls:
        _controls()
    else:
        st.session_state["expected"] = st.empty()


def _link() -> None:
    """The address of what is on the screen, with every setting spelled out, made when it is asked
    for."""
    menu = st.expander(
        "Copy link", icon=":material/link:", type="compact", on_change="rerun", key="link"
    )
    if menu.open:
        with menu:
            address = full_address()
            st.caption(
                "This page with every setting spelled out: it means the same whatever the defaults"
                " become."
            )
            st.code(address, language=None, wrap_lines=True)
            data = current().original.data
            if isinstance(data, TableSettings) and data.table not in BUNDLED:
                st.caption("Your upload is not in the link: whoever opens it needs the file.")
                return
            st.caption("Its figures alone, for a page of your own:")
            st.code(
                f'<iframe src="{address}&embed=true" width="100%" height="900"></iframe>',
                language="html",
                wrap_lines=True,
            )


def full_address() -> str:
    """The page's address with the version, every setting, and the step where there is one."""
    state = st.session_state
    query = to_query(current(), full=True)
    if state["kind"]:
        query |= to_view_query(view(state["kind"]), full=True)
    if state["step"] is not None:
        query["step"] = str(state["step"])
    address = st.context.url or ""
    root = "/" if address.count("/") == 2 else ""  # a bare host
    return f"{address}{root}?{urlencode(query, safe=',')}"


def _outside() -> tuple[Any, ...]:
    """What is drawn outside of the fragments, and whether their clock runs, which starts and stops
    with the whole page."""
    state = st.session_state
    return state["comparison"], tuple(state["ignored"]), state["playing"]


def begin_fragment() -> None:
    """First in a fragment that holds controls: one that has changed what is outside of it reruns
    the page, else the URL is written here, since `page` is not called."""
    state = st.session_state
    if state["outside"] != _outside():
        st.rerun()
    if state.pop("changed", False):
        write_url()


def current() -> Comparison:
    """The session's comparison."""
    found: Comparison = st.session_state["comparison"]
    return found


def view(kind: type[View]) -> View:
    """The session's view of a page."""
    found: View = st.session_state["views"].setdefault(kind, kind())
    return found


def _read_url(title: str, kind: type[Any] | None) -> None:
    """Take comparison and view from the URL on a first visit, and when the visitor has gone Back or
    has typed another one.

    A page switch empties the query, a change of a control is ahead of it, and a link in the menu is
    behind a change that was made as it was clicked: in all of these the session's comparison
    counts."""
    state = st.session_state
    query = st.query_params.to_dict()
    switched = state.get("page", title) != title and (not query or _is_behind(title, query))
    if "comparison" not in state or (
        query != state.get("written") and not switched and not state.pop("changed", False)
    ):
        state.setdefault("views", {})
        own = specs_of(kind) if kind else {}
        state["comparison"], ignored = from_query(
            {name: value for name, value in query.items() if name != "step" and name not in own},
            table_settings,
        )
        if kind:
            state["views"][kind], refused = from_view_query(kind, query)
            ignored += refused
        step = query.get("step", "")
        state["step"] = int(step) if re.fullmatch(r"[0-9]{1,9}", step) else None
        if step and state["step"] is None:
            ignored.append(f"step={shorten(step)} was ignored: it is not a whole number.")
        state["ignored"] = ignored
        state["playing"] = False
    if state.get("page", title) != title:
        state["step"] = state["step"] if query else None  # a step belongs to its page
        state["playing"] = False
        for key in [
            key for key in state if str(key).startswith("control.") or str(key).endswith(".clicked")
        ]:
            del state[
                key
            ]  # of the other page's controls: those of this page are others, and would not take it over
    state.pop("changed", None)
    state["page"], state["kind"] = title, kind


def _is_behind(title: str, query: dict[str, str]) -> bool:
    """Whether this is the address of a link to the page as it stood until just now: a value that is
    typed is taken when the field is left, which may be by a click on that link."""
    state = st.session_state
    before: dict[str, dict[str, str]] = state.get("links_before", {})
    return query == before.get(title) and time.monotonic() - state["links_at"] < BEHIND_SECONDS


def _query_of(path: str) -> dict[str, str]:
    """The address of another page with the settings of this one: Back then leads from page to page,
    and nothing else."""
    kind = KINDS.get(path)
    return to_query(current()) | (to_view_query(view(kind)) if kind else {})


def write_url() -> None:
    """Write what differs from the defaults into the address."""
    state = st.session_state
    query = to_query(current())
    if state["kind"]:
        query |= to_view_query(view(state["kind"]))
    if state["step"] is not None:
        query["step"] = str(state["step"])
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)
    state["written"] = query


def change(make: Callable[[], Comparison]) -> bool:
    """Take over a changed comparison; where it is impossible, keep the old one and say why. Whether
    it was taken."""
    try:
        new = make()
        for side in (new.original, new.fixed):
            check_limits(side)
    except SettingsError as error:
        refuse(str(error))
        return False
    st.session_state["comparison"] = new
    _changed_now()
    return True


def change_view(**changes: Any) -> None:
    """Take over a change of the page's own view; where it is impossible, keep the old one and say
    why."""
    kind = st.session_state["kind"]
    try:
        st.session_state["views"][kind] = with_view_changes(view(kind), changes)
    except SettingsError as error:
        refuse(str(error))
    else:
        _changed_now()


def _changed_now() -> None:
    state = st.session_state
    state["ignored"], state["changed"] = [], True
    state["step"], state["playing"] = None, False


def refuse(reason: str) -> None:
    """Say why a change was not taken."""
    st.session_state["ignored"] = [f"{reason[0].upper()}{reason[1:]}. The setting stays as it was."]
    st.session_state["changed"] = True


# ---- controls ------------------------------------------------------------------------------------


def _controls() -> None:
    comparison = current()
    keys = {preset.comparison: key for key, preset in PRESETS.items()}
    set_widget("control.preset", keys.get(comparison))
    chosen = st.selectbox(
        "Preset",
        list(PRESETS),
        format_func=lambda key: PRESETS[key].title,
        key="control.preset",
        index=None,
        placeholder="your own settings",
        on_change=_take_preset,
    )
    comment = (
        st.empty()
    )  # with and without it the controls below have the same places, and are not drawn anew
    if chosen:
        comment.caption(PRESETS[chosen].comment)
    st.subheader("Model")
    choice("wiring", "Original code", titles=True)
    choice("fixed.wiring", "Fixed code", titles=True)
    text(
        "init",
        "Initial weights",
        "`default` is PyTorch's own init, drawn from the seed; or two numbers, such as 2, 3",
    )
    toggle("bias", "Bias")
    st.subheader("Optimizer")
    choice("optimizer", "Optimizer", help=OPTIMIZERS[comparison.original.optimizer].explanation)
    left, right = st.columns(2)
    with left:
        number("lr", "Learning rate")
    with right:
        number(
            "momentum",
            "Momentum",
            disabled=not OPTIMIZERS[comparison.original.optimizer].takes_momentum,
        )
    st.subheader("Run")
    left, right = st.columns(2)
    with left:
        number("batch_size", "Batch size")
        toggle("shuffle", "Shuffle")
    with right:
        number("epochs", "Epochs")
        number("seed", "Seed")
    st.session_state["expected"] = (
        st.empty()
    )  # filled by the replay, which knows when a pace becomes known
    with st.expander("Data"):
        _data_controls(comparison.original.data)
    state = st.session_state
    state["control.fixed"] = len(overrides(comparison)) > 1 or state.get("control.fixed", False)
    with st.expander(
        "The fixed side also differs in …", expanded=state["control.fixed"]
    ):  # open until the page is left
        st.caption("Left empty, a setting is the original's, shown after =.")
        text("fixed.init", "Initial weights")
        choice("fixed.optimizer", "Optimizer")
        left, right = st.columns(2)
        with left:
            number("fixed.lr", "Learning rate")
            number("fixed.batch_size", "Batch size")
            choice("fixed.bias", "Bias")
            number("fixed.seed", "Seed")
        with right:
            number("fixed.momentum", "Momentum")
            number("fixed.epochs", "Epochs")
            choice("fixed.shuffle", "Shuffle")


def _data_controls(data: Data) -> None:
    if isinstance(data, TableSettings):
        st.markdown(f"{regression(data)}, {data.samples:,} rows of a table.")
        st.button(
            "Back to the thread's data", key="no_table", on_click=_leave_table, width="stretch"
        )
        return
    text("weights", "True weights")
    left, right = st.columns(2)
    with left:
        number("samples", "Rows")
        number("mean", "Feature mean")
        number("noise", "Noise")
    with right:
        number("scale", "Feature scale")
        number("correlation", "Correlation")
        number("data_seed", "Data seed")


def _leave_table() -> None:
    change(lambda: without_table(current()))


def _take_preset() -> None:
    key = None if was_removed("control.preset") else st.session_state["control.preset"]
    if key:
        change(lambda: PRESETS[key].comparison)


_AS_ORIGINAL: Any = object()  # the value of a fixed side's control that is left empty


def _value(name: str) -> Any:
    """What a control stands at; on the fixed side `_AS_ORIGINAL` where the original's setting
    holds."""
    if name.startswith("view."):
        return getattr(view(st.session_state["kind"]), name.removeprefix("view."))
    comparison = current()
    if name.startswith("fixed."):
        return overrides(comparison).get(name.removeprefix("fixed."), _AS_ORIGINAL)
    if hasattr(comparison.original, name):
        return getattr(comparison.original, name)
    return getattr(comparison.original.data, name.removeprefix("data_"))


def _set(name: str, value: Any) -> None:
    """A control's change: the new value on the side or the sides that it stands for, or in the
    page's view."""
    if name.startswith("view."):
        change_view(**{name.removeprefix("view."): value})
        return
    change(lambda: _changed(current(), name, value))


def _changed(comparison: Comparison, name: str, value: Any) -> Comparison:
    bare = name.removeprefix("fixed.")
    if bare == name:
        return update_both(comparison, {name: value})
    own = {**overrides(comparison), bare: value}
    if bare == "optimizer":
        own.pop("momentum", None)  # it belonged to the optimizer before
    own = {key: kept for key, kept in own.items() if kept is not _AS_ORIGINAL}
    return replace(comparison, fixed=apply_overrides(comparison.original, own))


def set_widget(key: str, value: Any) -> None:
    """Set a control before it is drawn, unless it stands there already: to set it again would undo
    what the visitor does to it in the meantime."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def was_removed(key: str) -> bool:
    """Whether a control has nothing to report: a page that has just been left may call for each of
    its own once more."""
    return key not in st.session_state


@dataclass(frozen=True)
class _Control:
    """What every control has: its setting, its value, and how the original's value stands in an
    empty one."""

    name: str
    kind: FieldSpec
    value: Any
    inherited: Any
    again: str = ""  # of a second control for the same setting

    @property
    def key(self) -> str:
        return f"control.{self.name}{self.again}"

    @property
    def own(self) -> bool:
        """Whether it may be left empty: the settings of the fixed side, but for its wiring."""
        return self.name.startswith("fixed.") and self.name != "fixed.wiring"

    @property
    def placeholder(self) -> str | None:
        return f"= {self.shown(self.inherited)}" if self.own else None

    def shown(self, value: Any) -> str:
        if self.kind.type is bool:
            return "yes" if value else "no"
        return to_text(value).replace(",", ", ")

    def draw_from(self, value: Any) -> None:
        set_widget(self.key, value)

    def take(self, convert: Callable[[Any], Any] = lambda value: value) -> None:
        if was_removed(self.key):
            return
        value = st.session_state[self.key]
        _set(self.name, _AS_ORIGINAL if value in (None, "") and self.own else convert(value))


def _control(name: str, again: str = "") -> _Control:
    if name.startswith("view."):
        kind = specs_of(st.session_state["kind"])[name.removeprefix("view.")]
        return _Control(name, kind, _value(name), _value(name))
    bare = name.removeprefix("fixed.")
    return _Control(name, all_specs()[bare], _value(name), _value(bare), again)


def choice(
    name: str,
    label: str,
    titles: bool | Callable[[str], str] = False,
    help: str | None = None,
    buttons: bool = False,
) -> None:
    """A control for one of a few, as a list or as buttons; `titles` are the wirings', or what a
    function says."""
    control = _control(name)
    control.draw_from(None if control.value is _AS_ORIGINAL else control.value)
    shown = (
        titles
        if callable(titles)
        else (lambda key: WIRINGS[key].title)
        if titles
        else control.shown
    )
    if buttons:
        st.segmented_control(
            label,
            control.kind.choices,
            key=control.key,
            format_func=shown,
            help=help,
            required=True,
            wrap=True,
            on_change=control.take,
        )
        return
    st.selectbox(
        label,
        [False, True] if control.kind.type is bool else control.kind.choices,
        key=control.key,
        index=None if control.own else 0,
        placeholder=control.placeholder,
        format_func=shown,
        help=WIRINGS[control.value].explanation if titles is True else help,
        on_change=control.take,
    )


def several(name: str, label: str) -> None:
    """A control for some of a few."""
    control = _control(name)
    control.draw_from(list(control.value))
    st.multiselect(
        label, control.kind.choices, key=control.key, on_change=control.take, args=(tuple,)
    )


def slider(
    name: str, label: str, low: float, high: float, step: float, default: float = 0.0
) -> None:
    """A control to be dragged, beside the sidebar's own if that has one; `default` is where None
    stands."""
    control = _control(name, ".slider")
    control.draw_from(
        min(max(default if control.value is None else float(control.value), low), high)
    )
    st.slider(label, low, high, step=step, key=control.key, on_change=control.take)


def toggle(name: str, label: str) -> None:
    """A control for yes and no."""
    control = _control(name)
    control.draw_from(control.value)
    st.toggle(label, key=control.key, on_change=control.take)


def number(
    name: str, label: str, disabled: bool = False, again: str = "", most: int | None = None
) -> None:
    """A control for one number; `again` names a second one for the same setting, `most` is a limit
    below the offered."""
    control = _control(name, again)
    as_type, whole = control.kind.type, control.kind.type is int
    highest = as_type(control.kind.ui_range.high if most is None else most)
    control.draw_from(
        None if control.value is _AS_ORIGINAL else min(as_type(control.value), highest)
    )
    st.number_input(
        label,
        min_value=as_type(control.kind.ui_range.low),
        max_value=highest,
        value=None if control.own else "min",
        step=1 if whole else _arrow_step(control.inherited),
        format="%d" if whole else "%g",
        key=control.key,
        placeholder=control.placeholder,
        disabled=disabled,
        on_change=control.take,
    )


def _arrow_step(value: float) -> float:
    """What one press of an arrow adds: one in the first digit; less at a power of ten, so that it
    also leads down."""
    if not value:
        return 0.1
    power = 10.0 ** math.floor(math.log10(abs(value)))
    return power / 10 if math.isclose(abs(value), power) else power


def text(name: str, label: str, help: str | None = None) -> None:
    """A control for a few numbers, written as in the URL."""
    control = _control(name)
    control.draw_from("" if control.value is _AS_ORIGINAL else control.shown(control.value))

    def numbers(text: str) -> Any:
        return from_text(text.strip(), control.kind)

    def take() -> None:
        try:
            control.take(numbers)
        except ValueError as error:
            refuse(f"{label} {shorten(st.session_state[control.key])} {error}")

    st.text_input(
        label, key=control.key, help=help, placeholder=control.placeholder, on_change=take
    )


def shape(name: str, label: str) -> None:
    """A control for the shape of a tensor, written as PyTorch prints it."""
    control = _control(name)
    control.draw_from(str(control.value))

    def take() -> None:
        try:
            control.take(parse_shape)
        except ValueError as error:
            refuse(str(error))

    st.text_input(
        label,
        key=control.key,
        help="such as (100, 1), [64] or torch.Size([100, 1])",
        on_change=take,
    )
