"""The cause page's result: where it starts, and what it is of, against NumPy."""

from dataclasses import replace

import numpy as np
import pytest

from linreg.data.tables import make_data
from linreg.experiments.cause import run, shape_or_value_runs
from linreg.experiments.resources import local_resources
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.pages import CauseView

DATA = DataSettings(samples=1_030, mean=20.0)  # the last batch has 30 rows
ORIGINAL = Settings(data=DATA)
COMPARISON = Comparison(ORIGINAL, replace(ORIGINAL, wiring="squeeze"))


def mean_of_batches(values, batch_size=100):
    """The mean over the batches of their means: a smaller last one counts as much."""
    starts = range(0, len(values), batch_size)
    return np.mean([values[first : first + batch_size].mean() for first in starts])


@pytest.mark.parametrize("bias", [False, True])
def test_it_starts_at_least_squares_of_all_rows(bias):
    comparison = Comparison(
        replace(COMPARISON.original, bias=bias), replace(COMPARISON.fixed, bias=bias)
    )
    result, table = run(comparison, CauseView(), local_resources()), make_data(DATA)
    X = np.column_stack([table.X, np.ones(len(table))]) if bias else table.X
    best = np.linalg.lstsq(X, table.y, rcond=None)[0]
    assert result.weights[:2] == pytest.approx(best[:2], rel=1e-9)
    assert result.least_squares.minimum == pytest.approx(best, rel=1e-9)
    if bias:
        off = table.y - table.X @ result.weights[:2]
        assert result.weights[2] == pytest.approx(mean_of_batches(off), rel=1e-9)
        assert result.matched.minimum != pytest.approx(best, rel=1e-6), "of unequal batches"


def test_the_view_s_weights_are_those_that_are_looked_at():
    result = run(COMPARISON, CauseView(w1=4.0, w2=-1.5, rows=3), local_resources())
    assert result.weights.tolist() == [4.0, -1.5]
    table = make_data(DATA)
    p = table.X[:3] @ [4.0, -1.5]
    np.testing.assert_allclose(result.pairs.differences, p[:, None] - table.y[:3], rtol=1e-12)
    losses = (table.X @ [4.0, -1.5] - table.y) ** 2
    assert result.terms.matched == pytest.approx(mean_of_batches(losses), rel=1e-9)
    half = run(COMPARISON, CauseView(w1=4.0), local_resources()).weights
    best = np.linalg.lstsq(table.X, table.y, rcond=None)[0]
    assert half == pytest.approx([4.0, best[1]], rel=1e-9)


def test_the_original_pairs_all_rows_whatever_its_code():
    of = local_resources()
    other = replace(COMPARISON, original=replace(ORIGINAL, wiring="unsqueeze"))
    found, expected = (run(one, CauseView(), of) for one in (other, COMPARISON))
    assert found.settings.wiring == "original"
    assert found.surfaces == [found.broadcast, found.matched]
    for mine, theirs in zip(found.surfaces, expected.surfaces, strict=True):
        np.testing.assert_array_equal(mine.minimum, theirs.minimum)
    assert found.broadcast.min_loss > 10 * found.matched.min_loss


def test_the_four_runs_are_two_of_each_shape():
    small = Settings(DataSettings(samples=400), epochs=60, batch_size=50)
    runs = shape_or_value_runs(Comparison(small, small), local_resources()).runs
    assert [[one.weight_shape for one in row] for row in runs] == [[(1, 2)] * 2, [(2,)] * 2]
    assert [[one.converged for one in row] for row in runs] == [[False] * 2, [True] * 2]


# ---- between the matched loss and that over all pairs --------------------------------------------


def loss_of_pairs(table, weights, alpha, batch_rows):
    """(1 − alpha) · matched + alpha · all pairs, batch by batch and pair by pair."""
    p, losses = table.X @ weights[:2] + sum(weights[2:]), []
    for first in range(0, len(table), batch_rows):
        batch = slice(first, first + batch_rows)
        squares = (p[batch, None] - table.y[None, batch]) ** 2  # (B, B)
        losses.append((1 - alpha) * np.diag(squares).mean() + alpha * squares.mean())
    return np.mean(losses)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("alpha", "batch_rows"), [(0, 100), (0.3, 100), (0.7, 8), (1, 1), (1, 77)])
def test_the_loss_in_between_is_that_of_its_pairs(alpha, batch_rows, bias):
    """Of 1,030 rows the last batch of 100, of 8 and of 77 is smaller."""
    comparison = Comparison(*(replace(side, bias=bias) for side in (ORIGINAL, COMPARISON.fixed)))
    view = CauseView(alpha=alpha, batch_rows=batch_rows)
    result, table = run(comparison, view, local_resources()), make_data(DATA)
    loss = result.fade.loss
    assert result.batch_rows == batch_rows
    draw = np.random.default_rng(0)
    for weights in [loss.minimum, *draw.normal(0, 4, (5, 2 + bias))]:
        expected = loss_of_pairs(table, weights, alpha, batch_rows)
        assert float(loss.value(weights)) == pytest.approx(expected, rel=1e-9)
    assert loss.min_loss == pytest.approx(
        loss_of_pairs(table, loss.minimum, alpha, batch_rows), rel=1e-9
    )
    for weights in loss.minimum + draw.normal(0, 1e-2, (20, 2 + bias)):
        assert loss_of_pairs(table, weights, alpha, batch_rows) >= loss.min_loss


def test_its_ends_are_the_two_surfaces():
    resources = local_resources()
    for alpha, wiring in ((0, "squeeze"), (1, "original")):
        loss = run(COMPARISON, CauseView(alpha=alpha), resources).fade.loss
        surface = resources.surface(replace(ORIGINAL, wiring=wiring))
        np.testing.assert_array_equal(loss.A, surface.A)
        np.testing.assert_allclose(loss.minimum, surface.minimum, rtol=1e-12)
        assert loss.min_loss == pytest.approx(surface.min_loss, rel=1e-12)


def test_a_shuffled_run_keeps_its_own_batches_at_its_own_size():
    resources = local_resources()
    shuffled = replace(ORIGINAL, shuffle=True, seed=3)
    comparison = Comparison(shuffled, replace(shuffled, wiring="squeeze"))
    result = run(comparison, CauseView(), resources)
    surface = resources.surface(shuffled)
    np.testing.assert_array_equal(result.broadcast.minimum, surface.minimum)
    other = run(comparison, CauseView(batch_rows=8), resources)
    in_order = run(COMPARISON, CauseView(batch_rows=8), resources)
    np.testing.assert_array_equal(other.broadcast.minimum, in_order.broadcast.minimum)


def test_a_batch_has_at_most_all_rows():
    result = run(COMPARISON, CauseView(batch_rows=10**6), local_resources())
    assert result.batch_rows == len(make_data(DATA))
