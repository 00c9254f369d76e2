"""Numbers in sentences: short, in the field's units, and never rounder than they are."""

import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from judging import judged

from linreg.cli.output import unmarked
from linreg.data.dataset import Dataset, make_data
from linreg.experiments.table_diagnosis import diagnose_table
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import Comparison, DataSettings, Settings, TableSettings
from linreg.settings.presets import PRESETS
from linreg.text.cause import cause_finding, shape_or_value_finding, surfaces_finding
from linreg.text.comparison import (
    explanation,
    headline,
    outcome_table,
    setup,
    shapes_met,
    sides,
    steps_and_time,
)
from linreg.text.markdown import WORD_JOINER, escape_markdown
from linreg.text.numbers import duration, point, quantity, r2_text
from linreg.text.surface import curvature_finding
from linreg.text.your_data import data_findings
from linreg.training.pytorch import train


@pytest.mark.parametrize(
    ("value", "text"),
    [(333_062.4, "333,062"), (1.0523, "1.05"), (0.99816, "0.998"), (12.34, "12.3"), (0.00312, "0.00312"), (0, "0"),
     (3.204e30, "3.2 × 10³⁰"), (-4e-12, "−4.0 × 10⁻¹²"), (-1234.5, "−1,234"),
     (999.7, "1,000"), (math.inf, "not finite"), (math.nan, "not finite")],
)  # fmt: skip
def test_quantities(value, text):
    assert quantity(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0291, "0.0291"), (0.999997, "0.999997"), (0.99996, "0.99996"), (1.0, "1.0000"), (-0.5, "−0.5000"),
     (math.nan, "undefined"), (-1e30, "−1.0 × 10³⁰"), (-1e-9, "0.0000")],
)  # fmt: skip
def test_r_squared_never_claims_a_perfect_one(value, text):
    assert r2_text(value) == text


def test_points_and_times():
    assert point((4.9999, -0.001)) == "(5.00, 0.00)"
    assert point((-0.27, 2.5961878e14)) == "(−0.27, 2.6 × 10¹⁴)"
    assert [duration(s) for s in (0.01, 2.34, 42.4, 130)] == [
        "0.1 s",
        "2.3 s",
        "42 s",
        "2 min 10 s",
    ]


def test_steps_and_time():
    assert steps_and_time(Comparison(), [None, 0.001]) == "3,000 steps a side"
    assert steps_and_time(Comparison(), [0.001, 0.001]) == "3,000 steps a side, about 6.0 s"
    one = Comparison(Settings(), Settings(batch_size=1, epochs=1))
    assert steps_and_time(one, [None, None]) == "3,000 and 10,000 steps"


@pytest.fixture(scope="module")
def told():
    def tell(preset):
        comparison = PRESETS[preset].comparison
        runs = train([comparison.original, comparison.fixed])
        return runs, [judged(run, make_data(comparison.original.data)) for run in runs]

    return tell


def test_the_finding_of_the_thread(told):
    runs, results = told("as_asked")
    assert headline(*results) == (
        f"As written, the loss stays at {quantity(results[0].final_loss)}."
        f" Fixed, it falls to {quantity(results[1].final_loss)}."
    )
    text = explanation(runs[0].settings, results[0])
    assert (
        "`(100, 1)` meets `(100,)`: each of 100 predictions is compared with all 100 targets of its"
        " batch, 10,000 pairs." in text
    )
    assert (
        f"After 3,000 steps the weights are {point(runs[0].weights[-1])}; this loss is least at"
        " (0.06, 0.03)." in text
    )
    assert "each prediction is compared with its own target" in explanation(
        runs[1].settings, results[1]
    )


def test_a_loss_falls_stays_or_rises(told):
    _, results = told("from_the_truth")
    assert headline(*results).startswith(
        "As written, the loss falls to 333,056. Fixed, it stays at "
    ), "658,291 before"
    worse = replace(results[0], final_loss=10 * results[0].start_loss)
    assert headline(worse, results[1]).startswith("As written, the loss rises to 6,58")


def test_a_smaller_last_batch_is_said_where_the_minimum_is_not_least_squares():
    sides = [
        Settings(data=DataSettings(samples=250), wiring=wiring)
        for wiring in ("original", "squeeze")
    ]
    runs = train(sides)
    original, fixed = (
        explanation(run.settings, judged(run, make_data(sides[0].data))) for run in runs
    )
    assert fixed.endswith("as the last batch, of 50 rows, counts as much as the others.")
    assert "last batch" not in original


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


def test_the_stable_learning_rate_is_of_the_optimizer_and_of_its_steepest_batch():
    bowl = Quadratic(np.eye(2) / 2, np.zeros(2), 1.0)  # λ = 1
    plainly, steep, nesterov, wild = (
        curvature_finding([(bowl, Settings(**{"optimizer": "SGD", "lr": 1.5, **changes}))], limits)
        for changes, limits in (
            ({}, ()), ({}, [0.5]), ({"optimizer": "Nesterov", "momentum": 0.9}, [0.5]), ({"momentum": 1.5}, [0.5]),
        )
    )  # fmt: skip
    assert plainly.endswith(
        "SGD is stable below 2/λ = 2.00 on the mean of the batches; lr 1.5 is below."
    )
    assert steep.endswith(
        "on the mean of the batches, and below 0.500 on each of them; lr 1.5 would be 3.00 times"
        " that."
    )
    assert "Nesterov with momentum 0.9 is stable below 2(1 + β)/((1 + 2β)λ) = 1.36 on" in nesterov
    assert wild.endswith(
        "SGD with momentum 1.5 is stable at no learning rate; use a momentum below 1."
    )


def test_rows_in_random_order_are_not_called_alike():
    dice = np.random.default_rng(0)
    data = TableSettings("own", "y", ("a", "b"), 100)
    for slope in [0.0] * 10 + [0.1] * 20:  # a weak fit, of which chance leaves much
        X = dice.normal(size=(100, 2))
        table = Dataset(X, slope * X[:, 0] + dice.normal(size=100))
        assert "alike" not in " ".join(
            data_findings(diagnose_table(table, Settings(data, batch_size=10, bias=True)), data)
        )
    X = dice.normal(size=(10, 2)).repeat(10, axis=0) + dice.normal(size=(100, 2))
    table = Dataset(X, X[:, 0] + 0.1 * dice.normal(size=100))
    assert "alike" in " ".join(
        data_findings(diagnose_table(table, Settings(data, batch_size=10, bias=True)), data)
    ), "those of one group are"


def test_one_pair_is_no_broadcast():
    bowl = Quadratic(np.eye(2), np.zeros(2), 1.0)
    assert (
        "`(1, 1)` and targets `(1,)` are one pair, with nothing to mix. The loss is least at"
        in cause_finding(Settings(batch_size=1), bowl, bowl)
    )


def test_the_finding_of_a_batch_of_one(told):
    runs, results = told("answer_batch_of_one")
    assert "`(1, 1)` meets `(1,)`: one row a batch, so nothing can be mixed" in explanation(
        runs[1].settings, results[1]
    )


def test_the_finding_of_an_overflow(told):
    runs, results = told("sgd_overflows")
    assert (
        headline(*results)
        == "Both sides diverge: the original at step 7, the fixed side at step 7."
    )
    assert "The last finite weights are" in explanation(runs[0].settings, results[0])
    assert "| – | – |" in outcome_table(results, ("Original", "Fixed"))


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
        "**Original**: `(B, 1)` meets `(B,)`: each of B predictions is compared with all B targets"
        " of its batch, B² pairs."
    )
    assert (
        fixed == "**Fixed**: `(B,)` meets `(B,)`: each prediction is compared with its own target."
    )
    assert "`(100, 1)` meets `(100,)`" in sides(comparison, ["lr"])


def test_a_constant_target_is_not_called_a_failure():
    constant = DataSettings(weights=(0.0, 0.0), noise=0.0, samples=500)
    runs = train([Settings(data=constant), Settings(data=constant, wiring="squeeze")])
    results = [judged(run, make_data(constant)) for run in runs]
    assert headline(*results).startswith("The target is constant")
    assert "✕" not in outcome_table(results, ("Original", "Fixed"))


def test_what_meets_what():
    assert shapes_met(Settings()) == "(100, 1) meets (100,)"
    assert shapes_met(Settings(wiring="unsqueeze", batch_size=7)) == "(7, 1) meets (7, 1)"


# what Streamlit 1.67's browser side, and the autolinks of GitHub's Markdown in it, look for in
# finished text
LIVE = (
    r":material/[a-z0-9_]+:", r":streamlit:", r":\+1:|:-1:|:[\w-]+:", r"(?i)(https?://|www(?=\.))[-.\w]+",
    r"[-.\w+]+@[-\w]+(\.[-\w]+)+", r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)",
)  # fmt: skip
MARKS = re.compile(
    r"[\\`*_{}\[\]()#+\-.!|<>~$:&=]"
)  # of Markdown, its tables and mathematics, and of directives


@pytest.mark.parametrize(
    "name",
    ["<b>bold</b><img src=x onerror=alert(1)>", "$x^2$", ":material/delete:", "::streamlit::", ":red[text] :smile: :+1:",
     "[link](http://evil.example)", "HTTPS://evil.example/x", "WWW.evil.example", "mailto:me@evil.example", "a -> b",
     "-> a <-> b --", "x >= 1 <= 2 ~= 3", "`code` **b** _i_ ~~s~~ ==m==", "a|b", "# head", "1. one", "&amp;", "a\\*b\\"],
)  # fmt: skip
def test_foreign_text_shows_as_itself(name):
    """Every mark is escaped, and what the browser then has as text is the name, in which it finds
    nothing to make live."""
    written = escape_markdown(name)
    assert not MARKS.search(re.sub(r"\\(.)", "", written))
    seen = re.sub(r"\\(.)", r"\1", written)
    assert seen.replace(WORD_JOINER, "") == name
    assert not [pattern for pattern in LIVE if re.search(pattern, seen)]
    assert unmarked(written) == name, "nor does a terminal hold what has no width"
