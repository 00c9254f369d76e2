"""Numbers in sentences: short, in the field's units, and never rounder than they are."""

import math
import re
from dataclasses import replace

import pytest
from judging import judged

from linreg.data import make_data
from linreg.presets import PRESETS
from linreg.settings import Comparison, DataSettings, Settings
from linreg.terminal import unmarked
from linreg.trainer import train
from linreg.wording import (
    APART,
    as_text,
    duration,
    explanation,
    headline,
    met,
    outcome_table,
    point,
    quantity,
    setup,
    share,
    steps_and_time,
)


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
    assert share(value) == text


def test_points_and_times():
    assert point((4.9999, -0.001)) == "(5.00, 0.00)"
    assert point((-0.27, 2.5961878e14)) == "(−0.27, 2.6 × 10¹⁴)"
    assert [duration(s) for s in (0.01, 2.34, 42.4, 130)] == ["0.1 s", "2.3 s", "42 s", "2 min 10 s"]


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
        "`(100, 1)` meets `(100,)`: each of 100 predictions is compared with all 100 targets of its batch, 10,000 pairs."
        in text
    )
    assert f"After 3,000 steps the weights are {point(runs[0].weights[-1])}; this loss is least at (0.06, 0.03)." in text
    assert "each prediction is compared with its own target" in explanation(runs[1].settings, results[1])


def test_the_finding_of_a_batch_of_one(told):
    runs, results = told("answer_batch_of_one")
    assert "`(1, 1)` meets `(1,)`: one row a batch, so nothing can be mixed" in explanation(runs[1].settings, results[1])


def test_the_finding_of_an_overflow(told):
    runs, results = told("sgd_overflows")
    assert headline(*results) == "Both sides diverge: the original at step 7, the fixed side at step 7."
    assert "The last finite weights are" in explanation(runs[0].settings, results[0])
    assert "| – | – |" in outcome_table(results, ("Original", "Fixed"))


def test_the_setup_in_a_line():
    assert setup(Comparison()) == (
        "y = 5·x1 + 3·x2 + noise, 10,000 rows; `nn.Linear(2, 1, bias=False)` with RMSprop at lr 0.01; `nn.MSELoss`."
    )
    exact = Settings(data=DataSettings(weights=(-1.0, -0.5), noise=0.0))
    assert setup(Comparison(exact, replace(exact, wiring="squeeze", lr=0.5))).startswith(
        "y = −1·x1 − 0.5·x2, 10,000 rows; `nn.Linear(2, 1, bias=False)` with RMSprop at lr 0.01,"
        " then `nn.Linear(2, 1, bias=False)` with RMSprop at lr 0.5; "
    )


def test_a_constant_target_is_not_called_a_failure():
    constant = DataSettings(weights=(0.0, 0.0), noise=0.0, samples=500)
    runs = train([Settings(data=constant), Settings(data=constant, wiring="squeeze")])
    results = [judged(run, make_data(constant)) for run in runs]
    assert headline(*results).startswith("The target is constant")
    assert "✕" not in outcome_table(results, ("Original", "Fixed"))


def test_what_meets_what():
    assert met(Settings()) == "(100, 1) meets (100,)"
    assert met(Settings(wiring="unsqueeze", batch_size=7)) == "(7, 1) meets (7, 1)"


LIVE = (  # what Streamlit 1.67's browser side, and the autolinks of GitHub's Markdown in it, look for in finished text
    r":material/[a-z0-9_]+:", r":streamlit:", r":\+1:|:-1:|:[\w-]+:", r"(?i)(https?://|www(?=\.))[-.\w]+",
    r"[-.\w+]+@[-\w]+(\.[-\w]+)+", r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)",
)  # fmt: skip
MARKS = re.compile(r"[\\`*_{}\[\]()#+\-.!|<>~$:&=]")  # of Markdown, its tables and mathematics, and of directives


@pytest.mark.parametrize(
    "name",
    ["<b>bold</b><img src=x onerror=alert(1)>", "$x^2$", ":material/delete:", "::streamlit::", ":red[text] :smile: :+1:",
     "[link](http://evil.example)", "HTTPS://evil.example/x", "WWW.evil.example", "mailto:me@evil.example", "a -> b",
     "-> a <-> b --", "x >= 1 <= 2 ~= 3", "`code` **b** _i_ ~~s~~ ==m==", "a|b", "# head", "1. one", "&amp;", "a\\*b\\"],
)  # fmt: skip
def test_foreign_text_shows_as_itself(name):
    """Every mark is escaped, and what the browser then has as text is the name, in which it finds nothing to make live."""
    written = as_text(name)
    assert not MARKS.search(re.sub(r"\\(.)", "", written))
    seen = re.sub(r"\\(.)", r"\1", written)
    assert seen.replace(APART, "") == name
    assert not [pattern for pattern in LIVE if re.search(pattern, seen)]
    assert unmarked(written) == name, "nor does a terminal hold what has no width"
