"""What PyTorch itself shows on the cause page: a layer's attributes, and the loss of each fix."""

import numpy as np
import pytest
import torch
from torch import nn

from linreg.data.tables import make_data
from linreg.experiments.broadcast_terms import pairs_of
from linreg.experiments.pytorch_demos import FIXES, layer_attributes, losses_of_fixes
from linreg.settings.model import DataSettings, Settings
from linreg.settings.wirings import STRANGE_INIT

AWAY = np.array([4.0, -1.5])


@pytest.fixture(scope="module")
def table():
    return make_data(DataSettings(samples=1_003, mean=20.0, correlation=0.4, seed=3))


def test_under_the_debugger_only_the_weight_changes():
    rows = layer_attributes(Settings(wiring="weight_1d", init=STRANGE_INIT))
    shown = vars(nn.Linear(2, 1, bias=False))
    assert {row.name for row in rows} == (set(shown) - {"_parameters"}) | {"weight", "bias"}
    (changed,) = [row for row in rows if row.changed]
    assert changed.name == "weight"
    torch.manual_seed(0)
    drawn = nn.Linear(2, 1, bias=False).weight[0].tolist()
    assert changed.before == f"Parameter (1, 2), [[{drawn[0]:.4g}, {drawn[1]:.4g}]]"
    assert changed.after == "Parameter (2,), [2, 3]"


def test_all_fixes_give_one_loss_to_the_last_digit(table):
    (written, _, wrong), *fixed = losses_of_fixes(table.X[:100], table.y[:100], AWAY)
    assert len(fixed) == len(FIXES) == 4
    assert len({loss for *_, loss in fixed}) == 1
    expected = np.mean((table.X[:100] @ AWAY - table.y[:100]) ** 2)
    assert fixed[0][2] == pytest.approx(expected, rel=1e-5)
    assert written == "criterion(pred_y, batch_y)"
    assert wrong == pytest.approx(sum(pairs_of(table, AWAY, 100).loss_parts), rel=1e-5)


def test_with_a_bias_a_one_dimensional_weight_is_no_fix(table):
    fixed = losses_of_fixes(table.X[:10], table.y[:10], np.array([4.0, -1.5, 3.0]))[1:]
    assert [where for _, where, _ in fixed] == ["in the loss", "in the loss", "in the data"]
    assert fixed[0][2] == pytest.approx(
        np.mean((table.X[:10] @ AWAY + 3 - table.y[:10]) ** 2), rel=1e-5
    )
