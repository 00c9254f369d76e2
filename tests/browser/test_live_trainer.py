"""The training in the browser equals `train_ensemble`; both losses, and what lies between them,
equal sums over all pairs."""

from dataclasses import replace

import numpy as np
import pytest
from live_modules import DECODED, ENCODED, MODULES, decoded, encoded, open_modules

from linreg.data.dataset import initial_weights
from linreg.data.tables import make_data
from linreg.quadratic.moments import batch_moments
from linreg.quadratic.streaming import matched_surface
from linreg.settings.model import DataSettings, Settings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.training import kernels
from linreg.training.browser import browser_problems, browser_surface
from linreg.training.ensemble import train_ensemble
from linreg.training.javascript import rules_module
from linreg.training.kernels import Rule
from linreg.training.plans import PLANS, Plan

pytestmark = pytest.mark.browser

SMALL = DataSettings(samples=1_000, mean=20.0, correlation=0.3)
RATES = {"SGD": 1e-5, "Nesterov": 1e-6, "Adadelta": 0.1}

TRAIN = f"""async ({{cases, arrays, recordEvery, repeat}}) => {{
  {DECODED} {ENCODED}
  const {{ problemOf }} = await import("./problem.js");
  const {{ createPath, train }} = await import("./trainer.js");
  const found = arrays.map(decoded);
  return cases.map(sent => {{
    const problem = problemOf(sent, found);
    const path = createPath(problem, recordEvery);
    if (repeat) train(problem, path, problem.origin, 10 * sent.lr); // leaves nothing behind
    train(problem, path, sent.init, sent.lr);
    const columns = [...path.weights, path.losses, path.lowest, path.highest];
    return [path.divergedAt, ...[Float64Array.from(path.steps), ...columns].map(encoded)];
  }});
}}"""


@pytest.fixture(scope="module")
def page(browser):
    opened = browser.new_page()
    open_modules(opened)
    yield opened
    opened.close()


def trained_in_browser(page, table, runs, record_every=1, repeat=False, **hyperparameters):
    """Weights (S, P), losses, lowest and highest (S − 1,) and `diverged_at` of each run."""
    sent = browser_problems(table, runs, lambda run: batch_moments(table, run), **hyperparameters)
    arrays = [encoded(array) for array in sent.arrays]
    given = {"cases": list(sent.problems), "arrays": arrays, "recordEvery": record_every}
    results = page.evaluate(TRAIN, {**given, "repeat": repeat})
    for run, (diverged_at, steps, *columns) in zip(runs, results, strict=True):
        *weights, losses, lowest, highest = (decoded(column, -1) for column in columns)
        assert decoded(steps, -1).tolist() == [*range(0, run.steps, record_every), run.steps]
        yield run, np.stack(weights, axis=1), losses, (lowest, highest), diverged_at


def ensemble(table, run, record_every=1, **hyperparameters):
    given = {"momentum": run.momentum} if run.momentum else {}
    return train_ensemble(
        batch_moments(table, run),
        initial_weights(run)[None],
        run.lr,
        run.optimizer,
        steps=run.steps,
        record_every=record_every,
        **given,
        **hyperparameters,
    )


def assert_equal_weights(run, weights, expected):
    size = np.maximum(np.abs(expected), np.abs(expected).max(1, keepdims=True))
    worst = np.nanmax(np.abs(weights - expected) / size, initial=0)
    assert worst < 1e-9, f"{run}: {worst}"
    np.testing.assert_array_equal(np.isnan(weights), np.isnan(expected))


def each_run(**given):
    for name, entry in OPTIMIZERS.items():
        momentum = [0.9] if entry.needs_momentum else [0.0, 0.5] if entry.takes_momentum else [0.0]
        for beta in momentum:
            yield Settings(optimizer=name, momentum=beta, lr=RATES.get(name, 0.01), **given)


@pytest.mark.parametrize(("batch_size", "bias"), [(1, True), (7, False), (100, True)])
def test_every_optimizer_equals_the_ensemble_over_3000_steps(page, batch_size, bias):
    """With 7 rows in a batch the last batch is short. Wirings differ in whether they compare all
    pairs only."""
    table = make_data(SMALL)
    epochs = -(-3_000 // -(-SMALL.samples // batch_size))
    runs = [
        run
        for wiring in ("original", "squeeze")
        for run in each_run(
            data=SMALL, wiring=wiring, batch_size=batch_size, epochs=epochs, bias=bias
        )
    ]
    for run, weights, losses, _, diverged_at in trained_in_browser(page, table, runs):
        expected = ensemble(table, run)
        assert diverged_at == expected.diverged_at[0] == -1
        assert_equal_weights(run, weights, expected.weights[:, 0])
        moments = batch_moments(table, run)
        count = len(moments)
        for step in (0, 1, count - 1, count, run.steps - 1):
            loss = moments.batch(step % count).value(expected.weights[step, 0])
            assert losses[step] == pytest.approx(float(loss), rel=1e-9)


def test_shuffled_runs_take_the_batches_in_the_order_of_python(page):
    table = make_data(SMALL)
    shuffled = Settings(data=SMALL, shuffle=True, seed=4, epochs=3, lr=0.01)
    for batch_size in (1, 7, 300):
        run = replace(shuffled, batch_size=batch_size)
        ((_, weights, *_),) = trained_in_browser(page, table, [run])
        assert_equal_weights(run, weights, ensemble(table, run).weights[:, 0])


def test_other_hyperparameters_reach_the_browser(page):
    table, run = make_data(SMALL), Settings(data=SMALL, optimizer="Adam", epochs=20)
    ((_, weights, *_),) = trained_in_browser(page, table, [run], betas=(0.5, 0.9))
    expected = ensemble(table, run, betas=(0.5, 0.9)).weights[:, 0]
    assert_equal_weights(run, weights, expected)
    assert np.abs(expected - ensemble(table, run).weights[:, 0]).max() > 0.01


@pytest.mark.parametrize("record_every", [1, 7])
def test_divergence_ends_a_path_as_the_ensemble_does(page, record_every):
    """A path that is filled again has nothing of the training before."""
    table = make_data(SMALL)
    runs = [
        Settings(data=SMALL, optimizer=name, momentum=momentum, lr=lr, bias=bias, epochs=60)
        for bias in (False, True)
        for name, momentum, lr in (
            ("SGD", 0.0, 1e-3),
            ("SGD", 0.9, 0.3),
            ("Nesterov", 0.9, 1e-3),
            ("RMSprop", 2.0, 0.01),
            ("Adam", 0.0, 1e300),
            ("Adagrad", 0.0, 0.01),
        )
    ]
    runs.append(replace(runs[0], init=(1e200, 1.0)))  # at once
    whole = replace(runs[0], batch_size=1_000, epochs=400)
    last = int(ensemble(table, whole).diverged_at[0])
    runs += [replace(whole, epochs=last), replace(whole, epochs=last - 1)]  # at its end, and not
    ends = set()
    for run, weights, losses, (lowest, highest), diverged_at in trained_in_browser(
        page, table, runs, record_every, repeat=True
    ):
        expected = ensemble(table, run, record_every)
        assert diverged_at == expected.diverged_at[0]
        ends.add(diverged_at >= 0)
        assert_equal_weights(run, weights, expected.weights[:, 0])
        for column in (losses, lowest, highest):
            np.testing.assert_array_equal(np.isnan(column), np.isnan(weights[:-1, 0]))
    assert ends == {True, False}


def test_every_recorded_loss_has_the_range_until_the_next(page):
    table, run = make_data(SMALL), Settings(data=SMALL, epochs=30)
    ((_, weights, losses, *_),) = trained_in_browser(page, table, [run])
    ((_, few, some, (lowest, highest), _),) = trained_in_browser(page, table, [run], 70)
    np.testing.assert_array_equal(few, weights[[*range(0, 300, 70), 300]])
    np.testing.assert_array_equal(some, losses[::70])
    windows = np.split(losses, range(70, 300, 70))
    np.testing.assert_array_equal(lowest, [window.min() for window in windows])
    np.testing.assert_array_equal(highest, [window.max() for window in windows])


DRAG = f"""async ({{sent, arrays, frames, alpha}}) => {{
  {DECODED} {ENCODED}
  const {{ problemOf }} = await import("./problem.js");
  const {{ createPath, train }} = await import("./trainer.js");
  const {{ mix }} = await import("./moments.js");
  const [original, fixed] = sent.map(side => problemOf(side, arrays.map(decoded)));
  const table = mix(fixed.table, original.table, alpha, new Float64Array(fixed.table.length));
  const problem = {{ ...original, table }};
  const path = createPath(problem);
  return frames.map(([start, lr, momentum]) =>
    train(problem, path, start, lr, momentum).weights.map(encoded));
}}"""


@pytest.mark.parametrize("optimizer", ["RMSprop", "SGD", "Nesterov"])
@pytest.mark.parametrize("alpha", [0, 0.4])
def test_a_drag_trains_from_other_starts_at_other_rates_and_momentum(page, optimizer, alpha):
    """From what was sent for one start, rate and momentum; also between the two losses."""
    table = make_data(SMALL)
    original = Settings(data=SMALL, optimizer=optimizer, momentum=0.9, lr=1e-6)
    sides = [original, replace(original, wiring="squeeze")]
    broadcast, matched = (batch_moments(table, side) for side in sides)
    between_both = replace(
        matched,
        c=(1 - alpha) * matched.c + alpha * broadcast.c,
        s=(1 - alpha) * matched.s + alpha * broadcast.s,
    )
    sent = browser_problems(table, sides, lambda side: batch_moments(table, side))
    rate = RATES.get(optimizer, 0.02)
    frames = [[[1.0, -2.0], rate, 0.7], [[30.0, 8.0], 2 * rate, 0.2], [[0.5, 0.0], 3 * rate, 0.5]]
    arrays = [encoded(array) for array in sent.arrays]
    given = {"sent": list(sent.problems), "arrays": arrays, "frames": frames, "alpha": alpha}
    for (start, lr, momentum), columns in zip(frames, page.evaluate(DRAG, given), strict=True):
        weights = np.stack([decoded(column, -1) for column in columns], axis=1)
        expected = train_ensemble(
            between_both, np.array([start]), lr, optimizer, steps=original.steps, momentum=momentum
        )
        assert_equal_weights(original, weights, expected.weights[:, 0])


ALONG = f"""async ({{sent, arrays, surface}}) => {{
  {DECODED} {ENCODED}
  const {{ problemOf }} = await import("./problem.js");
  const {{ createPath, train }} = await import("./trainer.js");
  const {{ valuesOf }} = await import("./surface.js");
  const problem = problemOf(sent, arrays.map(decoded));
  const path = train(problem, createPath(problem), sent.init, sent.lr);
  return encoded(valuesOf(surface, path.weights, path.steps.length));
}}"""


@pytest.mark.parametrize("bias", [False, True])
def test_the_correct_loss_of_a_path_is_that_of_the_matched_surface(page, bias):
    table, run = make_data(SMALL), Settings(data=SMALL, bias=bias)
    surface = matched_surface(table, bias)
    sent = browser_problems(table, [run], lambda run: batch_moments(table, run))
    arrays = [encoded(array) for array in sent.arrays]
    given = {"sent": sent.problems[0], "arrays": arrays, "surface": browser_surface(surface)}
    losses = decoded(page.evaluate(ALONG, given), -1)
    expected = surface.value(ensemble(table, run).weights[:, 0])
    np.testing.assert_allclose(losses, expected, rtol=1e-9)


def _pulled(w, g, m, v, lr, c, a, b, d):
    slope = max(min(g, c[1]), -c[1]) * b
    m = c[0] * m - slope
    slope = m - slope / -(2 + abs(m)) - d
    return w + lr * (slope - (v - a)), m, v + w


def _plan_of_pulled(t, momentum=0.0, limit=1_000.0):
    return (momentum * 2, limit), np.stack([1 / t, np.sqrt(t), 0.1 + 0 * t], axis=1)


def test_a_new_rule_of_the_registry_works_in_the_browser_by_itself(browser, monkeypatch):
    plan = Plan(_plan_of_pulled, scheduled=True)
    monkeypatch.setitem(kernels.RULES, "Pulled", Rule(_pulled, plan))
    monkeypatch.setitem(PLANS, "Pulled", plan)
    entry = replace(OPTIMIZERS["RMSprop"], torch_name="Pulled")
    monkeypatch.setitem(OPTIMIZERS, "RMSprop", entry)
    table = make_data(SMALL)
    run = Settings(data=SMALL, momentum=0.3, lr=1e-4, batch_size=300, epochs=25, bias=True)
    page = browser.new_page()
    open_modules(page, rules=rules_module())
    ((_, weights, *_),) = trained_in_browser(page, table, [run])
    page.close()
    constants, schedule = plan.arrays(100, momentum=0.3)
    state = np.stack([initial_weights(run), np.zeros(3), np.zeros(3)])  # w, m, v
    expected, moments = [state[0]], batch_moments(table, run)
    for step in range(100):
        gradient = moments.batch(step % 4).gradient(state[0])
        each = zip(state.T, gradient, strict=True)
        state = np.array([
            _pulled(w, g, m, v, run.lr, constants, *schedule[step]) for (w, m, v), g in each
        ]).T  # fmt: skip
        expected.append(state[0])
    assert_equal_weights(run, weights, np.array(expected))


# ---- between the two losses ----------------------------------------------------------------------

BETWEEN = f"""async ({{columns, batchSize, origin, alpha, points}}) => {{
  {DECODED} {ENCODED}
  const {{ batchCount, batchMoments, meanOf, mix, tableWidth }} = await import("./moments.js");
  const {{ minimum, section, value }} = await import("./surface.js");
  const [x1, x2, y] = columns.map(decoded);
  const rows = {{ x1, x2, y, order: null }};
  const o = Float64Array.from(origin);
  const width = tableWidth(o.length);
  const size = batchCount(rows, batchSize) * width;
  const tables = [false, true].map(pairs =>
    batchMoments(rows, batchSize, pairs, o, new Float64Array(size)));
  const mixed = mix(...tables, alpha, new Float64Array(size));
  const surface = {{ row: meanOf(mixed, width), origin: o }};
  const found = minimum(surface);
  const [from, to] = points;
  return {{
    tables: [...tables, mixed].map(encoded),
    losses: points.map(point => value(surface, point)),
    section: Array.from(section(surface, from, to, [0, 0.25, 1], new Float64Array(3))),
    minimum: Array.from(found.weights), loss: found.loss, unique: found.unique,
  }};
}}"""


def between(page, table, settings, alpha, points=((0.0, 0.0), (1.0, 1.0))):
    origin = batch_moments(table, settings).origin
    padded = [list(point) + [2.0] * settings.bias for point in points]
    return page.evaluate(
        BETWEEN,
        {
            "columns": [encoded(column.copy()) for column in (*table.X.T, table.y)],
            "batchSize": settings.batch_size,
            "origin": origin.tolist(),
            "alpha": alpha,
            "points": padded,
        },
    )


def pair_rows(table, batch_size, alpha, bias):
    """Rows (M, P), targets and weights (M,): the mixed loss is their weighted sum of squares."""
    parts = []
    X = np.column_stack([table.X, np.ones(len(table.y))])[:, : 2 + bias]
    firsts = range(0, len(X), batch_size)
    for first in firsts:
        x, y = X[first : first + batch_size], table.y[first : first + batch_size]
        B = len(y)
        pairs = np.full((B, B), alpha / B**2) + np.eye(B) * (1 - alpha) / B
        parts.append((np.repeat(x, B, axis=0), np.tile(y, B), pairs.ravel() / len(firsts)))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 60])
@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_between_the_losses_every_pair_counts(page, alpha, batch_size, bias):
    table = make_data(replace(SMALL, samples=60))
    settings = Settings(data=replace(SMALL, samples=60), batch_size=batch_size, bias=bias)
    points = np.random.default_rng(0).normal(size=(5, 2)) * 10
    found = between(page, table, settings, alpha, points.tolist())
    rows, targets, weights = pair_rows(table, batch_size, alpha, bias)
    padded = np.column_stack([points, np.full(5, 2.0)])[:, : 2 + bias]
    on_line = padded[0] + np.array([[0], [0.25], [1]]) * (padded[1] - padded[0])
    for name, at in (("losses", padded), ("section", on_line)):
        expected = [weights @ (rows @ w - targets) ** 2 for w in at]
        np.testing.assert_allclose(found[name], expected, rtol=1e-9)
    scale = np.sqrt(weights)
    best = np.linalg.lstsq(rows * scale[:, None], targets * scale, rcond=None)[0]
    np.testing.assert_allclose(found["minimum"], best, rtol=1e-9, atol=1e-9)
    assert found["loss"] == pytest.approx(weights @ (rows @ best - targets) ** 2, rel=1e-9)
    assert found["unique"]
    matched, broadcast, mixed = (decoded(text, -1) for text in found["tables"])
    if alpha in (0, 1):
        np.testing.assert_array_equal(mixed, broadcast if alpha else matched)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_moments_from_rows_equal_pythons(page, batch_size, bias):
    table = make_data(SMALL)
    settings = Settings(data=SMALL, batch_size=batch_size, bias=bias)
    found = between(page, table, settings, 0.5)["tables"]
    for text, wiring in zip(found, ("squeeze", "original"), strict=False):
        moments = batch_moments(table, replace(settings, wiring=wiring))
        columns = decoded(text, len(moments), -1).T
        A, c = 2 * moments.A, 2 * moments.c
        expected = [A[:, 0, 0], A[:, 0, 1], A[:, 1, 1], c[:, 0], c[:, 1], moments.s]
        if bias:
            expected += [A[:, 0, 2], A[:, 1, 2], A[:, 2, 2], c[:, 2]]
        for column, ours in zip(columns, expected, strict=True):
            np.testing.assert_allclose(column, ours, rtol=1e-9, atol=1e-9 * np.abs(ours).max())


def test_a_minimum_that_is_not_unique_is_said_to_be(page):
    table = make_data(replace(SMALL, samples=60, correlation=1.0))
    settings = Settings(data=replace(SMALL, samples=60, correlation=1.0), batch_size=60)
    found = between(page, table, settings, 1)
    surface = batch_moments(table, settings).mean()
    assert not surface.unique
    assert not found["unique"]
    assert found["loss"] == pytest.approx(surface.min_loss, rel=1e-9)
    assert surface.value(np.array(found["minimum"])) == pytest.approx(surface.min_loss, rel=1e-9)


# ---- the files -----------------------------------------------------------------------------------


def test_every_module_can_be_imported_and_keeps_to_100_columns(page):
    for module in sorted(MODULES.glob("*.js")):
        page.evaluate("name => import('./' + name)", module.name)
        long = [line for line in module.read_text().splitlines() if len(line) > 100]
        assert not long, f"{module.name}: {long[0]}"
