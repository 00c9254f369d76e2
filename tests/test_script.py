"""The code that a page shows is the code that was run: executed, it gives the trainer's very weights."""

import warnings

import numpy as np
import pytest
import torch

from linreg.data import make_data
from linreg.optimizers import OPTIMIZERS
from linreg.presets import PRESETS
from linreg.script import differing_lines, training_code
from linreg.settings import DataSettings, Settings
from linreg.trainer import train
from linreg.wiring import WIRINGS

SMALL = DataSettings(samples=60, scale=2.0)
SAMPLE = [
    *(Settings(data=SMALL, wiring=wiring, batch_size=25, epochs=2) for wiring in WIRINGS),
    *(Settings(data=SMALL, wiring=wiring, batch_size=25, epochs=2, init=(0.5, -1.0)) for wiring in WIRINGS),
    *(
        Settings(data=SMALL, optimizer=entry.name, momentum=0.8 * entry.takes_momentum, lr=1e-3, batch_size=25, epochs=2)
        for entry in OPTIMIZERS.values()
    ),
    Settings(data=SMALL, bias=True, init=(1.0, 2.0, 3.0), batch_size=25, epochs=2),
    Settings(data=SMALL, shuffle=True, seed=5, batch_size=25, epochs=3, wiring="squeeze"),
]


@pytest.mark.parametrize("settings", SAMPLE, ids=lambda s: f"{s.wiring}-{s.optimizer}-{s.init}-{s.shuffle}")
def test_the_code_gives_the_weights(settings):
    table = make_data(settings.data)
    scope = {
        "torch": torch,
        "numpy": np,
        "train_x": torch.tensor(table.X, dtype=torch.float32),
        "train_y": torch.tensor(table.y, dtype=torch.float32),
    }
    state = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        exec(training_code(settings), scope)
    torch.set_rng_state(state)
    ended = torch.cat([parameter.detach().reshape(-1) for parameter in scope["net"].parameters()]).numpy()
    np.testing.assert_array_equal(train([settings])[0].weights[-1], ended)


@pytest.mark.parametrize(
    ("preset", "removed", "added"),
    [
        ("as_asked", ["loss = criterion(pred_y, batch_y)"], ["loss = criterion(pred_y.squeeze(-1), batch_y)"]),
        ("strange_line", [], ["self.layer1.weight = torch.nn.Parameter(torch.tensor([2.0, 3.0]))"]),
        (
            "answer_2d",
            ["self.layer1.weight = torch.nn.Parameter(torch.tensor([[2.0, 3.0]]))"],
            ["self.layer1.weight = torch.nn.Parameter(torch.tensor([2.0, 3.0]))"],
        ),
        (
            "answer_batch_of_one",
            ["batch_size = 100", "for epoch in range(30):"],
            ["batch_size = 1", "for epoch in range(1):"],
        ),
    ],
)
def test_the_lines_that_differ(preset, removed, added):
    comparison = PRESETS[preset].comparison
    assert differing_lines(comparison.original, comparison.fixed) == (removed, added)


def test_a_side_does_not_differ_from_itself():
    assert differing_lines(Settings(), Settings()) == ([], [])
