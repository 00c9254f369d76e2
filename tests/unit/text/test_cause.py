"""What the cause page says of shapes, values and both bowls."""

from dataclasses import replace

import numpy as np

from linreg.experiments.broadcast_terms import RunResult
from linreg.experiments.cause import ShapeOrValueResult, run
from linreg.experiments.resources import local_resources
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.pages import CauseView
from linreg.text.cause import cause_finding, shape_or_value_finding, surfaces_finding


def test_which_of_shape_and_value_decides():
    def of(*converged):
        return ShapeOrValueResult(
            tuple(
                tuple(RunResult(shape, (), (), 0.0, bool(one), False) for one in row)
                for shape, row in zip(((1, 2), (2,)), converged, strict=True)
            )
        )

    assert "with `(2,)` both runs converge, with `(1, 2)` neither" in shape_or_value_finding(
        of((0, 0), (1, 1))
    )
    assert "with `(1, 2)` both runs converge, with `(2,)` neither" in shape_or_value_finding(
        of((1, 1), (0, 0))
    )
    assert shape_or_value_finding(of((0, 1), (0, 1))).startswith(
        "**The values decide, the shape does not**"
    )
    assert shape_or_value_finding(of((1, 0), (1, 0))).startswith(
        "**The values decide, the shape does not**"
    )
    for mixed in (of((0, 1), (1, 0)), of((1, 0), (1, 1))):
        assert (
            shape_or_value_finding(mixed) == "**Shape and values both matter at these settings.**"
        )


def result(**changes):
    """The page's result for 400 rows, changed in some of its fields."""
    settings = Settings(DataSettings(samples=400), **changes.pop("settings", {}))
    found = run(Comparison(settings, settings), CauseView(), local_resources())
    return replace(found, **changes)


def test_the_least_loss_may_be_lowered():
    low, high = (Quadratic(np.eye(2), np.zeros(2), floor) for floor in (121.0, 172.0))
    found = result()
    current = found.fade.current

    def between(broadcast, matched):
        losses = replace(current, broadcast=broadcast, matched=matched)
        return replace(found, fade=replace(found.fade, current=losses))

    lowered = surfaces_finding(between(broadcast=low, matched=high))
    assert "lower the minimum loss by 51.0, from 172 to 121." in lowered
    lifted = surfaces_finding(between(broadcast=high, matched=low))
    assert "raise the minimum loss by 51.0, from 121 to 172." in lifted


def test_one_pair_is_no_broadcast():
    assert (
        "`(1, 1)` and targets `(1,)` are one pair per batch, so broadcasting has no effect"
        in cause_finding(result(settings={"batch_size": 1}))
    )
