"""What the home page says of a comparison and of its runs."""

from dataclasses import replace

import pytest
from judging import trained_result

from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.presets import PRESETS
from linreg.text.comparison import (
    explanations,
    headline,
    outcome_table,
    setup,
    shapes_met,
    sides,
    steps_and_time,
)
from linreg.text.numbers import point, quantity
from linreg.training.pytorch import train


def test_steps_and_time():
    assert steps_and_time(Comparison(), [None, 0.001]) == "3,000 steps per run"
    assert steps_and_time(Comparison(), [0.001, 0.001]) == "3,000 steps per run, about 6.0 s"
    one = Comparison(Settings(), Settings(batch_size=1, epochs=1))
    assert steps_and_time(one, [None, None]) == "3,000 and 10,000 steps"


@pytest.fixture(scope="module")
def told():
    def tell(preset):
        comparison = PRESETS[preset].comparison
        return trained_result(train([comparison.original, comparison.fixed]))

    return tell


def test_the_finding_of_the_thread(told):
    result = told("as_asked")
    original, fixed = result.outcomes
    assert headline(result) == (
        f"As written, the loss stays at {quantity(original.final_loss)}."
        f" Fixed, it falls to {quantity(fixed.final_loss)}."
    )
    text, text_of_fixed = explanations(result)
    assert (
        "`(100, 1)` against `(100,)`: each of 100 predictions is compared with all 100 targets of"
        " its batch, 10,000 pairs." in text
    )
    assert (
        f"After 3,000 steps the weights are {point(result.runs[0].weights[-1])}; this loss has"
        " its minimum at (0.06, 0.03)." in text
    )
    assert "each prediction is compared with its own target" in text_of_fixed


def test_a_loss_falls_stays_or_rises(told):
    result = told("from_the_truth")
    original, fixed = result.outcomes
    assert headline(result).startswith(
        "As written, the loss falls to 333,056. Fixed, it stays at "
    ), "658,291 before"
    worse = replace(original, final_loss=10 * original.start_loss)
    rising = trained_result(result.runs, [worse, fixed])
    assert headline(rising).startswith("As written, the loss rises to 6,58")


def test_a_smaller_last_batch_is_said_where_the_minimum_is_not_least_squares():
    sides = [
        Settings(data=DataSettings(samples=250), wiring=wiring)
        for wiring in ("original", "squeeze")
    ]
    original, fixed = explanations(trained_result(train(sides)))
    assert fixed.endswith("as the last batch, of 50 rows, counts as much as the others.")
    assert "last batch" not in original


def test_the_finding_of_a_batch_of_one(told):
    _, fixed = explanations(told("answer_batch_of_one"))
    assert "`(1, 1)` against `(1,)`: one pair per batch, so broadcasting has no effect" in fixed


def test_the_finding_of_an_overflow(told):
    result = told("sgd_overflows")
    assert (
        headline(result) == "Both sides diverge: the original at step 7, the fixed side at step 7."
    )
    assert "The last finite weights are" in explanations(result)[0]
    assert "| – | – |" in outcome_table(result)


def test_the_setup_in_a_line():
    assert setup(Comparison()) == (
        "y = 5·x1 + 3·x2 + noise, 10,000 rows with features of standard deviation 100;"
        " `nn.Linear(2, 1, bias=False)` with"
        " RMSprop at lr 0.01; `nn.MSELoss`."
    )
    exact = Settings(data=DataSettings(weights=(-1.0, -0.5), noise=0.0))
    assert setup(Comparison(exact, replace(exact, wiring="squeeze", lr=0.5))).startswith(
        "y = −1·x1 − 0.5·x2, 10,000 rows with features of standard deviation 100; `nn.Linear(2, 1,"
        " bias=False)` with RMSprop"
        " at lr 0.01, then `nn.Linear(2, 1, bias=False)` with RMSprop at lr 0.5; "
    )


def test_what_a_page_varies_is_not_said():
    comparison = next(iter(PRESETS.values())).comparison
    assert setup(comparison, ["lr", "scale"]) == (
        "y = 5·x1 + 3·x2 + noise, 10,000 rows; `nn.Linear(2, 1, bias=False)` with RMSprop;"
        " `nn.MSELoss`."
    )
    assert setup(comparison, ["optimizer"]).endswith(
        "100; `nn.Linear(2, 1, bias=False)`; `nn.MSELoss`."
    )
    original, fixed = sides(comparison, ["batch_size"]).splitlines()
    assert original.strip() == (
        "**Original**: `(B, 1)` against `(B,)`: each of B predictions is compared with all B"
        " targets of its batch, B² pairs."
    )
    assert (
        fixed
        == "**Fixed**: `(B,)` against `(B,)`: each prediction is compared with its own target."
    )
    assert "`(100, 1)` against `(100,)`" in sides(comparison, ["lr"])


def test_a_constant_target_is_not_called_a_failure():
    constant = DataSettings(weights=(0.0, 0.0), noise=0.0, samples=500)
    runs = train([Settings(data=constant), Settings(data=constant, wiring="squeeze")])
    result = trained_result(runs)
    assert headline(result).startswith("The target is constant")
    assert "✕" not in outcome_table(result)


def test_what_meets_what():
    assert shapes_met(Settings()) == "(100, 1) against (100,)"
    assert shapes_met(Settings(wiring="unsqueeze", batch_size=7)) == "(7, 1) against (7, 1)"
