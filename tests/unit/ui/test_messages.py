"""What the browser sends is read like a link."""

import pytest

from linreg.settings.fields import SettingsError, specs_of
from linreg.settings.model import Settings
from linreg.settings.pages import CauseView, SurfaceView
from linreg.ui.live.messages import read_count, read_starts, read_step, read_values

RUN = specs_of(Settings)


def test_what_the_browser_computes_comes_back_to_the_last_bit():
    message = {"lr": 0.1 + 0.2, "momentum": 0, "starts": [[1 / 3, -2e-7], [5, 3]]}
    values = read_values(message, {name: RUN[name] for name in ("lr", "momentum")})
    assert values == {"lr": 0.1 + 0.2, "momentum": 0.0}
    starts = read_starts(message, specs_of(SurfaceView)["starts"])
    assert starts == [(1 / 3, -2e-7), (5.0, 3.0)]
    assert read_values({"w1": None, "alpha": 1}, specs_of(CauseView)) == {"w1": None, "alpha": 1.0}


@pytest.mark.parametrize(
    ("message", "step"),
    [
        ({"step": 7}, 7), ({"step": -1}, None), ({"step": "7"}, None), ({"step": True}, None),
        ({"step": 1e3}, None), ({"step": 10**400}, None), ({}, None), ([], None), (None, None),
    ],
)  # fmt: skip
def test_a_step_is_a_whole_number_or_none(message, step):
    assert read_step(message) == step
    if isinstance(message, dict):
        message = {"told": message.get("step")}
    assert read_count(message) == (step or 0)


@pytest.mark.parametrize(
    "lr", ["0.1", None, True, [], {}, float("nan"), float("inf"), -1, 0, 1e7, 10**400]
)
def test_a_value_that_no_link_may_have_is_refused(lr):
    with pytest.raises(SettingsError, match="learning rate"):
        read_values({"lr": lr}, {"lr": RUN["lr"]})


@pytest.mark.parametrize(
    "starts", [None, [], {}, 3, [3], [[1]], [[1, 2, 3]], [[1, "2"]], [[1, float("nan")]], ["12"]]
)
def test_a_start_has_two_finite_numbers(starts):
    with pytest.raises(SettingsError):
        read_starts({"starts": starts}, RUN["init"])


@pytest.mark.parametrize("message", [None, [], "lr", 3])
def test_a_message_that_is_none_is_refused(message):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_values(message, {"lr": RUN["lr"]})
