"""What the cause page says of shapes, values and both bowls."""

from types import SimpleNamespace

import numpy as np

from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import Settings
from linreg.text.cause import cause_finding, shape_or_value_finding, surfaces_finding


def test_which_of_shape_and_value_decides():
    def of(*came):
        return [[SimpleNamespace(weight_shape=shape, converged=one) for one in row]
                for shape, row in zip(((1, 2), (2,)), came, strict=True)]  # fmt: skip

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


def test_the_least_loss_may_be_lowered():
    bowls = [Quadratic(np.eye(2), np.zeros(2), floor) for floor in (121.0, 172.0)]
    assert "lowers the least loss by 51.0, from 172 to 121." in surfaces_finding(*bowls)
    assert "lifts the least loss by 51.0, from 121 to 172." in surfaces_finding(*bowls[::-1])


def test_one_pair_is_no_broadcast():
    bowl = Quadratic(np.eye(2), np.zeros(2), 1.0)
    assert (
        "`(1, 1)` and targets `(1,)` are one pair, with nothing to mix. The loss is least at"
        in cause_finding(Settings(batch_size=1), bowl, bowl)
    )
