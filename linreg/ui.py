"""All that is Streamlit: the page frame with its menu and controls, cached calls, training with progress, figures, replay.

One `Comparison` in the session is the truth. Controls are set from it before they are drawn and change it in their
`on_change`; the URL is written from it. No other module touches the session or the URL.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from linreg import charts, wording
from linreg.data import Dataset, make_data
from linreg.figure import Figure
from linreg.optimizers import OPTIMIZERS
from linreg.outcome import Outcome, outcome
from linreg.presets import PRESETS
from linreg.script import differing_lines
from linreg.settings import (
    Comparison,
    DataSettings,
    Kind,
    Settings,
    SettingsError,
    clipped,
    fixed_changes,
    fixed_side,
    from_query,
    kinds,
    offered,
    read,
    to_query,
    with_both,
    written,
)
from linreg.surface import Quadratic, least_squares, loss_surface
from linreg.wiring import WIRINGS

if TYPE_CHECKING:
    from linreg.trainer import Run

LABELS = ("Original", "Fixed")
PAGES = {"streamlit_app.py": "Original vs fixed"}  # the menu, in its order
AUTOMATIC_STEPS = 20_000  # more are trained on a button
KEPT_BYTES = 100_000_000  # of runs, in one server
FRAMES, FRAME_SECONDS = 40, 0.2  # of a replay


# ---- the page frame --------------------------------------------------------------------------------------------------


def page(title: str) -> Comparison:
    """Start a page: its configuration, the menu, the controls and the URL. Returns the comparison to show."""
    icon = Path(__file__).with_name("icon.svg")
    st.set_page_config(page_title=f"{title} · linreg", page_icon=str(icon), layout="wide")
    _read_url(title)
    with st.sidebar:
        if len(PAGES) > 1:
            for path, label in PAGES.items():
                st.page_link(path, label=label)
        _controls()
    _write_url()
    for sentence in st.session_state["ignored"]:  # until the next change
        st.warning(as_text(sentence), icon="⚠️")
    return _comparison()


def _comparison() -> Comparison:
    found: Comparison = st.session_state["comparison"]
    return found


def _read_url(title: str) -> None:
    """Take the comparison from the URL on a first visit, and when the visitor has gone Back or has typed another one.

    A page switch empties the query, and a change of a control is ahead of it: in both the session's comparison counts.
    """
    state = st.session_state
    query = st.query_params.to_dict()
    switched = state.get("page", title) != title and not query
    if "comparison" not in state or (query != state["written"] and not switched and not state.pop("changed", False)):
        state["comparison"], ignored = from_query({name: value for name, value in query.items() if name != "step"})
        step = query.get("step", "")
        state["step"] = int(step) if re.fullmatch(r"[0-9]{1,9}", step) else None
        if step and state["step"] is None:
            ignored.append(f"step={clipped(step)} was ignored: it is not a whole number.")
        state["ignored"] = ignored
        state["playing"] = False
    state.pop("changed", None)
    state["page"] = title


def _write_url() -> None:
    query = to_query(_comparison())
    if st.session_state["step"] is not None:
        query["step"] = str(st.session_state["step"])
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)
    st.session_state["written"] = query


def _change(make: Callable[[], Comparison]) -> None:
    """Take over a changed comparison; where it is impossible, keep the old one and say why."""
    try:
        changed = make()
        for side in (changed.original, changed.fixed):
            offered(side)
    except SettingsError as error:
        _refuse(str(error))
    else:
        state = st.session_state
        state["comparison"], state["ignored"], state["changed"] = changed, [], True
        state["step"], state["playing"] = None, False


def _refuse(reason: str) -> None:
    st.session_state["ignored"] = [f"{reason[0].upper()}{reason[1:]}. The setting stays as it was."]
    st.session_state["changed"] = True


def as_text(foreign: str) -> str:
    """Text from outside, safe in Markdown: every character shows as itself."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&=])", r"\\\1", foreign)


# ---- controls --------------------------------------------------------------------------------------------------------


def _controls() -> None:
    comparison = _comparison()
    keys = {preset.comparison: key for key, preset in PRESETS.items()}
    _stand_at("control.preset", keys.get(comparison))
    chosen = st.selectbox(
        "Preset",
        list(PRESETS),
        format_func=lambda key: PRESETS[key].title,
        key="control.preset",
        index=None,
        placeholder="your own settings",
        on_change=_take_preset,
    )
    if chosen:
        st.caption(PRESETS[chosen].comment)
    st.subheader("Model")
    _choice("wiring", "Original code", titles=True)
    _choice("fixed.wiring", "Fixed code", titles=True)
    _text("init", "Initial weights", "`default` is PyTorch's own init, drawn from the seed; or two numbers, such as 2, 3")
    _toggle("bias", "Bias")
    st.subheader("Optimizer")
    _choice("optimizer", "Optimizer", help=OPTIMIZERS[comparison.original.optimizer].explanation)
    left, right = st.columns(2)
    with left:
        _number("lr", "Learning rate")
    with right:
        _number("momentum", "Momentum", disabled=not OPTIMIZERS[comparison.original.optimizer].takes_momentum)
    st.subheader("Run")
    left, right = st.columns(2)
    with left:
        _number("batch_size", "Batch size")
        _toggle("shuffle", "Shuffle")
    with right:
        _number("epochs", "Epochs")
        _number("seed", "Seed")
    st.session_state["expected"] = st.empty()  # filled by the replay, which knows when a pace becomes known
    with st.expander("Data"):
        _text("weights", "True weights")
        left, right = st.columns(2)
        with left:
            _number("samples", "Rows")
            _number("mean", "Feature mean")
            _number("noise", "Noise")
        with right:
            _number("scale", "Feature scale")
            _number("correlation", "Correlation")
            _number("data_seed", "Data seed")
    own = len(fixed_changes(comparison)) - 1
    with st.expander("The fixed side also differs in …", expanded=own > 0):
        st.caption("Left empty, a setting is the original's.")
        _text("fixed.init", "Initial weights")
        _choice("fixed.optimizer", "Optimizer")
        left, right = st.columns(2)
        with left:
            _number("fixed.lr", "Learning rate")
            _number("fixed.batch_size", "Batch size")
            _choice("fixed.bias", "Bias")
            _number("fixed.seed", "Seed")
        with right:
            _number("fixed.momentum", "Momentum")
            _number("fixed.epochs", "Epochs")
            _choice("fixed.shuffle", "Shuffle")


def _take_preset() -> None:
    key = st.session_state["control.preset"]
    if key:
        _change(lambda: PRESETS[key].comparison)


def _expect() -> None:
    """How many steps the comparison has, and once a pace is known how long they take."""
    comparison = _comparison()
    paces = [_known_pace(side) for side in (comparison.original, comparison.fixed)]
    st.session_state["expected"].caption(wording.steps_and_time(comparison, paces))


_AS_ORIGINAL: Any = object()  # the value of a fixed side's control that is left empty


def _value(name: str) -> Any:
    """What a control stands at; on the fixed side `_AS_ORIGINAL` where the original's setting holds."""
    comparison = _comparison()
    if name.startswith("fixed."):
        return fixed_changes(comparison).get(name.removeprefix("fixed."), _AS_ORIGINAL)
    if hasattr(comparison.original, name):
        return getattr(comparison.original, name)
    return getattr(comparison.original.data, name.removeprefix("data_"))


def _set(name: str, value: Any) -> None:
    """A control's change: the new value on the side or the sides that it stands for."""
    _change(lambda: _changed(_comparison(), name, value))


def _changed(comparison: Comparison, name: str, value: Any) -> Comparison:
    bare = name.removeprefix("fixed.")
    if bare == name:
        return with_both(comparison, {name: value})
    own = {**fixed_changes(comparison), bare: value}
    if bare == "optimizer":
        own.pop("momentum", None)  # it belonged to the optimizer before
    own = {key: kept for key, kept in own.items() if kept is not _AS_ORIGINAL}
    return replace(comparison, fixed=fixed_side(comparison.original, own))


def _stand_at(key: str, value: Any) -> None:
    """Set a control before it is drawn, unless it stands there already: to set it again would undo what the visitor
    does to it in the meantime."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


@dataclass(frozen=True)
class _Control:
    """What every control has: its setting, its value, and how the original's value stands in an empty one."""

    name: str
    kind: Kind
    value: Any
    inherited: Any

    @property
    def key(self) -> str:
        return f"control.{self.name}"

    @property
    def own(self) -> bool:
        """Whether it may be left empty: the settings of the fixed side, but for its wiring."""
        return self.name.startswith("fixed.") and self.name != "fixed.wiring"

    @property
    def placeholder(self) -> str | None:
        return f"as original: {self.shown(self.inherited)}" if self.own else None

    def shown(self, value: Any) -> str:
        if self.kind.type is bool:
            return "yes" if value else "no"
        return written(value).replace(",", ", ")

    def draw_from(self, value: Any) -> None:
        _stand_at(self.key, value)

    def take(self, convert: Callable[[Any], Any] = lambda value: value) -> None:
        value = st.session_state[self.key]
        _set(self.name, _AS_ORIGINAL if value in (None, "") and self.own else convert(value))


def _control(name: str) -> _Control:
    bare = name.removeprefix("fixed.")
    return _Control(name, kinds()[bare], _value(name), _value(bare))


def _choice(name: str, label: str, titles: bool = False, help: str | None = None) -> None:
    control = _control(name)
    control.draw_from(None if control.value is _AS_ORIGINAL else control.value)
    st.selectbox(
        label,
        [False, True] if control.kind.type is bool else control.kind.choices,
        key=control.key,
        index=None if control.own else 0,
        placeholder=control.placeholder,
        format_func=(lambda key: WIRINGS[key].title) if titles else control.shown,
        help=WIRINGS[control.value].explanation if titles else help,
        on_change=control.take,
    )


def _toggle(name: str, label: str) -> None:
    control = _control(name)
    control.draw_from(control.value)
    st.toggle(label, key=control.key, on_change=control.take)


def _number(name: str, label: str, disabled: bool = False) -> None:
    control = _control(name)
    number, whole = control.kind.type, control.kind.type is int
    control.draw_from(None if control.value is _AS_ORIGINAL else number(control.value))
    st.number_input(
        label,
        min_value=number(control.kind.offered.low),
        max_value=number(control.kind.offered.high),
        value=None if control.own else "min",
        step=1 if whole else _arrow_step(control.inherited),
        format="%d" if whole else "%g",
        key=control.key,
        placeholder=control.placeholder,
        disabled=disabled,
        on_change=control.take,
    )


def _arrow_step(value: float) -> float:
    """What one press of an arrow adds: one in the first digit; less at a power of ten, so that it also leads down."""
    if not value:
        return 0.1
    power = 10.0 ** math.floor(math.log10(abs(value)))
    return power / 10 if math.isclose(abs(value), power) else power


def _text(name: str, label: str, help: str | None = None) -> None:
    """A control for a few numbers, written as in the URL."""
    control = _control(name)
    control.draw_from("" if control.value is _AS_ORIGINAL else control.shown(control.value))

    def numbers(text: str) -> Any:
        return read(text.strip(), control.kind)

    def take() -> None:
        try:
            control.take(numbers)
        except ValueError as error:
            _refuse(f"{label} {clipped(st.session_state[control.key])} {error}")

    st.text_input(label, key=control.key, help=help, placeholder=control.placeholder, on_change=take)


# ---- cached calls ----------------------------------------------------------------------------------------------------


@st.cache_data(max_entries=16, show_spinner=False)
def _table(data: DataSettings) -> Dataset:
    return make_data(data)


@st.cache_data(max_entries=128, show_spinner=False)
def _surface(settings: Settings) -> Quadratic:
    return loss_surface(_table(settings.data), settings)


@st.cache_data(max_entries=64, show_spinner=False)
def _least_squares(data: DataSettings, bias: bool) -> Any:
    X = _table(data).X
    return least_squares(np.column_stack([X, np.ones(len(X))]) if bias else X, _table(data).y)


@st.cache_data(max_entries=64, show_spinner=False)
def _scene(comparison: Comparison, trained: bool) -> charts.Scene:
    runs = _kept_runs().get(comparison) if trained else None
    reach = 1 / math.sqrt(2)  # of PyTorch's own init of two weights
    starts = [
        start
        for side in (comparison.original, comparison.fixed)
        for start in ([side.init] if side.init else [(-reach, -reach), (reach, reach)])
    ]
    return charts.scene(_sides(comparison, runs), _least_squares(comparison.original.data, comparison.original.bias), starts)


def _sides(comparison: Comparison, runs: Sequence[Run] | None) -> list[charts.Side]:
    sides = []
    for index, settings in enumerate((comparison.original, comparison.fixed)):
        side = charts.Side(LABELS[index], wording.met(settings), _surface(settings))
        if runs:
            run = runs[index]
            side = replace(side, weights=run.weights, losses=run.losses, diverged_at=run.diverged_at)
        sides.append(side)
    return sides


class _KeptRuns:
    """The latest runs of all visitors, by their settings, within a number of bytes."""

    def __init__(self) -> None:
        self.runs: OrderedDict[Settings, Run] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, comparison: Comparison) -> list[Run] | None:
        """Both runs of a comparison, or None where one of them has yet to be trained."""
        with self.lock:
            found = [self.runs.get(side) for side in (comparison.original, comparison.fixed)]
            for run in found:
                if run:
                    self.runs.move_to_end(run.settings)
        return [run for run in found if run] if all(found) else None

    def missing(self, comparison: Comparison) -> list[Settings]:
        with self.lock:
            return [side for side in dict.fromkeys((comparison.original, comparison.fixed)) if side not in self.runs]

    def keep(self, runs: Sequence[Run]) -> None:
        """Keep these, and of the older ones as many as fit."""
        with self.lock:
            for run in runs:
                self.runs[run.settings] = run
                self.runs.move_to_end(run.settings)
            while (
                len(self.runs) > 2 and sum(one.weights.nbytes + one.losses.nbytes for one in self.runs.values()) > KEPT_BYTES
            ):
                self.runs.popitem(last=False)


@st.cache_resource(show_spinner=False)
def _kept_runs() -> _KeptRuns:
    return _KeptRuns()


@st.cache_resource(show_spinner=False)
def _paces() -> dict[tuple[Any, ...], float]:
    """Seconds a step, as last measured on this server."""
    return {}


def _pace_key(settings: Settings) -> tuple[Any, ...]:
    return settings.wiring, settings.batch_size, settings.optimizer


# ---- training --------------------------------------------------------------------------------------------------------


def results(comparison: Comparison) -> list[tuple[Run, Outcome]] | None:
    """Both runs with their outcomes, once they are trained."""
    runs = _kept_runs().get(comparison)
    return [(run, _outcome(run.settings, run)) for run in runs] if runs else None


@st.cache_data(max_entries=128, show_spinner=False)
def _outcome(settings: Settings, _run: Run) -> Outcome:
    return outcome(_run, _table(settings.data), _surface(settings))


def _steps_to_train(comparison: Comparison) -> int:
    return sum(settings.steps for settings in _kept_runs().missing(comparison))


def _train(comparison: Comparison) -> bool:
    """Train what is missing behind a progress bar, or offer a button for it. Returns whether there is anything to show."""
    missing, steps = _kept_runs().missing(comparison), _steps_to_train(comparison)
    if not _paces():  # a server's first training: the expected time stands there before it begins
        _pace(missing[0])
        _expect()
    place = st.empty()
    with place.container():
        if steps > AUTOMATIC_STEPS and st.session_state.get("agreed") != comparison:
            seconds = sum(settings.steps * _pace(settings) for settings in missing)
            st.info(f"{steps:,} steps will take about {wording.duration(seconds)}.")
            st.button(f"Train {steps:,} steps", type="primary", key="train", on_click=_agree, args=(comparison,))
            return False
        bar = st.progress(0.0, f"Training: 0 of {steps:,} steps")
        started = time.monotonic()

        def progress(done: int, total: int) -> None:
            left = (time.monotonic() - started) / done * (total - done)
            bar.progress(done / total, f"Training: {done:,} of {total:,} steps, {wording.duration(left)} left")

        _train_now(missing, progress)
    place.empty()
    _expect()
    return True


def _agree(comparison: Comparison) -> None:
    """Kept in the session, so that a lost connection does not lose the visitor's word."""
    st.session_state["agreed"] = comparison


def _train_now(missing: Sequence[Settings], progress: Callable[[int, int], None]) -> None:
    from linreg.trainer import train  # torch takes over a second to import: only when there is something to train

    runs = train(missing, _table(missing[0].data), progress)
    for run in runs:
        if run.diverged_at is None:  # its seconds are those of all its steps
            _paces()[_pace_key(run.settings)] = run.seconds / len(run.losses)
    _kept_runs().keep(runs)


def _known_pace(settings: Settings) -> float | None:
    """Seconds a step, of runs like these or else of the slowest yet; None on a server that has trained nothing."""
    paces = _paces()
    return paces.get(_pace_key(settings), max(paces.values(), default=None))


def _pace(settings: Settings) -> float:
    """Seconds a step: as measured before, or on up to 200 steps of these very settings."""
    if _pace_key(settings) not in _paces():
        from linreg.trainer import train

        short = replace(settings, epochs=-(-200 // settings.steps_per_epoch), lr=1e-12)  # so small that it cannot diverge
        table = _table(settings.data)
        rows = slice(0, 200 * settings.batch_size)
        first = replace(table, X=table.X[rows], y=table.y[rows])
        train([replace(short, epochs=1)], first)  # the first steps are slower
        (run,) = train([short], first)
        _paces()[_pace_key(settings)] = run.seconds / max(len(run.losses), 1)
    return _paces()[_pace_key(settings)]


# ---- figures and replay ----------------------------------------------------------------------------------------------


def _theme() -> charts.Theme:
    return charts.THEMES.get(st.context.theme.type or "light", charts.LIGHT)


def show(figure: Figure, key: str | None = None, on_select: Any = "ignore", mode: str | None = None) -> None:
    """Draw a figure as it is, in the page's own colours."""
    st.vega_lite_chart(
        {**figure.spec, "datasets": dict(figure.data)},
        theme=None,
        width="stretch",
        alt=figure.alt,
        key=key,
        on_select=on_select,
        selection_mode=mode,
    )


def _words(figure: Figure, key: str) -> None:
    """What stands under a figure: its caption, and its data as a table one click away."""
    st.caption(figure.caption)
    _data(figure, key)


def _data(figure: Figure, key: str) -> None:
    table = st.expander("Data as a table", type="compact", on_change="rerun", key=f"table.{key}")
    if table.open:
        table.dataframe(figure.data[figure.table], hide_index=True, height=240)


def replay(comparison: Comparison) -> None:
    """Both surfaces with their paths, loss and weights against step, and one slider that replays them all."""
    playing = st.session_state["playing"]
    st.fragment(_replay, run_every=FRAME_SECONDS if playing else None)(comparison)


def _replay(comparison: Comparison) -> None:
    theme = _theme()
    _expect()  # on every run: a fragment may write only where it wrote in the last run of the whole page
    before = st.empty()  # holds the surfaces while their runs train, so that what follows has one place for good
    if not _kept_runs().get(comparison):
        on_button = _steps_to_train(comparison) > AUTOMATIC_STEPS
        with before.container():
            _draw_surfaces(_sides(comparison, None), _scene(comparison, False), 0, theme)
            if not _train(comparison):
                return
        if on_button:
            st.rerun()  # the button has run this fragment alone, and the rest of the page waits for these runs
        before.empty()
    runs = _kept_runs().get(comparison)
    assert runs
    sides, scene = _sides(comparison, runs), _scene(comparison, True)
    last = max(len(run.losses) for run in runs)
    step = _step_to_show(last)
    _step_controls(step, last)
    _draw_surfaces(sides, scene, step, theme)
    left, right = st.columns(2, gap="medium")
    with left:
        loss = charts.loss_figure(sides, step, theme)
        show(loss, key="loss", on_select=_click, mode="clicked")
        _words(loss, "loss")
    with right:
        weights = charts.weights_figure(sides, comparison.original.data.weights, step, theme)
        show(weights)
        _words(weights, "weights")


def _draw_surfaces(sides: Sequence[charts.Side], scene: charts.Scene, step: int, theme: charts.Theme) -> None:
    for which, column in enumerate(st.columns(2, gap="medium")):
        with column:
            figure = charts.surface_figure(sides, which, scene, step, theme)
            show(figure)
            if sides[which].weights is not None:
                _data(figure, LABELS[which])
    st.caption(figure.caption)


def _step_to_show(last: int) -> int:
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


def _step_controls(step: int, last: int) -> None:
    """The slider and the play button."""
    playing = st.session_state["playing"]
    button, slider = st.columns([1, 7], vertical_alignment="bottom", gap="medium")
    if button.button("Pause" if playing else "Play", key="play", on_click=_play, args=(last,), width="stretch"):
        st.rerun()  # a fragment's clock starts and stops with the whole page
    if playing:  # a slider that moves by itself would report its own moves as the visitor's
        _stand_at("playing.step", step)
        slider.slider("Replay: step", 0, last, key="playing.step", format="localized", disabled=True)
    else:
        _stand_at("control.step", step)
        slider.slider("Replay: step", 0, last, key="control.step", format="localized", on_change=_slide)


def _play(last: int) -> None:
    state = st.session_state
    state["playing"] = not state["playing"]
    if state["playing"] and (state["step"] is None or state["step"] >= last):
        state["step"] = 0


def _slide() -> None:
    state = st.session_state
    if not state["playing"]:  # the slider that Play has replaced reports its last value once more
        state["step"] = state["control.step"]
        _write_url()


def _click() -> None:
    """Go to the clicked step. A chart that is drawn again reports its last click again: that one is known."""
    state = st.session_state
    clicked = [point["step"] for point in state["loss"]["selection"].get("clicked", [])]
    if clicked and clicked != state.get("clicked"):
        state["step"], state["playing"], state["clicked"] = int(clicked[0]), False, clicked
        _write_url()


# ---- findings --------------------------------------------------------------------------------------------------------


def finding(comparison: Comparison, place: Any) -> None:
    """The finding in words and in code: from the runs on the screen, or before them from the settings alone."""
    found = results(comparison)
    outcomes = [result for _, result in found] if found else [None, None]
    lines = differing_lines(comparison.original, comparison.fixed)
    with place.container():
        st.markdown(f"##### {wording.headline(*outcomes)}")
        for column, label, settings, result, code in zip(
            st.columns(2, gap="medium"), LABELS, (comparison.original, comparison.fixed), outcomes, lines, strict=True
        ):
            column.markdown(f"**{label}.** {wording.explanation(settings, result)}")
            column.code("\n".join(code) or "# nothing that the other side does not have", wrap_lines=True)


def evidence(comparison: Comparison) -> None:
    """The numbers and verdicts of both sides, the three shapes, and what PyTorch said."""
    found = results(comparison)
    if not found:
        return
    left, right = st.columns([4, 3], gap="medium")
    left.subheader("What each side comes to")
    left.markdown(wording.outcome_table([result for _, result in found], LABELS))
    right.subheader("The three shapes")
    right.markdown(wording.shape_table([run for run, _ in found], LABELS))
    st.subheader("What PyTorch says")
    for label, (run, _) in zip(LABELS, found, strict=True):
        if run.warnings:
            st.markdown(f"**{label}**: a `UserWarning`, once, on stderr")
            st.code("\n".join(run.warnings), language=None, wrap_lines=True)
        else:
            st.markdown(f"**{label}**: nothing")
