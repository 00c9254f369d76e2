"""Thinned lines: nothing further away than promised, and the same points whichever way they were
found."""

from itertools import pairwise

import numpy as np
import pytest

from linreg.figures import simplify
from linreg.figures.simplify import compile_simplify, kept_points, significance


@pytest.fixture(params=["by levels", "compiled"], autouse=True)
def way(request, monkeypatch):
    monkeypatch.setattr(simplify, "_compiled", [])
    if request.param == "compiled":
        compile_simplify()


def spiral():
    t = np.linspace(0, 4 * np.pi, 2000)
    line = np.column_stack([np.cos(t), np.sin(t)]) * (1 + 0.1 * t)[:, None]
    line[700] += 3.0
    return line / 0.01


def by_hand(line, tolerance, first=0, last=None):
    """The points kept between two ends, as the algorithm is told: split at the furthest, if that is
    too far."""
    last = len(line) - 1 if last is None else last
    a, along = line[first], line[last] - line[first]
    length = along @ along or 1.0
    far = [
        np.hypot(*(p - a - min(max((p - a) @ along / length, 0), 1) * along))
        for p in line[first + 1 : last]
    ]
    if not far or max(far) <= tolerance:
        return {first, last}
    split = first + 1 + int(np.argmax(far))
    return by_hand(line, tolerance, first, split) | by_hand(line, tolerance, split, last)


def test_no_dropped_point_is_further_away_than_the_tolerance_and_jumps_stay():
    line = spiral()
    kept = kept_points(line)
    assert len(kept) < 200
    assert {0, 700, 1999} <= set(kept.tolist())
    for first, last in pairwise(kept):
        a, b = line[first], line[last]
        along = (b - a) / np.hypot(*(b - a))
        inner = line[first : last + 1] - a
        assert np.abs(inner[:, 0] * along[1] - inner[:, 1] * along[0]).max() <= 1 + 1e-9


@pytest.mark.parametrize("tolerance", [0.3, 1.0, 5.0])
def test_the_points_are_those_of_the_algorithm_as_it_is_told(tolerance):
    line = np.random.default_rng(3).normal(size=(300, 2)).cumsum(0)
    assert set(kept_points(line, tolerance).tolist()) == by_hand(line, tolerance)


def test_one_look_serves_every_greater_tolerance():
    line = spiral()
    found = significance(line, 0.5)
    for tolerance in (0.5, 1.0, 2.0, 8.0):
        np.testing.assert_array_equal(
            np.flatnonzero(found > tolerance**2), kept_points(line, tolerance)
        )


def test_lines_are_thinned_apart_and_some_may_be_empty_or_a_point():
    dice = np.random.default_rng(0)
    lines = [dice.normal(size=(n, 2)).cumsum(0) for n in (0, 50, 1, 0, 2, 200, 0)]
    begins = np.cumsum([0, *map(len, lines)])
    whole = kept_points(np.concatenate(lines), 1.0, begins[:-1])
    parts = [
        begin + kept_points(line, 1.0)
        for begin, line in zip(begins, lines, strict=False)
        if len(line)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert not len(kept_points(np.empty((0, 2))))


@pytest.mark.parametrize("size", [1e-160, 1.0, 1e3, 1e160, 1e300])
def test_both_ways_give_the_same_bits_whatever_the_size(size, monkeypatch):
    dice = np.random.default_rng(1)
    zigzag = np.column_stack([np.arange(999.0), np.tile([0.0, 3.0, -3.0], 333)])
    for line in (dice.normal(size=(3000, 2)).cumsum(0), zigzag, np.ones((40, 2)), spiral()):
        compile_simplify()
        compiled = significance(line * size, 0.5)
        monkeypatch.setattr(simplify, "_compiled", [])
        np.testing.assert_array_equal(compiled, significance(line * size, 0.5))
