"""What is sent to the browser: rows or moments, whichever are fewer bytes, and each array once."""

import json
from dataclasses import replace

import numpy as np
import pytest

from linreg.data.dataset import batch_order
from linreg.data.tables import make_data
from linreg.quadratic.moments import batch_moments
from linreg.settings.model import DataSettings, Settings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.wirings import WIRINGS
from linreg.training.browser import LIVE_BYTES, browser_problems
from linreg.training.plans import PLANS, Plan

SMALL = DataSettings(samples=1_000, mean=20.0, correlation=0.3)


def sent(*runs):
    table = make_data(runs[0].data)
    found = browser_problems(table, runs, lambda run: batch_moments(table, run))
    assert json.loads(json.dumps(found.problems)) == list(found.problems)
    return found


def pair(**given):
    original = Settings(data=SMALL, **given)
    return original, replace(original, wiring="squeeze")


@pytest.mark.parametrize(
    ("given", "kind", "values"),
    [
        # A once, c and s of either side
        ({"batch_size": 100}, "moments", 10 * (3 + 2 * 3)),
        ({"batch_size": 7}, "moments", 143 * (3 + 2 * 3)),
        ({"batch_size": 100, "bias": True}, "moments", 10 * (6 + 2 * 4)),
        ({"batch_size": 1}, "rows", 3 * 1_000),
        ({"batch_size": 2}, "rows", 3 * 1_000),
        ({"batch_size": 100, "shuffle": True}, "moments", 300 * (3 + 2 * 3)),
        # rows, and 30 orders of two bytes each
        ({"batch_size": 7, "shuffle": True}, "rows", 3 * 1_000 + 30 * 1_000 / 4),
    ],
)
def test_rows_or_moments_are_sent_whichever_are_fewer(given, kind, values):
    found = sent(*pair(**given))
    schedule = 2  # RMSprop has none: a column of zeros, once, is all of it
    assert found.live
    assert found.nbytes == sum(array.nbytes for array in found.arrays)
    ones = 10 * given.get("bias", False)  # the column of A that is 1 everywhere
    assert abs(found.nbytes / 8 - values) <= schedule + ones
    for problem in found.problems:
        assert (problem["moments"] is not None) == (kind == "moments")
        assert (problem["rows"] is not None) == (kind == "rows")


def test_the_order_of_shuffled_rows_is_that_of_the_run():
    run, _ = pair(batch_size=1, shuffle=True, epochs=3, seed=5)
    found = sent(run)
    order = found.arrays[found.problems[0]["rows"]["order"]]
    np.testing.assert_array_equal(order, np.concatenate(list(batch_order(run, 1_000))))


def test_above_the_limit_nothing_is_sent():
    data = DataSettings(samples=50_000)
    found = sent(Settings(data=data, batch_size=1))
    assert found.nbytes == pytest.approx(3 * 8 * 50_000, abs=16)
    assert found.nbytes > LIVE_BYTES
    assert not found.live
    assert not found.arrays
    (problem,) = found.problems
    assert problem["schedule"] is problem["moments"] is problem["rows"] is None


def test_wirings_differ_in_the_pairs_they_compare_only():
    runs = [Settings(data=SMALL, wiring=key) for key in WIRINGS]
    found = sent(*runs).problems
    for pairs in (True, False):
        one, *others = (problem for problem in found if problem["pairs"] == pairs)
        assert all(problem == one for problem in others)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_constants_and_schedule_are_those_of_the_plan(name):
    entry = OPTIMIZERS[name]
    momentum = 0.7 if entry.takes_momentum else 0.0
    found = sent(Settings(data=SMALL, optimizer=name, momentum=momentum, epochs=50))
    (problem,) = found.problems
    given = {"momentum": momentum} if momentum else {}
    constants, schedule = PLANS[entry.torch_name].arrays(500, **entry.options, **given)
    slope = np.array(problem["constants_per_momentum"])
    np.testing.assert_array_equal(problem["constants"] + momentum * slope, constants)
    columns = [found.arrays[index] for index in problem["schedule"]]
    for column, expected in zip(columns, schedule.T, strict=True):
        last = column[np.minimum(np.arange(len(expected)), len(column) - 1)]
        np.testing.assert_array_equal(last, expected)


def test_of_a_schedule_that_settles_the_rest_is_not_sent():
    """Of 300,000 steps of Adam the first correction is 1 after 350, the second after 38,000."""
    found = sent(Settings(data=DataSettings(samples=10_000), batch_size=1, optimizer="Adam"))
    of_momentum, of_square, none = (
        len(found.arrays[index]) for index in found.problems[0]["schedule"]
    )
    assert of_momentum < 400
    assert of_square < 40_000
    assert none == 1
    assert found.live


def test_constants_that_are_not_linear_in_the_momentum_are_refused(monkeypatch):
    plan = Plan(lambda _, momentum=0.0: ((momentum**2,), np.zeros((1, 3))))
    monkeypatch.setitem(PLANS, "RMSprop", plan)
    with pytest.raises(ValueError, match="RMSprop is not linear in the momentum"):
        sent(Settings(data=SMALL))
