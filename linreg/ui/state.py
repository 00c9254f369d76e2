"""What a visitor's session remembers. No other module touches the session or the query string.

`page_state()` gives the session's `PageState`. Its attributes last from run to run; the values of
widgets, which Streamlit keeps itself, are read and set through its methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from linreg.settings.changes import check_limits
from linreg.settings.fields import SettingsError
from linreg.settings.model import Comparison
from linreg.settings.pages import Page, View, with_view_changes

KEY = "page_state"  # under which the session holds it
OWN_TABLE = "your_data"  # the page whose table may be its own
CONTROL = "control."  # what the key of every control begins with


def page_state() -> PageState:
    """The state of the session that asks, made at its first visit."""
    if KEY not in st.session_state:
        st.session_state[KEY] = PageState()
    return cast(PageState, st.session_state[KEY])


@dataclass(frozen=True)
class Refusal:
    """What a visitor entered in a field, and why it was refused."""

    entered: Any
    reason: str  # a sentence


@dataclass
class PageState:
    """One visitor's settings, and what the pages have to remember between two runs."""

    # the page and its settings
    page: str | None = None  # its name; None until the first page has been opened
    view_type: type[Any] | None = None  # of the settings that are the page's own
    comparison: Comparison = field(default_factory=Comparison)
    views: dict[type[Any], Any] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)  # sentences, shown until the next change
    refusals: dict[str, Refusal] = field(default_factory=dict)  # by the key of the control
    changed: bool = False  # whether the settings are ahead of the address
    # where Your data has a table of its own: the comparison of the pages that are not on the screen
    # now, the others' while Your data is open and else its own; None where all pages share one
    other_comparison: Comparison | None = None

    # the address
    written_query: dict[str, str] | None = None
    links: dict[str, dict[str, str]] = field(default_factory=dict)  # query of each menu entry
    previous_links: dict[str, dict[str, str]] = field(default_factory=dict)
    links_changed_at: float = 0.0  # on the monotonic clock, in seconds
    links_page: str | None = None  # on which they were noted last

    # how the page is shown, as the address says
    is_presenting: bool = False  # as a lecture view
    figure: str = ""  # the one that is embedded alone
    unknown_page: str = ""  # what the address named instead of a page, until the next change

    step: int | None = None  # of the replay; None is the last one
    heard: dict[str, int] = field(default_factory=dict)  # see `live_controls`, by key
    preset: str | None = None  # the key of the last one that was chosen

    # what is on the screen
    outside_fragments: tuple[Any, ...] = ()  # the settings that it was drawn from
    expected: DeltaGenerator | None = None  # placeholder of the expected training time
    fixed_side_open: bool = False  # the sidebar's expander

    # what a click leaves for the next run
    cell: Any = None  # that was selected on the sweep's map
    cell_to_open: bool = False
    starts_have_changed: bool = False
    last_clicks: dict[str, Any] = field(default_factory=dict)  # by the key of the chart

    # the visitor's answers, by the type of the work
    agreed: dict[type[Any], Any] = field(default_factory=dict)
    stopped: dict[type[Any], Any] = field(default_factory=dict)

    # for as long as the session lasts
    choices: dict[str, str] = field(default_factory=dict)  # such as the size of exported figures
    upload: Any = None  # the last file, and the table in it
    tables_in_use: tuple[Any, ...] = ()  # of the comparisons: dropped when nothing refers to them

    # ---- settings ----

    def view(self, view_type: type[View]) -> View:
        """The settings of a page that are its own."""
        found: View = self.views.setdefault(view_type, view_type())
        return found

    def current_view(self) -> Any:
        """The settings of the page on the screen that are its own, None where it has none."""
        return self.view(self.view_type) if self.view_type else None

    def change(self, make: Callable[[], Comparison], key: str | None = None) -> bool:
        """Change the comparison, and return whether it was changed.

        Settings that are invalid or over a limit are refused, as by `refuse`: the old ones stay.
        `key` is that of the control that asks for the change."""
        try:
            comparison = make()
            for side in (comparison.original, comparison.fixed):
                check_limits(side)
        except SettingsError as error:
            self.refuse(str(error), key)
            return False
        self.comparison = comparison
        self._note_change()
        return True

    def change_view(self, key: str | None = None, /, **changes: Any) -> None:
        """Change settings of the page's own view. Invalid ones are refused, as by `change`."""
        self.change_view_by(lambda: changes, key)

    def change_view_by(
        self, changes: Callable[[], Mapping[str, Any]], key: str | None = None
    ) -> None:
        """Change settings of the page's own view to what a function returns; a `SettingsError` that
        it raises is a refusal, as by `change`."""
        assert self.view_type
        try:
            self.views[self.view_type] = with_view_changes(self.current_view(), changes())
        except SettingsError as error:
            self.refuse(str(error), key)
        else:
            self._note_change()

    def _note_change(self) -> None:
        self.ignored = []
        self.refusals = {}
        self.unknown_page = ""
        self.changed = True
        self.step = None

    def present(self, presenting: bool) -> None:
        """Turn the lecture view on or off."""
        self.is_presenting = presenting
        self.changed = True

    def refuse(self, reason: str, key: str | None = None) -> None:
        """Say why a change was not made: at the control of this key, which keeps what was entered,
        or without one at the top of the page."""
        sentence = f"{reason[0].upper()}{reason[1:]}. The setting stays as it was."
        if key is None:
            self.ignored = [sentence]
        else:
            self.refusals[key] = Refusal(self.widget(key), sentence)
        self.changed = True

    def comparison_on(self, page: str) -> Comparison:
        """The comparison that a page will show."""
        if self.other_comparison and OWN_TABLE in (page, self.page) and page != self.page:
            return self.other_comparison
        return self.comparison

    def enter(self, page: str) -> None:
        """Take up the comparison of a page that is about to be opened."""
        comparison = self.comparison_on(page)
        if comparison is not self.comparison:
            self.comparison, self.other_comparison = comparison, self.comparison

    def refusal(self, key: str) -> str | None:
        """Why what a control shows was refused; None where it was not."""
        refused = self.refusals.get(key)
        return refused.reason if refused and refused.entered == self.widget(key) else None

    def open_page(self, page: Page, keep_step: bool) -> None:
        """Note which page is on the screen. Steps, clicks and controls do not outlive their page,
        but for the step of a link."""
        if self.page not in (None, page.name):
            self.unknown_page = ""
            self.step = self.step if keep_step else None
            self.fixed_side_open = False
            self.last_clicks = {}
            self.refusals = {}
            self._remove_controls()
        self.changed = False
        self.page = page.name
        self.view_type = page.view_type

    def _remove_controls(self) -> None:
        """Two pages may have a control of the same key: the second must not take over its value."""
        for key in [key for key in st.session_state if str(key).startswith(CONTROL)]:
            del st.session_state[key]

    # ---- long work ----

    def agree(self, question: Any) -> None:
        """Remember that the visitor has asked for this work, which also outlasts a lost
        connection."""
        self.agreed[type(question)] = question
        self.stopped.pop(type(question), None)

    def stop(self, question: Any) -> None:
        """Remember that the visitor has stopped this work."""
        self.stopped[type(question)] = question

    def is_stopped(self, question: Any) -> bool:
        return bool(self.stopped.get(type(question)) == question)

    def may_run(self, question: Any, is_short: bool) -> bool:
        """Whether work may run now: short work unless it was stopped, long work once it was asked
        for."""
        was_asked_for = bool(self.agreed.get(type(question)) == question)
        return (is_short or was_asked_for) and not self.is_stopped(question)

    # ---- clicks on charts ----

    def is_new_click(self, chart: str, clicked: Any) -> bool:
        """Whether a chart reports a click for the first time; a chart that is drawn again reports
        its last one again."""
        if not clicked or clicked == self.last_clicks.get(chart):
            return False
        self.last_clicks[chart] = clicked
        return True

    def forget_click(self, chart: str) -> None:
        """Let the last click on a chart count as new when it is made again."""
        self.last_clicks.pop(chart, None)

    def selected_points(self, chart: str, selection: str) -> list[dict[str, Any]]:
        """The data of the points that are selected in a chart."""
        points: list[dict[str, Any]] = self.widget(chart)["selection"].get(selection, [])
        return points

    # ---- widgets ----

    def widget(self, key: str) -> Any:
        """The value of a widget, None where it is not on the page."""
        return st.session_state.get(key)

    def set_widget(self, key: str, value: Any) -> None:
        """Set the value of a widget that is drawn next.

        An equal value is not set again, which would undo what the visitor does in the meantime."""
        if key not in st.session_state or st.session_state[key] != value:
            st.session_state[key] = value

    def was_removed(self, key: str) -> bool:
        """Whether a widget's value is gone: its callback can still be called after a page
        switch."""
        return key not in st.session_state

    def remove_widget(self, key: str) -> None:
        """Drop the value of a widget that is not drawn any more."""
        st.session_state.pop(key, None)

    # ---- the query string ----

    def query(self) -> dict[str, str]:
        """The query of the address."""
        return st.query_params.to_dict()

    def write_query(self, query: dict[str, str]) -> None:
        """Replace the query of the address."""
        if self.query() != query:
            st.query_params.from_dict(query)
        self.written_query = query
