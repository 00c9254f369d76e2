"""The home page through Streamlit's own test runner: what a visitor reads, changes and is told."""

from functools import cache

import numpy as np
import pytest
from apprunner import control, link, one, opened, ran, refusals, replay_controls, words
from plain import plain_run

from linreg.data.tables import make_data
from linreg.settings.model import Settings
from linreg.settings.presets import PRESETS
from linreg.text.numbers import quantity, r2_text
from linreg.training.pytorch import train
from linreg.ui import comparison as comparison_ui
from linreg.ui.cache import CACHE

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@cache
def end_of_a_plain_script(settings):
    """The last weights of an independent script."""
    table = make_data(settings.data)
    weights, _ = plain_run(table.X, table.y, settings)
    return weights[-1]


def loss_of_a_plain_script(settings):
    """The mean loss of all batches, over all pairs where the shapes say so."""
    table, weights = make_data(settings.data), end_of_a_plain_script(settings)
    predictions, targets = (table.X @ weights).reshape(-1, 100), table.y.reshape(-1, 100)
    if settings.wiring == "squeeze":
        return ((predictions - targets) ** 2).mean()
    return ((predictions[:, :, None] - targets[:, None, :]) ** 2).mean()


def r2_of_a_plain_script(settings):
    table, weights = make_data(settings.data), end_of_a_plain_script(settings)
    predictions = table.X @ weights.astype(np.float64)
    return 1 - ((table.y - predictions) ** 2).mean() / table.y.var()


def test_the_page_opens_with_the_finding():
    app = opened()
    both = Settings(), Settings(wiring="squeeze")
    (header,) = app.header
    assert header.value == "A silent broadcast: why this PyTorch regression never learns"
    assert "The model returns `(100, 1)`, the targets are `(100,)`" in words(app)
    assert "broadcasts them to 10,000 pairs" in words(app)
    before, after = (r2_text(r2_of_a_plain_script(settings)) for settings in both)
    assert f"With `pred.squeeze(-1)`, R² goes from {before} to {after}." in words(app)
    for loss in map(loss_of_a_plain_script, both):
        assert quantity(loss) in words(app)
    assert "| Verdict | ✕ did not converge | ✓ converged |" in words(app)
    before, after, fixes, warning = app.code
    assert "assert pred.shape == y.shape" in fixes.value
    assert before.value == "loss = criterion(pred_y, batch_y)"
    assert after.value == "loss = criterion(pred_y.squeeze(-1), batch_y)"
    assert warning.value.startswith("Using a target size (torch.Size([100]))")
    assert not app.query_params


def test_a_link_restores_every_control_and_tells_what_it_ignores():
    app = opened(
        lr="0.05",
        optimizer="Adam",
        fixed__batch_size="10",
        scale="3",
        nonsense="<b>1</b>",
        samples="400",
        epochs="2",
        step="5",
    )
    assert control(app, "number_input", "lr").value == 0.05
    assert control(app, "selectbox", "optimizer").value == "Adam"
    assert control(app, "number_input", "fixed.batch_size").value == 10
    assert control(app, "number_input", "fixed.lr").value is None
    assert control(app, "number_input", "scale").value == 3
    assert replay_controls(app)["step"] == 5
    assert [warning.value for warning in app.warning] == [
        "nonsense was ignored\\: there is no such setting\\."
    ]
    assert "nonsense" not in app.query_params
    ran(control(app, "number_input", "lr").set_value(0.1))
    assert not app.warning, "it is said until the next change"


def test_a_control_changes_the_link_and_the_finding():
    app = opened(samples="400", epochs="2")
    before = words(app)
    ran(control(app, "number_input", "lr").set_value(0.5))
    assert link(app).original.lr == link(app).fixed.lr == 0.5
    assert words(app) != before


def test_the_fixed_side_follows_until_it_has_its_own():
    app = opened(samples="400", epochs="2")
    ran(control(app, "number_input", "fixed.batch_size").set_value(10))
    ran(control(app, "number_input", "batch_size").set_value(50))
    assert (link(app).original.batch_size, link(app).fixed.batch_size) == (50, 10)
    ran(control(app, "number_input", "fixed.batch_size").set_value(None))
    assert link(app).fixed.batch_size == 50
    assert next(one for one in app.expander if "fixed side" in one.label).proto.expanded, (
        "not closed under one's hands"
    )


def test_an_optimizer_brings_a_momentum_that_fits():
    app = opened(samples="400", epochs="2", optimizer="SGD", momentum="0.5", lr="0.000001")
    ran(control(app, "selectbox", "optimizer").set_value("Adam"))
    assert link(app).original.momentum == 0
    assert control(app, "number_input", "momentum").disabled
    ran(control(app, "selectbox", "optimizer").set_value("Nesterov"))
    assert link(app).original.momentum == 0.9


def test_initial_weights_are_typed_as_numbers():
    app = opened(samples="400", epochs="2")
    ran(control(app, "text_input", "init").set_value("2, 3"))
    assert link(app).original.init == (2.0, 3.0)
    ran(control(app, "text_input", "init").set_value("two, three"))
    assert link(app).original.init == (2.0, 3.0), "nothing is lost"
    assert "Two, three is not a number" in refusals(app)
    assert control(app, "text_input", "init").value == "two, three", "what was typed is kept"
    ran(control(app, "text_input", "init").set_value("default"))
    assert link(app).original.init is None


def test_impossible_settings_are_refused_with_a_reason():
    app = opened(samples="400", epochs="2")
    ran(control(app, "number_input", "batch_size").set_value(500))
    assert "batch size 500 is above the 400 samples; use 1 to 400" in refusals(app).lower()
    assert control(app, "number_input", "batch_size").value == 500, "what was typed is kept"
    assert link(app).original.batch_size == 100, "and nothing is changed"
    ran(control(app, "number_input", "epochs").set_value(3))
    assert not refusals(app)
    assert control(app, "number_input", "batch_size").value == 100


@pytest.mark.parametrize(
    ("name", "entered", "reason"),
    [
        ("batch_size", 0, "Batch size 0 is out of range; use 1 to 200,000"),
        ("batch_size", 1.5, "Batch size 1.5 is not a whole number"),
        ("lr", 1e7, "Learning rate 10000000 is out of range; use 1e-12 to 1,000,000"),
        ("fixed.lr", 0, "Learning rate 0 is out of range; use 1e-12 to 1,000,000"),
    ],
)
def test_a_number_out_of_its_range_is_refused_at_its_field(name, entered, reason):
    app = opened(samples="400", epochs="2")
    before = link(app)
    ran(control(app, "number_input", name).set_value(entered))
    assert reason in refusals(app)
    assert control(app, "number_input", name).value == entered, "what was typed is kept"
    assert link(app) == before


def test_another_visitor_trains_the_same_just_before(monkeypatch):
    """Between the look at what is kept and the training of what is missing."""
    train_missing, trained_meanwhile = comparison_ui._train, []

    def meanwhile(comparison, work, place):
        for run in train([comparison.original, comparison.fixed]):
            CACHE.put(("run", run.settings), run)
            trained_meanwhile.append(run.settings)
        return train_missing(comparison, work, place)

    monkeypatch.setattr(comparison_ui, "_train", meanwhile)
    app = opened(seed="4711", epochs="1")
    assert "R² goes from" in words(app)
    assert "Verdict" in words(app)
    assert [settings.seed for settings in trained_meanwhile] == [4711, 4711]


@pytest.mark.parametrize("preset", ["strange_line", "sgd_overflows"])
def test_a_preset_sets_the_controls_and_the_link(preset):
    app = opened()
    ran(control(app, "selectbox", "preset").set_value(preset))
    assert link(app) == PRESETS[preset].comparison
    assert PRESETS[preset].comment in [caption.value for caption in app.sidebar.caption]


def test_long_training_waits_for_a_button_and_says_how_long():
    app = opened(epochs="300")
    assert app.info[0].value.startswith("60,000 steps will take about ")
    assert "Verdict" not in words(app)
    app = opened(epochs="150", samples="1000")
    assert not app.info, "30 steps per run are trained at once"


def test_pressing_the_button_trains():
    app = opened(batch_size="1", epochs="2", samples="6000")
    ran(app.button(key="train").click())
    assert "Verdict" in words(app)


def test_the_sidebar_counts_steps_and_then_tells_the_time():
    app = opened(samples="400", epochs="2")
    assert any(
        caption.value.startswith("8 steps per run, about ") for caption in app.sidebar.caption
    )


def test_the_step_is_in_the_link_and_in_the_controls():
    app = opened(samples="400", epochs="2")
    shown = {"group": "comparison", "last": 8, "step": None, "heard": 0, "stride": 1}
    assert replay_controls(app) == shown
    app.session_state["page_state"].step = 3
    ran(app)
    assert one(app.query_params["step"]) == "3"
    assert replay_controls(app)["step"] == 3


def test_each_figure_has_its_data_one_click_away():
    app = opened(samples="400", epochs="2")
    assert not app.dataframe
    app.session_state["table.loss"] = True
    ran(app)
    assert list(app.dataframe[0].value.columns) == ["step", "loss", "side"]
