"""Results that take long: each key is computed once, what is done is kept, and a page's result
shows how far it is."""

from dataclasses import replace

import numpy as np
import pytest

from linreg.experiments import claims, sweep
from linreg.experiments.claim_trials import CLAIMS, arms
from linreg.experiments.resources import local_resources
from linreg.experiments.sweep_grid import run_task, sweep_around
from linreg.experiments.work import LocalStore, Work, missing_keys
from linreg.settings.fields import SettingsError
from linreg.settings.limits import LIMITS
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.pages import ClaimsView, SweepView

DATA = DataSettings(samples=400)
SMALL = Comparison(Settings(data=DATA, epochs=5), Settings(data=DATA, epochs=5, wiring="squeeze"))
VIEW = SweepView(columns=3, rows=2, y_range=(10.0, 100.0), inits=2, steps=40)


class Stopped(Exception):
    """What a progress callback raises when its visitor has gone."""


def stop_after(count):
    """A progress callback that raises once so many are done."""

    def progress(done, _all):
        if done >= count:
            raise Stopped

    return progress


@pytest.fixture
def squares():
    """A store of squares, and the keys that it was made to compute, call by call."""
    calls = []

    def compute_all(keys, progress):
        calls.append(list(keys))
        for done, key in enumerate(keys, 1):
            yield key, key**2
            if progress:
                progress(done, len(keys))

    return LocalStore(compute_all), calls


def test_a_store_has_what_it_has_computed_and_nothing_else(squares):
    store, _ = squares
    assert store.get(3) is None
    store.compute([3, 4])
    assert (store.get(3), store.get(4), store.get(5)) == (9, 16, None)


def test_a_key_is_computed_once(squares):
    store, calls = squares
    store.compute([2, 3, 2])
    store.compute([3, 4, 2])
    assert calls == [[2, 3], [4]]


def test_progress_that_raises_keeps_what_is_done(squares):
    store, calls = squares
    with pytest.raises(Stopped):
        store.compute([1, 2, 3, 4], stop_after(2))
    assert [store.get(key) for key in (1, 2, 3, 4)] == [1, 4, None, None]
    store.compute([1, 2, 3, 4])
    assert calls[-1] == [3, 4], "it goes on where it was stopped"


def test_what_is_missing_is_named_once_and_in_order(squares):
    store, _ = squares
    store.compute([2])
    assert missing_keys(store, [5, 2, 1, 5, 1]) == (5, 1)


def test_work_is_true_until_it_is_done(squares):
    store, calls = squares
    work, seen = Work(store, (1, 2), steps=7), []
    assert work
    work.run(lambda *so_far: seen.append(so_far))
    assert seen == [(1, 2), (2, 2)]
    assert [store.get(key) for key in work.keys] == [1, 4]
    done = Work(store, missing_keys(store, [1, 2]), steps=0)
    assert not done
    done.run()
    assert calls == [[1, 2]], "nothing is left to compute"


# ---- partial results -----------------------------------------------------------------------------


def test_a_stopped_sweep_has_the_cells_that_are_done():
    of = local_resources()
    whole = sweep.outstanding(SMALL, VIEW, of)
    first, *others = whole.keys
    with pytest.raises(Stopped):
        whole.run(stop_after(first.runs))
    left = sweep.outstanding(SMALL, VIEW, of)
    assert left.keys == tuple(others)
    assert left.steps == whole.steps - first.runs * first.steps
    result = sweep.run(SMALL, VIEW, of)
    assert not result.complete
    done = np.zeros_like(result.values, dtype=bool)
    for cell, expected in zip(first.cells, run_task(first).share, strict=True):
        at = (first.side, *divmod(cell, VIEW.columns))
        assert result.values[at] == expected
        done[at] = True
    assert np.isnan(result.values[~done]).all()
    left.run()
    result = sweep.run(SMALL, VIEW, of)
    assert result.complete
    assert np.isfinite(result.values).all()
    assert not sweep.outstanding(SMALL, VIEW, of)


def test_a_sweep_says_how_many_of_its_runs_are_done():
    of, seen = local_resources(), []
    sweep.outstanding(SMALL, VIEW, of).run(lambda *so_far: seen.append(so_far))
    runs = 2 * VIEW.columns * VIEW.rows * VIEW.inits
    assert seen[-1] == (runs, runs)
    assert seen == sorted(seen)
    assert sweep.run(SMALL, VIEW, of).runs == runs


def test_the_tasks_of_a_sweep_may_run_elsewhere():
    asked = []

    def elsewhere(tasks):
        asked.extend(tasks)
        return map(run_task, tasks)

    of = local_resources(elsewhere)
    sweep.outstanding(SMALL, VIEW, of).run()
    assert asked == sweep_around(SMALL, VIEW).tasks()


def test_a_sweep_above_the_limit_is_refused_before_it_begins(monkeypatch):
    of, view = local_resources(), replace(VIEW, steps=41)  # no other test has asked for its tasks
    steps = sum(task.runs * task.steps for task in sweep_around(SMALL, view).tasks())
    monkeypatch.setattr(sweep, "LIMITS", replace(LIMITS, sweep_steps=steps - 1))
    for asked in (sweep.outstanding, sweep.run):
        with pytest.raises(SettingsError, match=f"{steps:,} steps of all runs are above the"):
            asked(SMALL, view, of)
    monkeypatch.setattr(sweep, "LIMITS", replace(LIMITS, sweep_steps=steps))
    assert sweep.outstanding(SMALL, view, of).steps == steps


def test_claims_are_told_from_the_seeds_that_are_done():
    view, of = ClaimsView(seeds=10), local_resources()
    with pytest.raises(Stopped):
        claims.outstanding(view, of).run(stop_after(2))
    left = claims.outstanding(view, of)
    assert left.keys == tuple(range(2, 10))
    assert left.steps == 8 * sum(arm.settings.steps for arm in arms())
    result = claims.run(view, of)
    assert (result.seeds, result.complete) == (2, False)
    assert [found.claim for found in result.claims] == list(CLAIMS.values())
    for found in (*result.claims, *result.factors):
        assert {len(trials) for trials in found.trials} == {2}
    seed = of.seeds.get(1)
    for found in result.claims:
        for arm, trials in zip(found.claim.arms, found.trials, strict=True):
            weights, loss, converged = seed[arm.settings]
            np.testing.assert_array_equal(trials.weights[1], weights)
            assert (trials.loss[1], trials.converged[1]) == (loss, converged)
