"""The loss surface equals brute force over all pairs, least squares, and autograd."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
import torch
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from linreg.data.dataset import Dataset, batch_order
from linreg.data.tables import make_data
from linreg.figures.contours import simplify_contours
from linreg.quadratic.contours import sublevel_contours
from linreg.quadratic.moments import batch_moments
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import BLOCK_ROWS, loss_surface, matched_surface, table_sums
from linreg.settings.fields import SettingsError
from linreg.settings.model import DataSettings, Settings
from linreg.settings.wirings import WIRINGS
from linreg.training.ensemble import train_ensemble


def brute_force(table, run, w):
    """The loss, row by row: the mean over batches of the mean over all pairs, or matched rows."""
    return np.mean(batch_losses(table, run, w))


def batch_losses(table, run, w):
    """The losses of all batches of the run."""
    X = np.column_stack([table.X, np.ones(len(table))]) if run.bias else table.X
    means = []
    for order in batch_order(run, len(table)):
        rows = np.arange(len(table)) if order is None else order
        for first in range(0, len(rows), run.batch_size):
            batch = rows[first : first + run.batch_size]
            prediction = X[batch] @ w
            if WIRINGS[run.wiring].pairs:
                means.append(np.mean(np.subtract.outer(prediction, table.y[batch]) ** 2))
            else:
                means.append(np.mean((prediction - table.y[batch]) ** 2))
    return means


@st.composite
def problems(draw):
    samples = draw(st.integers(2, 40))
    data = DataSettings(
        samples=samples,
        scale=draw(st.sampled_from([0.01, 1.0, 100.0])),
        mean=draw(st.sampled_from([0.0, 3.0, -50.0])),
        correlation=draw(st.sampled_from([0.0, 0.7, -0.99])),
        noise=draw(st.sampled_from([0.1, 1.0, 10.0])),
        seed=draw(st.integers(0, 1000)),
    )
    bias = draw(st.booleans())
    wirings = [key for key, entry in WIRINGS.items() if entry.takes_bias or not bias]
    run = Settings(
        data=data,
        wiring=draw(st.sampled_from(wirings)),
        batch_size=draw(st.integers(1, samples)),
        epochs=2,
        bias=bias,
        shuffle=draw(st.booleans()),
        seed=draw(st.integers(0, 5)),
    )
    w = draw(st.lists(st.floats(-20, 20), min_size=2 + bias, max_size=2 + bias))
    return run, np.array(w)


@examples(80)
@given(problems())
def test_equal_to_brute_force_over_all_pairs(problem):
    run, w = problem
    table = make_data(run.data)
    surface = loss_surface(table, run)
    away = np.abs(w - surface.origin)  # far from it, with similar columns, large terms cancel
    rounding = 16 * np.finfo(float).eps * away @ np.abs(surface.A) @ away
    assert surface.value(w) == pytest.approx(brute_force(table, run, w), rel=1e-10, abs=rounding)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("wiring", ["original", "squeeze"])
def test_every_shuffled_batch_equals_brute_force(wiring, bias):
    """More epochs than are computed at once, each with a smaller last batch."""
    data, w = DataSettings(samples=331, scale=2, noise=3), np.array([1.0, -2.0, 0.5])[: 2 + bias]
    run = Settings(
        data=data, wiring=wiring, batch_size=50, epochs=60, bias=bias, shuffle=True, seed=3
    )
    table = make_data(data)
    assert len(table) * run.epochs > BLOCK_ROWS
    moments, expected = batch_moments(table, run), batch_losses(table, run, w)
    found = [moments.batch(k).value(w) for k in range(len(moments))]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_array_equal(moments.n, [50, 50, 50, 50, 50, 50, 31] * 60)
    assert loss_surface(table, run).value(w) == pytest.approx(np.mean(expected), rel=1e-12)


@examples(50)
@given(problems())
def test_the_gradient_equals_autograd(problem):
    run, w = problem
    table = make_data(run.data)
    X = np.column_stack([table.X, np.ones(len(table))]) if run.bias else table.X
    leaf = torch.tensor(w, requires_grad=True)
    for k, (x, y) in enumerate(
        zip(np.split(X, range(5, len(X), 5)), np.split(table.y, range(5, len(X), 5)), strict=True)
    ):
        prediction = torch.tensor(x) @ leaf
        target = torch.tensor(y)
        difference = (
            prediction[:, None] - target if WIRINGS[run.wiring].pairs else prediction - target
        )
        (gradient,) = torch.autograd.grad((difference**2).mean(), leaf)
        five = Settings(
            data=run.data, wiring=run.wiring, batch_size=min(5, len(table)), bias=run.bias
        )
        expected = gradient.numpy()
        exact = batch_moments(table, five).batch(k)
        np.testing.assert_allclose(
            exact.gradient(w), expected, rtol=1e-9, atol=1e-9 * np.abs(exact.A).max()
        )


def test_the_matched_minimum_is_least_squares():
    table = make_data(DataSettings(samples=500, mean=4.0, correlation=0.9))
    for bias in (False, True):
        X = np.column_stack([table.X, np.ones(500)]) if bias else table.X
        expected, residual, _, _ = np.linalg.lstsq(X, table.y, rcond=None)
        surface = loss_surface(
            table,
            Settings(data=DataSettings(samples=500), wiring="squeeze", batch_size=500, bias=bias),
        )
        np.testing.assert_allclose(surface.minimum, expected, rtol=1e-9)
        assert surface.min_loss == pytest.approx(residual[0] / 500, rel=1e-10)
        assert surface.unique


def test_the_minimum_loss_of_noise_free_data_is_exactly_zero():
    table = make_data(DataSettings(samples=100, noise=0.0))
    surface = loss_surface(table, Settings(wiring="squeeze", batch_size=100))
    assert surface.min_loss == 0, "rounding is no loss"


@pytest.mark.parametrize("wiring", ["original", "squeeze"])
@pytest.mark.parametrize("kind", ["duplicated", "zero", "constant with a bias"])
def test_singular_data_gives_the_least_norm_minimum_and_is_reported(kind, wiring):
    rng = np.random.default_rng(3)
    first = rng.normal(2, 30, 80)
    second = {"duplicated": first, "zero": 0 * first, "constant with a bias": 7 + 0 * first}[kind]
    bias = kind == "constant with a bias"
    table = Dataset(np.column_stack([first, second]), 2 * first + rng.normal(0, 1, 80))
    run = Settings(data=DataSettings(samples=80), wiring=wiring, batch_size=20, bias=bias)
    surface = loss_surface(table, run)
    assert not surface.unique
    assert surface.condition_number == np.inf
    # The same problem for lstsq: minimise |A½ w − A^(−½) c|, whose least-norm solution is A⁺ c.
    c = surface.c + surface.A @ surface.origin
    expected = np.linalg.lstsq(surface.A, c, rcond=1e-10)[0]
    np.testing.assert_allclose(surface.minimum, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        surface.gradient(surface.minimum), 0, atol=1e-6 * np.abs(surface.A).max()
    )
    assert surface.value(surface.minimum) == pytest.approx(
        brute_force(table, run, surface.minimum), rel=1e-9
    )


def test_columns_of_very_different_scale_are_not_singular():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) * [1e-7, 1e7]
    table = Dataset(X, X @ [2e7, 3e-7])
    surface = loss_surface(
        table, Settings(data=DataSettings(samples=200), wiring="squeeze", batch_size=50)
    )
    assert surface.unique
    np.testing.assert_allclose(surface.minimum, [2e7, 3e-7], rtol=1e-9)


@pytest.mark.parametrize("bias", [False, True])
def test_a_mean_far_above_the_deviation_is_not_singular(bias):
    table = make_data(DataSettings(mean=1e6, scale=1.0, samples=2_000))
    run = Settings(data=DataSettings(samples=2_000), wiring="squeeze", batch_size=100, bias=bias)
    surface = loss_surface(table, run)
    X = (
        table.X - table.X.mean(0) if bias else table.X
    )  # centred columns: the same weights, well conditioned
    y = table.y - table.y.mean() if bias else table.y
    expected = np.linalg.lstsq(X, y, rcond=1e-15)[0]
    np.testing.assert_allclose(surface.minimum[:2], expected, rtol=1e-5 if bias else 1e-7)


BOWL = Quadratic(np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, 2.0]), 5.0)


def settles(lr, steps, **hyperparameters):
    """Whether `torch.optim.SGD` converges to the minimum of BOWL."""
    A, c = torch.tensor(BOWL.A), torch.tensor(BOWL.c)
    w = torch.tensor([3.0, -4.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr, **hyperparameters)
    for _ in range(steps):
        w.grad = 2 * (A @ w.detach() - c)
        optimizer.step()
    return np.abs(w.detach().numpy() - BOWL.minimum).max() < 1e-6


@pytest.mark.parametrize(
    ("momentum", "nesterov"),
    [(0.0, False), (0.5, False), (0.9, False), (0.2, True), (0.5, True), (0.9, True), (1.0, True)],
)
def test_gradient_descent_converges_below_the_stable_lr_and_not_above(momentum, nesterov):
    limit = BOWL.stable_lr(momentum, nesterov=nesterov)
    assert settles(0.99 * limit, 1_000, momentum=momentum, nesterov=nesterov)
    assert not settles(1.01 * limit, 1_000, momentum=momentum, nesterov=nesterov)


@pytest.mark.parametrize(
    ("momentum", "nesterov"), [(1.0, False), (1.5, False), (1.1, True), (1.5, True)]
)
def test_with_too_much_momentum_no_learning_rate_is_stable(momentum, nesterov):
    assert BOWL.stable_lr(momentum, nesterov=nesterov) == 0
    for lr in (1e-3, 1e-2):
        assert not settles(lr, 1_000, momentum=momentum, nesterov=nesterov)


@pytest.mark.parametrize("batch_size", [1, 2, 10])
@pytest.mark.parametrize("wiring", ["original", "squeeze"])
def test_sgd_is_stable_below_the_limit_of_the_steepest_batch_but_not_always_below_that_of_the_mean(
    wiring, batch_size
):
    run = Settings(DataSettings(samples=400), wiring=wiring, batch_size=batch_size)
    moments = batch_moments(make_data(run.data), run)
    limit = moments.stable_lr()
    assert limit == pytest.approx(
        min(moments.batch(k).stable_lr() for k in range(len(moments))), rel=1e-12
    )
    assert limit < moments.mean().stable_lr()
    far, steps = np.array([[1e6, -1e6]]), 100 * len(moments)
    ends = train_ensemble(moments, far, 0.98 * limit, "SGD", steps=steps, record_every=steps).final
    assert np.abs(ends).max() < 10
    if batch_size < 10:
        found = train_ensemble(
            moments, far, 0.98 * moments.mean().stable_lr(), "SGD", steps=steps, record_every=steps
        )
        assert found.diverged_at[0] > 0


def test_the_limit_of_a_single_batch_is_that_of_the_mean_and_infinite_for_zero_curvature():
    data = DataSettings(samples=1_000)
    moments = batch_moments(make_data(data), Settings(data, batch_size=1_000))
    assert moments.stable_lr() == pytest.approx(moments.mean().stable_lr(), rel=1e-12)
    flat = batch_moments(
        Dataset(np.zeros((4, 2)), np.ones(4)), Settings(DataSettings(samples=4), batch_size=2)
    )
    assert flat.stable_lr() == flat.mean().stable_lr() == np.inf


def test_the_condition_number_is_that_of_the_hessian():
    surface = loss_surface(
        make_data(DataSettings(correlation=0.9)), Settings(data=DataSettings(correlation=0.9))
    )
    assert surface.condition_number == pytest.approx(np.linalg.cond(surface.hessian), rel=1e-9)


@pytest.mark.parametrize("wiring", ["original", "squeeze"])
def test_the_profile_minimises_over_the_bias(wiring):
    table = make_data(DataSettings(samples=300, mean=20.0, scale=5.0))
    surface = loss_surface(
        table, Settings(data=DataSettings(samples=300), wiring=wiring, bias=True)
    )
    w = np.array([1.0, -2.0])
    biases = np.linspace(-400, 400, 80_001)
    best = surface.value(np.column_stack([np.tile(w, (len(biases), 1)), biases])).min()
    assert surface.profile().value(w) == pytest.approx(best, rel=1e-6)
    np.testing.assert_allclose(
        surface.profile().minimum, surface.minimum[:2], rtol=1e-8, atol=1e-10
    )
    assert surface.profile().min_loss == pytest.approx(surface.min_loss, rel=1e-9)


def test_the_bug_erases_the_covariance():
    """Matched: L = Var(p) + Var(y) − 2 Cov(p, y) + (p̄ − ȳ)²; all pairs: without the covariance."""
    table = make_data(DataSettings(samples=50, mean=10.0))
    w = np.array([1.5, -0.5])
    p, y = table.X @ w, table.y
    erased = p.var() + y.var() + (p.mean() - y.mean()) ** 2
    covariance = ((p - p.mean()) * (y - y.mean())).mean()
    run = {"data": DataSettings(samples=50), "batch_size": 50}
    assert loss_surface(table, Settings(**run)).value(w) == pytest.approx(erased, rel=1e-12)
    assert loss_surface(table, Settings(**run, wiring="squeeze")).value(w) == pytest.approx(
        erased - 2 * covariance, rel=1e-12
    )


def test_a_batch_larger_than_the_table_is_refused():
    with pytest.raises(SettingsError, match="batch size 100 is above the 60 rows"):
        batch_moments(make_data(DataSettings(samples=60)), Settings())


# ---- a table in pieces ---------------------------------------------------------------------------


def pieces(table, *cuts):
    """The rows of a table, as an iterator that can be read once."""
    return (
        Dataset(*rows)
        for rows in zip(np.split(table.X, cuts), np.split(table.y, cuts), strict=True)
    )


def assert_same(found, expected, scale=1.0):
    """Assert that two quadratics with different origins are equal."""
    np.testing.assert_allclose(
        found.A, expected.A, rtol=1e-12, atol=1e-12 * np.abs(expected.A).max()
    )
    for middle in (expected.origin, expected.minimum):
        for step in (np.zeros(len(middle)), *np.eye(len(middle)) * scale):
            w = middle + step
            reach = np.abs(w) + np.abs(found.origin) + np.abs(expected.origin)
            rounding = 1e-13 * (reach @ np.abs(expected.A) @ reach) + 1e-14 * (found.s + expected.s)
            np.testing.assert_allclose(found.value(w), expected.value(w), rtol=1e-10, atol=rounding)


@pytest.mark.slow
@examples(60)
@given(problems(), st.data())
def test_a_table_in_pieces_gives_the_same_as_the_whole(problem, data):
    run = dataclasses.replace(problem[0], shuffle=False)
    table = make_data(run.data)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(table)), max_size=6)))  # also empty pieces
    whole, found = batch_moments(table, run), batch_moments(pieces(table, *cuts), run)
    assert found.n.tolist() == whole.n.tolist()
    for k in range(len(whole)):
        assert_same(found.batch(k), whole.batch(k))
    assert_same(whole.mean(), loss_surface(table, run))
    assert_same(loss_surface(pieces(table, *cuts), run), loss_surface(table, run))
    for bias in (False, True):
        assert_same(matched_surface(pieces(table, *cuts), bias), matched_surface(table, bias))


@pytest.mark.parametrize("batch_size", [1, 7, 60, 100, 199, 200])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("wiring", ["original", "squeeze"])
def test_every_batch_size_in_pieces_equals_brute_force(wiring, bias, batch_size):
    """All pairs and matched rows: a surface knows nothing else of its wiring."""
    table = make_data(DataSettings(samples=200, mean=30.0, correlation=0.5))
    run = Settings(data=DataSettings(samples=200), wiring=wiring, batch_size=batch_size, bias=bias)
    surface = loss_surface(pieces(table, 3, 50, 51, 120), run)
    w = np.array([1.5, -0.5, 2.0])[: 2 + bias]
    assert surface.value(w) == pytest.approx(brute_force(table, run, w), rel=1e-11)
    assert surface.gradient(surface.minimum) == pytest.approx(
        np.zeros(2 + bias), abs=1e-8 * np.abs(surface.A).max()
    )


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("order", ["as drawn", "sorted", "a constant first"])
@pytest.mark.parametrize("noise", [0.0, 1e-6, 1.0])
def test_pieces_are_as_accurate_as_least_squares_on_the_whole(noise, order, bias):
    """Means are 10⁶ deviations, noise is small, and the first piece determines no weights."""
    table = make_data(
        DataSettings(samples=3_000, mean=1e6, scale=1.0, noise=noise, correlation=0.3)
    )
    X = table.X[np.argsort(table.X[:, 0])] if order == "sorted" else table.X.copy()
    if order == "a constant first":
        X[:500, 1] = 1e6
    table = Dataset(X, table.y - table.X @ [5.0, 3.0] + X @ [5.0, 3.0])
    expected, residual = lstsq_in_longdouble(
        np.column_stack([X, np.ones(len(X))]) if bias else X, table.y
    )
    for cuts in ((), (500, 501, 1_800)):
        found = matched_surface(pieces(table, *cuts), bias)
        np.testing.assert_allclose(found.minimum[:2], expected[:2], rtol=1e-8)
        rounding = 2.2e-16 * 8e6  # the residuals y − X·w
        tolerance = 2 * rounding * float(residual) ** 0.5 / len(X) ** 0.5 + rounding**2
        assert found.min_loss == pytest.approx(float(residual), rel=1e-9, abs=tolerance)
        sums = table_sums(pieces(table, *cuts), Settings(wiring="squeeze", batch_size=1, bias=bias))
        assert_same(sums.surface, found, 1e-3)


def lstsq_in_longdouble(X, y):
    """Weights and mean squared residual, by Gram-Schmidt (twice) in extended precision."""
    Q, R = X.astype(np.longdouble), np.eye(X.shape[1], dtype=np.longdouble)
    for _ in range(2):
        for j in range(X.shape[1]):
            for i in range(j):
                dot = Q[:, i] @ Q[:, j] / (Q[:, i] @ Q[:, i])
                Q[:, j] -= dot * Q[:, i]
                R[:, j] -= dot * R[:, i]  # X @ R == Q
    r, w = y.astype(np.longdouble), np.zeros(X.shape[1], np.longdouble)
    for _ in range(2):
        for j in range(X.shape[1]):
            dot = Q[:, j] @ r / (Q[:, j] @ Q[:, j])
            r = r - dot * Q[:, j]
            w += dot * R[:, j]
    return w.astype(float), (r @ r) / len(r)


def test_the_minimum_loss_of_noise_free_pieces_is_exactly_zero():
    table = make_data(DataSettings(samples=1_000, noise=0.0, mean=50.0))
    assert matched_surface(pieces(table, 10, 400)).min_loss == 0
    assert matched_surface(pieces(table, 10, 400), bias=True).min_loss == 0


@pytest.mark.parametrize("kind", ["duplicated", "zero", "constant", "constant at first"])
def test_singular_pieces_give_the_least_norm_minimum_and_are_reported(kind):
    rng = np.random.default_rng(3)
    first = rng.normal(2, 30, 300)
    second = {"duplicated": first, "zero": 0 * first, "constant": 7 + 0 * first}.get(
        kind, np.r_[np.full(100, 7.0), first[100:]]
    )
    table = Dataset(np.column_stack([first, second]), 2 * first + rng.normal(0, 1, 300))
    for bias in (False, True):
        X = np.column_stack([table.X, np.ones(300)]) if bias else table.X
        found = matched_surface(pieces(table, 100, 101, 250), bias)
        assert found.unique is bool(np.linalg.matrix_rank(X) == X.shape[1])
        expected, _, _, _ = np.linalg.lstsq(X, table.y, rcond=None)
        np.testing.assert_allclose(found.minimum, expected, rtol=1e-9, atol=1e-9)


def test_table_sums_equal_those_of_the_whole_table():
    table = make_data(DataSettings(samples=1_234, mean=1e4, scale=3.0))
    run = Settings(batch_size=100)
    for found in (table_sums(pieces(table, 5, 600), run), table_sums(table, run)):
        assert found.rows == 1_234
        assert (found.target_mean, found.target_variance) == pytest.approx(
            (table.y.mean(), table.y.var()), rel=1e-12
        )
        np.testing.assert_allclose(found.feature_means, table.X.mean(0), rtol=1e-13)
        np.testing.assert_allclose(found.feature_variances, table.X.var(0), rtol=1e-12)
        np.testing.assert_array_equal(found.feature_minima, table.X.min(0))
        np.testing.assert_array_equal(found.feature_maxima, table.X.max(0))
        assert_same(found.matched, matched_surface(table))
        assert_same(found.matched_with_bias, matched_surface(table, bias=True))
        assert_same(found.surface, batch_moments(table, run).mean())
    shuffled = dataclasses.replace(run, shuffle=True, epochs=2)
    assert_same(table_sums(table, shuffled).surface, batch_moments(table, shuffled).mean())


@pytest.mark.parametrize(("value", "rows"), [(0.1, 1_000), (72.3, 398), (3.3, 50)])
def test_the_variance_of_a_constant_is_zero_despite_rounding(value, rows):
    constant = np.full(rows, value)
    table = Dataset(np.column_stack([constant, np.arange(rows)]), constant)
    run = Settings(DataSettings(samples=rows), batch_size=10)
    for found in (table_sums(table, run), table_sums(pieces(table, 7, 7, 33), run)):
        assert (found.target_variance, found.feature_variances[0]) == (0, 0)
        assert found.feature_variances[1] == pytest.approx(table.X[:, 1].var(), rel=1e-12)


@pytest.mark.parametrize("work", [batch_moments, loss_surface, table_sums])
def test_pieces_raise_the_errors_of_the_whole(work):
    table = make_data(DataSettings(samples=60))
    with pytest.raises(
        SettingsError, match="batch size 100 is above the 60 rows of the table; use 1 to 60"
    ):
        work(pieces(table, 20), Settings())
    with pytest.raises(SettingsError, match="the table has no rows; use one with at least 1"):
        work(iter([]), Settings())
    with pytest.raises(
        SettingsError,
        match="a table in pieces is read once and in order, not shuffled; use shuffle False",
    ):
        work(pieces(table, 20), Settings(batch_size=10, shuffle=True))
    with pytest.raises(SettingsError, match="the table has no rows"):
        matched_surface([])


@pytest.mark.parametrize("batch_size", [1, 100, 30_000])
def test_the_surface_of_pieces_needs_the_memory_of_a_piece_and_a_batch(batch_size):
    piece = make_data(DataSettings(samples=20_000))
    peaks = []
    for count in (5, 20):
        tracemalloc.start()
        table_sums(
            (Dataset(piece.X + k, piece.y) for k in range(count)),
            Settings(DataSettings(samples=100_000), batch_size=batch_size),
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0] < 12e6


def test_contours_lie_on_their_level_or_on_the_edge():
    surface = Quadratic(np.array([[2.0, 0.8], [0.8, 1.0]]), np.array([1.0, 0.5]), 4.0)
    domain = (-3.0, 3.0, -2.0, 2.0)
    levels = np.array([0.25, 1.0, 4.0, 1e6])
    rings = simplify_contours(sublevel_contours(surface, levels, domain), domain)
    for level, ring in zip(levels, rings, strict=True):
        edge = (np.abs(ring[:, 0]) > 3 - 1e-9) | (np.abs(ring[:, 1]) > 2 - 1e-9)
        height = surface.value(ring[~edge]) - surface.min_loss
        np.testing.assert_allclose(height, level, rtol=1e-9)
    corners = {(-3.0, -2.0), (-3.0, 2.0), (3.0, -2.0), (3.0, 2.0)}
    assert corners <= {tuple(corner) for corner in rings[-1].tolist()}, (
        "the outermost ring covers the domain"
    )


def area(ring):
    """The area of a polygon, by the shoelace formula."""
    (x, y), (x2, y2) = ring.T, np.roll(ring, -1, axis=0).T
    return abs((x * y2 - x2 * y).sum()) / 2


@pytest.mark.parametrize("middle", [(0.3, -0.2), (2.9, 1.9), (-9.0, 4.0), (40.0, 0.0)])
@pytest.mark.parametrize("ratio", [1.0, 0.03, 1e-4])
@pytest.mark.parametrize("turned", [0.0, 0.4, 2.0])
def test_contours_enclose_the_area_found_by_counting_points(middle, ratio, turned):
    """Minima inside, in a corner and far outside; round and narrow ellipses; all levels."""
    domain = (-3.0, 3.0, -2.0, 2.0)
    axes = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    A = axes @ np.diag([1.0, ratio]) @ axes.T
    surface = Quadratic((A + A.T) / 2, np.zeros(2), 0.0, np.array(middle))
    grid = np.stack(
        np.meshgrid((np.arange(600) + 0.5) / 100 - 3, (np.arange(400) + 0.5) / 100 - 2), axis=-1
    )
    heights = surface.value(grid)
    levels = np.quantile(heights, [0.02, 0.3, 0.7, 1.0]) * [1, 1, 1, 1.1]
    for level, ring in zip(
        levels, simplify_contours(sublevel_contours(surface, levels, domain), domain), strict=True
    ):
        assert area(ring) == pytest.approx((heights <= level).mean() * 24, abs=0.03)
        assert surface.value(ring).max() <= level * (1 + 1e-9)
    (nothing,) = sublevel_contours(surface, np.array([heights.min() / 2]), domain)
    inside = (np.abs(middle) < (3, 2)).all()
    assert len(nothing) == 0 or inside


def test_a_contour_at_the_minimum_is_empty_and_one_through_a_corner_contains_it():
    surface, domain = Quadratic(np.eye(2), np.zeros(2), 0.0), (-3.0, 3.0, -4.0, 4.0)
    nothing, all_of_it = sublevel_contours(surface, np.array([0.0, 25.0]), domain)
    assert len(nothing) == 0
    assert area(all_of_it) == pytest.approx(48)


def test_singular_surfaces_have_contours():
    rings = sublevel_contours(
        Quadratic(np.diag([1.0, 0.0]), np.zeros(2), 0.0), np.array([1.0]), (-2.0, 2.0, -2.0, 2.0)
    )
    assert np.abs(rings[0][:, 0]).max() == pytest.approx(1.0, abs=1e-3)
    assert np.abs(rings[0][:, 1]).max() == 2


@pytest.mark.parametrize("bias", [False, True])
def test_a_surface_does_not_depend_on_what_was_asked_for_before(bias):
    """To the last bit, on tables whose rows in another order have another rounding."""
    for seed in range(5):
        data = DataSettings(samples=331, scale=30, mean=100, noise=3, seed=seed)
        runs = [
            Settings(data=data, batch_size=50, bias=bias, shuffle=on, epochs=2)
            for on in (False, True)
        ]
        found = []
        for order in (runs, runs[::-1]):
            table = make_data(data)
            table = Dataset(table.X, table.y)  # of which nothing is known yet
            surfaces = {run.shuffle: loss_surface(table, run) for run in order}
            surfaces["matched"] = matched_surface(table, bias)
            found.append({key: (one.origin, one.A, one.c) for key, one in surfaces.items()})
        for key, parts in found[0].items():
            for first, second in zip(parts, found[1][key], strict=True):
                np.testing.assert_array_equal(first, second, err_msg=f"seed {seed}, {key}")
