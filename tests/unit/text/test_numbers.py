"""Numbers in sentences: short, in the field's units, and never rounder than they are."""

import math

import pytest

from linreg.text.numbers import duration, point, quantity, r2_text


@pytest.mark.parametrize(
    ("value", "text"),
    [(333_062.4, "333,062"), (1.0523, "1.05"), (0.99816, "0.998"), (12.34, "12.3"),
     (0.00312, "0.00312"), (0, "0"), (3.204e30, "3.2 × 10³⁰"), (-4e-12, "−4.0 × 10⁻¹²"),
     (-1234.5, "−1,234"), (999.7, "1,000"), (math.inf, "not finite"), (math.nan, "not finite")],
)  # fmt: skip
def test_quantities(value, text):
    assert quantity(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0291, "0.0291"), (0.999997, "0.999997"), (0.99996, "0.99996"), (1.0, "1.0000"),
     (-0.5, "−0.5000"), (math.nan, "undefined"), (-1e30, "−1.0 × 10³⁰"), (-1e-9, "0.0000")],
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
