"""Controls for single settings.

A setting is named as in the address, the fixed side's as `fixed.<name>`, one of the page's own view
as `view.<name>`. A control is set from the session's settings before it is drawn, and changes them
in its callback. What cannot be is refused below the control, which keeps what was entered until a
setting changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st

from linreg.settings.changes import all_specs, apply_overrides, overrides, update_both
from linreg.settings.fields import FieldSpec, from_text, shorten, specs_of, to_text
from linreg.settings.model import Comparison
from linreg.settings.wirings import WIRINGS
from linreg.text.markdown import escape_markdown
from linreg.ui.state import CONTROL, page_state

FIXED, VIEW = "fixed.", "view."
INHERIT: Any = object()  # the value of a fixed side's setting that follows the original's


def set_unless_refused(key: str, value: Any) -> None:
    """Let a widget show a value, or what was entered instead and refused."""
    state = page_state()
    refusal = state.refusals.get(key)
    state.set_widget(key, refusal.entered if refusal else value)


def show_refusal(*keys: str) -> None:
    """Say, below the widgets of these keys, why what they show was refused."""
    refusals = page_state().refusals
    for key in keys:
        if key in refusals:
            st.caption(f":red[:material/error: {escape_markdown(refusals[key].reason)}]")


@dataclass(frozen=True)
class _Control:
    """One control: its setting, the setting's value, and on the fixed side the original's value."""

    name: str
    spec: FieldSpec
    value: Any
    original_value: Any
    key_suffix: str = ""  # of a second control for the same setting

    @property
    def key(self) -> str:
        return f"{CONTROL}{self.name}{self.key_suffix}"

    @property
    def may_be_empty(self) -> bool:
        """Whether it may follow the original's setting, as all of the fixed side but its loss."""
        return self.name.startswith(FIXED) and self.name != f"{FIXED}wiring"

    @property
    def placeholder(self) -> str | None:
        return f"= {self.to_words(self.original_value)}" if self.may_be_empty else None

    def to_words(self, value: Any) -> str:
        if self.spec.type is bool:
            return "yes" if value else "no"
        return to_text(value).replace(",", ", ")

    def set_widget(self, value: Any) -> None:
        set_unless_refused(self.key, value)

    def show_refusal(self) -> None:
        show_refusal(self.key)

    def apply(self, convert: Callable[[Any], Any] = lambda value: value) -> None:
        """Take over what the visitor has entered, or refuse it.

        `convert` raises a `ValueError` for what it cannot convert."""
        state = page_state()
        if state.was_removed(self.key):
            return
        entered = state.widget(self.key)
        is_empty = entered in (None, "") and self.may_be_empty
        try:
            value = INHERIT if is_empty else convert(entered)
        except ValueError as error:
            state.refuse(str(error), self.key)
        else:
            _change_setting(self.name, value, self.key)


def _control(name: str, key_suffix: str = "") -> _Control:
    value = _value(name)
    if name.startswith(VIEW):
        view_type = page_state().view_type
        assert view_type
        return _Control(name, specs_of(view_type)[name.removeprefix(VIEW)], value, value)
    bare = name.removeprefix(FIXED)
    return _Control(name, all_specs()[bare], value, _value(bare), key_suffix)


def _value(name: str) -> Any:
    """The value of a setting; `INHERIT` where the fixed side follows the original's."""
    state = page_state()
    if name.startswith(VIEW):
        return getattr(state.current_view(), name.removeprefix(VIEW))
    if name.startswith(FIXED):
        return overrides(state.comparison).get(name.removeprefix(FIXED), INHERIT)
    original = state.comparison.original
    if hasattr(original, name):
        return getattr(original, name)
    return getattr(original.data, name.removeprefix("data_"))


def _change_setting(name: str, value: Any, key: str) -> None:
    """Change a setting of the page's view, of the fixed side, or of both sides, as the control of
    this key asks for."""
    state = page_state()
    if name.startswith(VIEW):
        state.change_view(key, **{name.removeprefix(VIEW): value})
    elif name.startswith(FIXED):
        override = name.removeprefix(FIXED)
        state.change(lambda: _change_override(state.comparison, override, value), key)
    else:
        state.change(lambda: update_both(state.comparison, {name: value}), key)


def _change_override(comparison: Comparison, name: str, value: Any) -> Comparison:
    own = {**overrides(comparison), name: value}
    if name == "optimizer":
        own.pop("momentum", None)  # it belonged to the optimizer before
    own = {key: kept for key, kept in own.items() if kept is not INHERIT}
    return replace(comparison, fixed=apply_overrides(comparison.original, own))


# ---- the controls --------------------------------------------------------------------------------


def choice(
    name: str,
    label: str,
    titles: bool | Callable[[str], str] = False,
    help: str | None = None,
    buttons: bool = False,
) -> None:
    """A control for one of a few values, as a list or as buttons.

    `titles` gives the words for a value; True stands for the titles of the loss variants."""
    control = _control(name)
    control.set_widget(None if control.value is INHERIT else control.value)
    if callable(titles):
        to_words = titles
    elif titles:
        to_words = _wiring_title
        help = WIRINGS[control.value].explanation
    else:
        to_words = control.to_words
    if buttons:
        st.segmented_control(
            label,
            control.spec.choices,
            key=control.key,
            format_func=to_words,
            help=help,
            required=True,
            wrap=True,
            on_change=control.apply,
        )
        control.show_refusal()
        return
    st.selectbox(
        label,
        [False, True] if control.spec.type is bool else control.spec.choices,
        key=control.key,
        index=None if control.may_be_empty else 0,
        placeholder=control.placeholder,
        format_func=to_words,
        help=help,
        on_change=control.apply,
    )
    control.show_refusal()


def _wiring_title(key: str) -> str:
    return WIRINGS[key].title


def several(name: str, label: str) -> None:
    """A control for any of a few values."""
    control = _control(name)
    control.set_widget(list(control.value))
    st.multiselect(
        label, control.spec.choices, key=control.key, on_change=control.apply, args=(tuple,)
    )
    control.show_refusal()


def slider(
    name: str, label: str, low: float, high: float, step: float, default: float = 0.0
) -> None:
    """A slider for a number, also beside another control for it; `default` is shown for None."""
    control = _control(name, ".slider")
    value = default if control.value is None else float(control.value)
    control.set_widget(min(max(value, low), high))
    st.slider(label, low, high, step=step, key=control.key, on_change=control.apply)
    control.show_refusal()


def toggle(name: str, label: str) -> None:
    """A control for yes and no."""
    control = _control(name)
    control.set_widget(control.value)
    st.toggle(label, key=control.key, on_change=control.apply)
    control.show_refusal()


def number(
    name: str,
    label: str,
    disabled: bool = False,
    key_suffix: str = "",
    maximum: int | None = None,
) -> None:
    """A control for one number.

    `key_suffix` tells a second control for the same setting from the first; `maximum` is used
    instead of the upper end of the setting's own range.

    The widget takes any number, so that what is out of range arrives here and is refused below
    it: a browser would only say so for a moment."""
    control = _control(name, key_suffix)
    spec = control.spec
    if maximum is not None:
        spec = replace(spec, ui_range=replace(spec.ui_range, high=maximum))
    value = None if control.value is INHERIT else min(control.value, spec.ui_range.high)
    control.set_widget(value)
    st.number_input(
        label,
        value=None if control.may_be_empty else "min",  # without a minimum 0, for an emptied field
        step=1.0 if spec.type is int else _arrow_step(control.original_value),
        format="%g",
        key=control.key,
        placeholder=control.placeholder,
        disabled=disabled,
        on_change=control.apply,
        args=(partial(_checked_number, name=label.partition(",")[0], spec=spec),),
    )
    control.show_refusal()


def _checked_number(entered: float, name: str, spec: FieldSpec) -> Any:
    """What was entered, as the type of a setting and within its range."""
    if entered not in spec.ui_range or entered not in spec.valid_range:
        low, high = spec.ui_range.low, spec.ui_range.high
        raise ValueError(
            f"{name} {shorten(entered)} is out of range; use {low:,.12g} to {high:,.12g}"
        )
    if spec.type is int and entered != int(entered):
        raise ValueError(f"{name} {shorten(entered)} is not a whole number")
    return spec.type(entered)


def _arrow_step(value: float) -> float:
    """What one press of an arrow adds: one in the first digit; less at a power of ten, so that it
    also leads down."""
    if not value:
        return 0.1
    power = 10.0 ** math.floor(math.log10(abs(value)))
    return power / 10 if math.isclose(abs(value), power) else power


def text(name: str, label: str, help: str | None = None) -> None:
    """A control for a few numbers, written as in the address."""
    control = _control(name)
    control.set_widget("" if control.value is INHERIT else control.to_words(control.value))

    def convert(entered: str) -> Any:
        try:
            return from_text(entered.strip(), control.spec)
        except ValueError as error:  # the end of a sentence
            raise ValueError(f"{shorten(entered)} {error}") from None

    st.text_input(
        label,
        key=control.key,
        help=help,
        placeholder=control.placeholder,
        on_change=control.apply,
        args=(convert,),
    )
    control.show_refusal()
