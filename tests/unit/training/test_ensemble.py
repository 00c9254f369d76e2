"""The compiled ensemble equals PyTorch step for step."""

import inspect
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
from project import ROOT, printed

from linreg import (
    DataSettings,
    Settings,
    SettingsError,
    batch_moments,
    loss_surface,
    make_data,
    train,
    train_ensemble,
)
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.wirings import WIRINGS
from linreg.training.ensemble import MIN_STEPS_FOR_THREADS, in_parallel
from linreg.training.kernels import RULES

SMALL = DataSettings(
    samples=1_000, mean=20.0, correlation=0.3
)  # nonzero means, which matter with a bias


def each_optimizer(**given):
    """Settings for every optimizer, with learning rates at which it moves but does not overflow."""
    for name, entry in OPTIMIZERS.items():
        own = (
            {"lr": 1e-5}
            if entry.torch_name == "SGD"
            else {"lr": 0.1}
            if name == "Adadelta"
            else {"lr": 0.01}
        )
        momentum = [0.9] if entry.needs_momentum else [0.0, 0.5] if entry.takes_momentum else [0.0]
        for beta in momentum:
            yield Settings(optimizer=name, momentum=beta, **{**own, **given})


def assert_equal_paths(settings, table):
    """Assert that runs of PyTorch in double precision, trained in one pass, equal the ensemble."""
    for run in train(settings, table, dtype=torch.float64):
        one = run.settings
        given = {"momentum": one.momentum} if one.momentum else {}
        moments = batch_moments(table, one)
        found = train_ensemble(
            moments, run.weights[:1], one.lr, one.optimizer, steps=len(run.losses), **given
        )
        assert run.diverged_at is None
        assert found.diverged_at.tolist() == [-1]
        size = np.maximum(
            np.abs(run.weights), np.abs(run.weights).max(1, keepdims=True)
        )  # a weight that crosses zero
        worst = (np.abs(found.weights[:, 0] - run.weights) / size).max()
        assert worst < 1e-9, f"{one}: {worst}"


FEW = replace(SMALL, samples=60)


@pytest.mark.slow
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 30, 60])
@pytest.mark.parametrize("wiring", ["original", "squeeze"])
def test_every_optimizer_equals_pytorch_for_every_batch_size(wiring, batch_size, bias):
    """Of its wiring the ensemble only knows whether it compares all pairs."""
    epochs = -(-40 // -(-FEW.samples // batch_size))
    given = {"wiring": wiring, "batch_size": batch_size, "epochs": epochs, "bias": bias}
    assert_equal_paths(list(each_optimizer(data=FEW, **given)), make_data(FEW))


@pytest.mark.parametrize("bias", [False, True])
def test_every_wiring_equals_pytorch(bias):
    wirings = [key for key, wiring in WIRINGS.items() if wiring.takes_bias or not bias]
    settings = [
        Settings(data=FEW, wiring=key, batch_size=7, epochs=4, bias=bias) for key in wirings
    ]
    assert_equal_paths(settings, make_data(FEW))


@pytest.mark.slow
@pytest.mark.parametrize(("wiring", "bias"), [("original", False), ("squeeze", True)])
def test_every_optimizer_equals_pytorch_over_3000_steps(wiring, bias):
    """Half of them on each side: the gradients of both are tested for every optimizer above.

    Not with full batches: there RMSprop and Adadelta end in a chaotic oscillation, in PyTorch too,
    where two runs that start 1e-15 apart end in different places."""
    settings = list(each_optimizer(data=SMALL, wiring=wiring, epochs=300, bias=bias))[bias::2]
    assert {one.steps for one in settings} == {3_000}
    assert_equal_paths(settings, make_data(SMALL))


def test_a_shuffled_run_uses_the_shuffled_batches():
    settings = [
        Settings(data=SMALL, wiring=key, shuffle=True, seed=4, epochs=20)
        for key in ("original", "squeeze")
    ]
    assert_equal_paths(settings, make_data(SMALL))


@pytest.mark.parametrize("name", RULES)
def test_hyperparameters_have_pytorchs_names_and_defaults(name):
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    for ours in list(inspect.signature(RULES[name].plan.compute).parameters.values())[1:]:
        assert theirs[ours.name].default == ours.default


@pytest.mark.parametrize(
    ("optimizer", "given"),
    [
        ("RMSprop", {"alpha": 0.9, "eps": 1e-3, "momentum": 0.5}),
        ("Adam", {"betas": (0.5, 0.9)}),
        ("AdamW", {"weight_decay": 0.5}),
        ("NAdam", {"momentum_decay": 0.1}),
        ("Adadelta", {"rho": 0.5}),
    ],
)
def test_other_hyperparameters_equal_pytorchs(optimizer, given):
    table = make_data(SMALL)
    X, y = torch.tensor(table.X), torch.tensor(table.y)
    w = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    descent = getattr(torch.optim, optimizer)([w], lr=0.02, **given)
    path = [w.detach().numpy().copy()]
    for step in range(50):
        rows = slice(step % 10 * 100, step % 10 * 100 + 100)
        descent.zero_grad()
        ((X[rows] @ w - y[rows]) ** 2).mean().backward()
        descent.step()
        path.append(w.detach().numpy().copy())
    moments = batch_moments(table, Settings(data=SMALL, wiring="squeeze"))
    found = train_ensemble(moments, np.array([[1.0, -2.0]]), 0.02, optimizer, steps=50, **given)
    np.testing.assert_allclose(found.weights[:, 0], path, rtol=1e-11)


def test_each_run_has_its_own_lr_init_and_moments():
    table = make_data(SMALL)
    sides = [Settings(data=SMALL, wiring=key, epochs=3) for key in ("original", "squeeze")]
    moments = [batch_moments(table, side) for side in sides]
    generator = np.random.default_rng(0)
    init, lr = generator.normal(size=(70, 2)), generator.uniform(0.001, 0.1, 70)
    groups = generator.integers(0, 2, 70)
    together = train_ensemble(moments, init, lr, "Adam", steps=30, groups=groups)
    for run in range(70):
        alone = train_ensemble(moments[groups[run]], init[[run]], lr[run], "Adam", steps=30)
        np.testing.assert_array_equal(together.weights[:, run], alone.weights[:, 0])


@pytest.mark.parametrize("record_every", [1, 7, 50, 300, 301, 1_000])
def test_the_record_is_thinned_and_keeps_the_last_step(record_every):
    moments = batch_moments(make_data(SMALL), Settings(data=SMALL))
    init = np.array([[0.5, 0.25], [3.0, 4.0]])
    whole = train_ensemble(moments, init, 0.01, steps=300)
    thinned = train_ensemble(moments, init, 0.01, steps=300, record_every=record_every)
    assert thinned.steps.tolist() == sorted({*range(0, 300, record_every), 300})
    np.testing.assert_array_equal(thinned.weights, whole.weights[thinned.steps])


def test_a_run_that_diverges_is_marked_and_does_not_affect_the_others():
    """SGD at 0.01 overflows between two checks; the step equals the trainer's, up to rounding."""
    settings = [
        Settings(data=SMALL, optimizer="SGD", lr=lr, init=(1.0, 1.0)) for lr in (0.01, 1e-5)
    ]
    lost, kept = train(settings, make_data(SMALL), dtype=torch.float64)
    moments = batch_moments(make_data(SMALL), settings[0])
    found = train_ensemble(moments, np.ones((2, 2)), np.array([0.01, 1e-5]), "SGD", steps=300)
    at = found.diverged_at[0]
    assert abs(at - lost.diverged_at) <= 1
    assert np.isfinite(found.weights[:at, 0]).all()
    assert np.isnan(found.weights[at:, 0]).all()
    np.testing.assert_allclose(found.weights[:, 1], kept.weights, rtol=1e-9)
    assert found.diverged_at[1] == -1
    alone = train_ensemble(moments, np.ones((1, 2)), 1e-5, "SGD", steps=300)
    np.testing.assert_array_equal(found.weights[:, 1], alone.weights[:, 0])


def test_a_start_with_an_infinite_loss_is_marked_at_step_0():
    moments = batch_moments(make_data(SMALL), Settings(data=SMALL))
    found = train_ensemble(moments, np.array([[1e200, 0.0], [1.0, 1.0]]), 0.01, steps=10)
    assert found.diverged_at.tolist() == [0, -1]


def test_sgd_ends_where_least_squares_does():
    """With matched shapes and one batch, gradient descent converges to numpy's least squares."""
    table = make_data(SMALL)
    settings = Settings(data=SMALL, wiring="squeeze", batch_size=SMALL.samples)
    lr = loss_surface(table, settings).stable_lr() / 2
    found = train_ensemble(batch_moments(table, settings), np.zeros((1, 2)), lr, "SGD", steps=2_000)
    np.testing.assert_allclose(
        found.final[0], np.linalg.lstsq(table.X, table.y, rcond=None)[0], rtol=1e-10
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": 0.0}, "learning rate 0 is not possible; use a finite number above 0"),
        ({"lr": np.array([0.1, np.inf])}, "learning rate inf is not possible"),
        ({"optimizer": "Sgd"}, "optimizer Sgd is unknown; use one of RMSprop"),
        ({"steps": 0}, "steps 0 is not possible"),
        ({"record_every": 0}, "record_every 0 is not possible"),
        ({"groups": np.array([0, 1])}, "groups must name one of 1 moments"),
        ({"init": np.zeros((2, 3))}, r"init of shape \(2, 3\) does not fit moments of 2 weights"),
        ({"init": np.full((2, 2), np.nan)}, "initial weights must be finite"),
        ({"optimizer": "Adam", "momentum": 0.9}, "Adam has no momentum; use betas, eps"),
        (
            {"optimizer": "Adam", "betas": (1.0, 0.999)},
            "betas 1 is not possible; use a number at least 0 and below 1",
        ),
        (
            {"optimizer": "Adadelta", "lr": 1.0, "rho": 1.5},
            "rho 1.5 is not possible; use a number from 0 to 1",
        ),
        (
            {"optimizer": "RMSprop", "eps": np.nan},
            "eps nan is not possible; use a number at least 0",
        ),
    ],
)
def test_impossible_arguments_are_named(given, message):
    moments = batch_moments(make_data(SMALL), Settings(data=SMALL))
    init, lr = given.pop("init", np.zeros((2, 2))), given.pop("lr", 0.01)
    with pytest.raises(SettingsError, match=message):
        train_ensemble(moments, init, lr, **{"steps": 10, **given})


# ---- threads, processes, disks -------------------------------------------------------------------


def large():
    """The final weights of an ensemble that is cut into several chunks."""
    settings = replace(Settings(data=SMALL), wiring="squeeze")
    init = np.random.default_rng(1).normal(size=(MIN_STEPS_FOR_THREADS // 500, 2))
    return train_ensemble(
        batch_moments(make_data(SMALL), settings), init, 0.01, steps=1_000, record_every=1_000
    )


@pytest.mark.slow
def test_concurrent_threads_get_identical_results():
    expected, found = large().final, [None] * 8
    threads = [
        threading.Thread(target=lambda i=i: found.__setitem__(i, large().final)) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        np.testing.assert_array_equal(one, expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # warnings of dask itself
def test_the_same_call_runs_on_a_dask_cluster():
    distributed = pytest.importorskip("distributed")
    expected = large().final
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config(backend="dask", wait_for_workers_timeout=60),
    ):
        before = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter)
        found = large().final
        after = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter)
    assert after > before, "the cluster did the work"
    np.testing.assert_array_equal(found, expected)


FIRST_USE = """
import numpy as np, threading
from linreg import DataSettings, Settings, batch_moments, make_data, train_ensemble
from linreg.training.kernels import _kernels
data = DataSettings(samples=100)
moments = batch_moments(make_data(data), Settings(data=data))
found = []
def one():
    found.append(train_ensemble(moments, np.ones((1, 2)), 0.01, steps=9))
threads = [threading.Thread(target=one) for _ in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
assert len({one.final.tobytes() for one in found}) == 1, found
(kernel,) = _kernels.values()  # one run: the narrow one
print(sum(kernel.stats.cache_hits.values()))
"""


def first_use(cwd=ROOT, **environment):
    """The number of kernels that a new process finds on disk."""
    ran = subprocess.run(
        [sys.executable, "-c", FIRST_USE],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stdout)


@pytest.mark.slow
def test_eight_threads_compile_once_and_a_second_process_loads_it_from_disk(tmp_path):
    assert first_use(NUMBA_CACHE_DIR=str(tmp_path)) == 0
    assert first_use(NUMBA_CACHE_DIR=str(tmp_path)) == 1


@pytest.mark.slow
def test_without_a_writable_cache_the_kernel_is_compiled_per_process(tmp_path):
    """A copy of the package with a file in place of each cache folder of numba, because
    permissions do not stop root."""
    shutil.copytree(
        ROOT / "linreg", tmp_path / "linreg", ignore=shutil.ignore_patterns("__pycache__")
    )
    nowhere = tmp_path / "linreg" / "__pycache__"
    nowhere.write_text("a file, not a folder")
    homes = {
        name: str(nowhere / "x")
        for name in ("NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME", "IPYTHONDIR")
    }
    assert first_use(cwd=tmp_path, **homes) == 0
    assert nowhere.read_text() == "a file, not a folder"


FLAT = """
import numpy as np
from linreg import DataSettings, Settings, batch_moments, make_data, train_ensemble
from linreg.training.ensemble import in_parallel
data = DataSettings(samples=100)
moments = batch_moments(make_data(data), Settings(data=data))
def last_mean(seed):
    init = np.random.default_rng(seed).normal(size=(100_000, 2))
    return train_ensemble(moments, init, 0.01, steps=2, record_every=2).final.mean(0)
def peak():
    # megabytes; not from getrusage, whose value a new process inherits from its parent
    lines = open('/proc/self/status')
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith('VmHWM'))
list(in_parallel(last_mean, range(8)))
before = peak()
means = list(in_parallel(last_mean, range(100)))
print(len(means), peak() - before)
"""


@pytest.mark.slow
def test_ten_million_runs_are_reduced_in_flat_memory():
    tasks, megabytes = printed(FLAT)
    assert int(tasks) == 100
    assert float(megabytes) < 60, "the inits of ten million runs alone are 160 MB"


def test_tasks_are_consumed_lazily():
    drawn = []

    def tasks():
        for number in range(1_000):
            drawn.append(number)
            yield number

    results = in_parallel(lambda number: number * 2, tasks())
    assert [next(results), next(results)] == [0, 2]
    results.close()
    assert len(drawn) < 1_000
