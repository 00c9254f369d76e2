"""What a session remembers from run to run."""

from dataclasses import replace

import pytest
from settings_of import compared

from linreg.settings.changes import update_both
from linreg.settings.model import Comparison
from linreg.settings.pages import MENU, SurfaceView, SweepView
from linreg.ui.state import PageState


@pytest.fixture
def state():
    return PageState(page="surface", view_type=SurfaceView)


def test_a_change_takes_the_step_and_the_sentences_away(state):
    state.step, state.ignored = 7, ["x=1 was ignored."]
    assert state.change(lambda: update_both(state.comparison, {"lr": 0.5}))
    assert state.comparison.fixed.lr == 0.5
    assert (state.step, state.ignored) == (None, [])
    assert state.changed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lr": float("nan")}, "Learning rate nan is not possible"),
        ({"batch_size": 1, "epochs": 100_000}, "1,000,000,000 steps are above the "),
    ],
    ids=["invalid", "over a limit"],
)
def test_an_impossible_change_is_refused_and_all_stays(state, changes, reason):
    state.step = 7
    before = state.comparison
    assert not state.change(lambda: update_both(before, changes))
    assert (state.comparison, state.step) == (before, 7)
    (sentence,) = state.ignored
    assert sentence.endswith(" The setting stays as it was.")
    assert sentence.startswith(reason)
    assert state.changed, "the address must not take the session back"


def test_a_refusal_at_a_control_keeps_what_was_entered(state, monkeypatch):
    monkeypatch.setattr(PageState, "widget", lambda _, key: {"control.lr": -1.0}[key])
    assert not state.change(lambda: update_both(state.comparison, {"lr": -1.0}), "control.lr")
    refusal = state.refusals["control.lr"]
    assert refusal.entered == -1.0
    assert refusal.reason.startswith("Learning rate -1 is not possible")
    assert not state.ignored, "it is said at the control alone"
    assert state.change(lambda: update_both(state.comparison, {"lr": 0.5}), "control.lr")
    assert not state.refusals


def test_a_view_belongs_to_its_page(state):
    state.change_view(ring=3)
    assert state.view(SurfaceView) == state.current_view() == SurfaceView(ring=3)
    assert state.view(SweepView) == SweepView()
    state.change_view(ring=-1)
    assert state.current_view() == SurfaceView(ring=3)
    assert state.ignored


def test_long_work_waits_until_it_is_asked_for(state):
    first, second = compared(), replace(compared(), fixed=compared().original)
    assert not state.may_run(first, is_short=False)
    state.agree(first)
    assert state.may_run(first, is_short=False)
    assert not state.may_run(second, is_short=False), "each is asked for by itself"


def test_stopped_work_stays_stopped_until_it_is_asked_for_again(state):
    work = compared()
    assert state.may_run(work, is_short=True)
    state.stop(work)
    assert state.is_stopped(work)
    assert not state.may_run(work, is_short=True)
    state.agree(work)
    assert not state.is_stopped(work)
    assert state.may_run(work, is_short=False)


def test_an_answer_for_one_type_of_work_is_none_for_another(state):
    training, sweep = Comparison(), ("a", "sweep")
    state.agree(training)
    state.agree(sweep)
    state.stop(sweep)
    assert state.may_run(training, is_short=False)
    assert not state.may_run(sweep, is_short=True)


def test_a_click_that_is_reported_again_is_not_new(state):
    assert not state.is_new_click("map", [])
    assert state.is_new_click("map", [(1, 2)])
    assert not state.is_new_click("map", [(1, 2)])
    assert not state.is_new_click("map", [])
    assert not state.is_new_click("map", [(1, 2)]), "drawn again, it reports the last one again"
    assert state.is_new_click("other map", [(1, 2)])
    state.forget_click("map")
    assert state.is_new_click("map", [(1, 2)])


def test_step_and_clicks_end_with_their_page(state):
    state.step = 7
    state.is_new_click("map", [(1, 2)])
    state.fixed_side_open = True
    state.open_page(MENU["surface"], keep_step=False)
    assert state.step == 7
    assert state.last_clicks
    state.open_page(MENU["sweep"], keep_step=False)
    assert state.step is None
    assert not state.last_clicks
    assert not state.fixed_side_open
    state.step = 8
    state.open_page(MENU["surface"], keep_step=True)
    assert state.step == 8, "the step of a link"
