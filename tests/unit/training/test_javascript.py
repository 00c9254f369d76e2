"""The browser's rules are the compiled ones, and what cannot be translated is named."""

# ruff: noqa: ARG001 (every update takes the same arguments)

import pytest
from project import ROOT

from linreg.training.javascript import UntranslatableError, rules_module, update_of
from linreg.training.kernels import RULES


def test_the_rules_in_the_repository_are_current():
    """If not: `make rules`."""
    assert (ROOT / "linreg/ui/live/rules.js").read_text() == rules_module()


def test_every_optimizer_has_its_update():
    text = rules_module()
    for name, rule in RULES.items():
        assert f"\n  {name}: {rule.update.__name__.lstrip('_')},\n" in text


def _in_order(w, g, m, v, lr, c, a, b, d):
    total = w + (g + lr) - (a - (b - d))
    total = total / (g * m) * -(c[0] + c[4])
    m = max(total, -1) * 2.5
    return m, w, m + w


def test_the_order_of_the_operations_is_kept():
    assert update_of(_in_order, []).lines(1) == [
        "let total1 = w1 + (g1 + lr) - (a - (b - d));",
        "total1 = total1 / (g1 * m1) * -(c0 + c4);",
        "m1 = Math.max(total1, -1) * 2.5;",
        "const wNext1 = m1;",
        "const mNext1 = w1;",
        "const vNext1 = m1 + w1;",
        "w1 = wNext1;",
        "m1 = mNext1;",
        "v1 = vNext1;",
    ]


def _loops(w, g, m, v, lr, c, a, b, d):
    for _ in range(2):
        w = w - lr * g
    return w, m, v


def _adds_in_place(w, g, m, v, lr, c, a, b, d):
    m += g
    return w, m, v


def _takes_a_power(w, g, m, v, lr, c, a, b, d):
    return w - g**2, m, v


def _compares(w, g, m, v, lr, c, a, b, d):
    return (w if g > 0 else m), m, v


def _calls(w, g, m, v, lr, c, a, b, d):
    return round(w), m, v


def _reads_a_global(w, g, m, v, lr, c, a, b, d):
    return w - SCALE * g, m, v


def _assigns_an_argument(w, g, m, v, lr, c, a, b, d):
    b = 2 * b
    return w - b * g, m, v


def _unpacks(w, g, m, v, lr, c, a, b, d):
    m, v = v, m
    return w, m, v


def _returns_one(w, g, m, v, lr, c, a, b, d):
    return w


SCALE = 2


@pytest.mark.parametrize(
    ("update", "named"),
    [
        (_loops, "For"),
        (_adds_in_place, "AugAssign"),
        (_takes_a_power, "Pow"),
        (_compares, "IfExp"),
        (_calls, r"round\(…\)"),
        (_reads_a_global, "SCALE"),
        (_assigns_an_argument, "b is assigned to"),
        (_unpacks, "Tuple is assigned to"),
        (_returns_one, "Return"),
    ],
)
def test_what_cannot_be_translated_is_named(update, named):
    with pytest.raises(UntranslatableError, match=named):
        update_of(update, []).lines(0)
