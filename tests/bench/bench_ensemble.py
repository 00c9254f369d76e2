"""The compiled ensemble and its peers on the same work, in one run: `make bench`.

RMSprop on the thread's data, the bug's wiring, batches of 100. Every contender but the plain loop
descends on the same moments, in double precision. What counts are the ratios; the table at the end
is Markdown."""

import math
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import joblib
import numba
import numpy as np
import optax
import pytest
import torch

from linreg import Settings, batch_moments, make_data, train_ensemble

jax.config.update("jax_enable_x64", True)
RUNS, STEPS, LONG, ROWS = 10_240, 3_000, 300_000, 10_000_000
SETTINGS = Settings()
TABLE = make_data(SETTINGS.data)
MOMENTS = batch_moments(TABLE, SETTINGS)
INIT = np.random.default_rng(0).uniform(-0.7, 0.7, (RUNS, 2))
measured = {}  # name -> nanoseconds a run and step


@pytest.fixture
def timed(benchmark):
    """Times a contender by its best of some rounds, after one that compiles."""

    def run(name, work, runs, steps, rounds=5):
        benchmark.pedantic(work, rounds=rounds, warmup_rounds=1)
        measured[name] = benchmark.stats.stats.min / runs / steps * 1e9

    return run


@pytest.fixture(scope="module", autouse=True)
def _table():
    yield
    print(
        "\n\n| 10,240 runs × 3,000 steps | ns a run and step | times the ensemble |\n|---|---|---|"
    )
    for name, value in measured.items():
        ours = measured[
            "one run: the ensemble" if name.startswith("one run") else "the ensemble, all cores"
        ]
        print(f"| {name} | {value:,.1f} | {value / ours:,.1f} |")


def plain_loop(steps, batch_size):
    X, y = torch.tensor(TABLE.X, dtype=torch.float32), torch.tensor(TABLE.y, dtype=torch.float32)
    net, criterion = torch.nn.Linear(2, 1, bias=False), torch.nn.MSELoss()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for step in range(steps):
            rows = slice(step * batch_size % len(X), step * batch_size % len(X) + batch_size)
            loss = criterion(net(X[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def stacked(steps):
    A, c, origin = (torch.tensor(part) for part in (MOMENTS.A, MOMENTS.c, MOMENTS.origin))
    w = torch.nn.Parameter(torch.tensor(INIT))
    optimizer = torch.optim.RMSprop([w], lr=0.01)
    for step in range(steps):
        k = step % len(A)
        w.grad = 2 * ((w.detach() - origin) @ A[k] - c[k])
        optimizer.step()


def scanned(gradient, batches):
    """One run of optax's RMSprop in `lax.scan`."""
    descent = optax.rmsprop(0.01, decay=0.99, eps=1e-8)

    def run(w, steps):
        def step(carry, t):
            w, state = carry
            change, state = descent.update(gradient(w, t % batches), state, w)
            return (optax.apply_updates(w, change), state), None

        return jax.lax.scan(step, (w, descent.init(w)), jnp.arange(steps))[0][0]

    return run


def on_moments(moments):
    A, c, origin = (jnp.array(part) for part in (moments.A, moments.c, moments.origin))
    return scanned(lambda w, k: 2 * (A[k] @ (w - origin) - c[k]), len(A))


def on_rows(batch_size):
    """With the shapes matched: all pairs would cost JAX a hundred times as much."""
    X, y = (jnp.array(part).reshape(-1, batch_size, *part.shape[1:]) for part in (TABLE.X, TABLE.y))
    return scanned(lambda w, k: jax.grad(lambda w: ((X[k] @ w - y[k]) ** 2).mean())(w), len(X))


@numba.njit(error_model="numpy")
def root_and_division(values, steps):
    """The floor: of each number one square root and one division a step, nothing else."""
    part = np.empty(64)
    for first in range(0, len(values), 64):
        part[:] = values[first : first + 64]
        for _ in range(steps):
            for k in range(64):
                part[k] = 1.0 / (math.sqrt(part[k]) + 1e-8)
        values[first : first + 64] = part


def test_ensemble_on_all_cores(timed):
    timed(
        "the ensemble, all cores",
        lambda: train_ensemble(MOMENTS, INIT, 0.01, steps=STEPS, record_every=STEPS),
        RUNS,
        STEPS,
    )


def test_ensemble_on_one_core(timed):
    def work():
        for part in np.split(INIT, 40):  # too little work each to be given to other threads
            train_ensemble(MOMENTS, part, 0.01, steps=STEPS, record_every=STEPS)

    timed("the ensemble, one core", work, RUNS, STEPS)


def test_floor(timed):
    values = np.random.default_rng(0).uniform(1, 2, 2 * RUNS)
    timed(
        "floor: a bare loop of one √ and one ÷ a weight, one core",
        lambda: root_and_division(values, STEPS),
        RUNS,
        STEPS,
    )


def test_jax_on_moments(timed):
    run = jax.jit(jax.vmap(lambda w: on_moments(MOMENTS)(w, STEPS)))
    timed(
        "JAX + optax, vmap + scan, on our moments",
        lambda: run(INIT).block_until_ready(),
        RUNS,
        STEPS,
    )


def test_jax_on_rows(timed):
    run = jax.jit(jax.vmap(lambda w: on_rows(100)(w, 30)))
    timed(
        "JAX + optax, vmap + scan + grad, on 100 matched rows",
        lambda: run(INIT).block_until_ready(),
        RUNS,
        30,
        rounds=3,
    )


def test_stacked_torch_optim(timed):
    timed("stacked torch.optim, on our moments", lambda: stacked(300), RUNS, 300, rounds=3)


def test_plain_pytorch_loop(timed):
    timed("plain PyTorch loop (one run)", lambda: plain_loop(1_000, 100), 1, 1_000, rounds=3)


ONE = batch_moments(TABLE, Settings(batch_size=1, epochs=30))


def test_one_run(timed):
    timed(
        "one run: the ensemble",
        lambda: train_ensemble(ONE, INIT[:1], 0.01, steps=LONG, record_every=LONG),
        1,
        LONG,
    )


def test_one_run_of_jax_on_moments(timed):
    run = jax.jit(lambda w: on_moments(ONE)(w, LONG))
    timed(
        "one run: JAX + optax, scan, on our moments",
        lambda: run(INIT[0]).block_until_ready(),
        1,
        LONG,
    )


def test_one_run_of_jax_on_rows(timed):
    run = jax.jit(lambda w: on_rows(1)(w, LONG))
    timed(
        "one run: JAX + optax, scan + grad, on its rows",
        lambda: run(INIT[0]).block_until_ready(),
        1,
        LONG,
    )


def test_one_run_of_the_plain_loop(timed):
    timed(
        "one run: plain PyTorch loop (3,000 of its steps)",
        lambda: plain_loop(3_000, 1),
        1,
        3_000,
        rounds=3,
    )


MEMORY = """
import sys, time
import numpy as np
from linreg import Dataset, Settings, batch_moments, train_ensemble, make_data, DataSettings
def peak():
    # megabytes; not getrusage's, which a new process takes over from its parent
    lines = open('/proc/self/status')
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith('VmHWM'))
if sys.argv[1] == "moments":
    rows = int(sys.argv[2])
    generator = np.random.default_rng(0)
    X = generator.standard_normal((rows, 2))
    table = Dataset(X, X @ np.array([5.0, 3.0]))
    before, began = peak(), time.perf_counter()
    batch_moments(table, Settings(data=DataSettings(samples=rows), batch_size=100))
    print(time.perf_counter() - began, peak() - before)
else:
    from linreg.training.ensemble import in_parallel
    moments = batch_moments(make_data(DataSettings()), Settings())
    def work(seed):
        init = np.random.default_rng(seed).normal(size=(100_000, 2))
        return train_ensemble(moments, init, 0.01, steps=10, record_every=10).final.mean(0)
    list(in_parallel(work, range(8)))
    before, began = peak(), time.perf_counter()
    list(in_parallel(work, range(int(sys.argv[2]) // 100_000)))
    print(time.perf_counter() - began, peak() - before)
"""


@pytest.mark.parametrize(("what", "count"), [("moments", ROWS), ("runs", 10_000_000)])
def test_memory(what, count):
    ran = subprocess.run(
        [sys.executable, "-c", MEMORY, what, str(count)], capture_output=True, text=True, check=True
    )
    seconds, megabytes = map(float, ran.stdout.split())
    named = {
        "moments": f"moments of {count:,} rows",
        "runs": f"{count:,} runs of 10 steps, reduced chunk by chunk",
    }
    print(
        f"\n{named[what]}: {seconds:.2f} s, {megabytes:.0f} MB above what was there before, on"
        f" {joblib.cpu_count()} cores"
    )


def test_all_contenders_train_the_same_run():
    ours = train_ensemble(MOMENTS, INIT[:2], 0.01, steps=200).final
    np.testing.assert_allclose(
        jax.vmap(lambda w: on_moments(MOMENTS)(w, 200))(INIT[:2]), ours, rtol=1e-6
    )
    matched = batch_moments(TABLE, Settings(wiring="squeeze"))
    ours = train_ensemble(matched, INIT[:2], 0.01, steps=200).final
    np.testing.assert_allclose(jax.vmap(lambda w: on_rows(100)(w, 200))(INIT[:2]), ours, rtol=1e-6)
