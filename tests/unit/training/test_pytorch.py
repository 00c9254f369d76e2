"""The trainer gives the very numbers of a plain PyTorch script, keeps its words, and survives what
a script does not."""

import subprocess
import sys
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from plain import plain_run
from project import ROOT, printed

from linreg.data.dataset import Dataset
from linreg.data.tables import make_data
from linreg.settings.fields import SettingsError
from linreg.settings.model import DataSettings, Settings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.wirings import WIRINGS
from linreg.training.pytorch import train

SMALL = DataSettings(samples=230, scale=3.0)  # 23 batches of 10; with 32 a last batch of 6


def settings_for(optimizer, wiring="original", **more):
    momentum = 0.9 if OPTIMIZERS[optimizer].needs_momentum else 0.0
    lr = 0.001 if "SGD" in OPTIMIZERS[optimizer].torch_name else 0.01
    given = {"data": SMALL, "batch_size": 32, "epochs": 3, "lr": lr, "momentum": momentum, **more}
    return Settings(optimizer=optimizer, wiring=wiring, **given)


def assert_the_same(run, dtype=torch.float32):
    table = make_data(run.settings.data)
    weights, losses = plain_run(table.X, table.y, run.settings, dtype)
    np.testing.assert_array_equal(run.weights, weights.astype(run.weights.dtype))
    np.testing.assert_array_equal(run.losses, losses.astype(run.losses.dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_and_wiring_to_the_last_bit(optimizer, dtype):
    """All six wirings of one optimizer in one pass, so in one flat buffer, against six scripts."""
    for run in train([settings_for(optimizer, wiring) for wiring in WIRINGS], dtype=dtype):
        assert_the_same(run, dtype)


@pytest.mark.parametrize(
    "more",
    [
        {"bias": True},
        {"bias": True, "init": (2.0, 3.0)},
        {"bias": True, "init": (2.0, 3.0, -1.0)},
        {"init": (0.0, 0.0)},
        {"shuffle": True, "seed": 7},
        {"batch_size": 1, "epochs": 1},
        {"batch_size": 230},
        {"seed": 11},
    ],
    ids=str,
)
@pytest.mark.parametrize("wiring", WIRINGS)
def test_every_other_setting_to_the_last_bit(wiring, more):
    if more.get("bias") and not WIRINGS[wiring].takes_bias:
        pytest.skip("PyTorch's linear layer refuses it, see test_a_flat_weight_takes_no_bias")
    (run,) = train([settings_for("RMSprop", wiring, **more)])
    assert_the_same(run)


def test_a_flat_weight_takes_no_bias():
    """What the settings refuse, PyTorch refuses too."""
    with pytest.raises(RuntimeError, match="1-D"):
        torch.nn.functional.linear(torch.zeros(4, 2), torch.zeros(2), torch.zeros(1))
    with pytest.raises(SettingsError, match="wiring weight_1d has a one-dimensional weight"):
        settings_for("SGD", "weight_1d", bias=True)


def test_momentum_reaches_the_optimizers_that_take_it():
    for name in ("SGD", "Nesterov", "RMSprop"):
        (run,) = train([settings_for(name, momentum=0.5)])
        assert_the_same(run)


@pytest.mark.slow
def test_thousands_of_steps_to_the_last_bit():
    for run in train([Settings(), Settings(wiring="squeeze")]):
        assert len(run.losses) == 3000
        assert_the_same(run)


def test_many_runs_in_one_pass_do_not_touch_each_other():
    """Twenty runs make a buffer long enough for vector instructions, where a single run has
    none."""
    many = [
        settings_for("Adam", wiring, seed=seed) for seed in range(4) for wiring in list(WIRINGS)[:5]
    ]
    for run in train(many):
        assert_the_same(run)


def test_different_optimizers_and_schedules_in_one_call():
    mixed = [
        settings_for("SGD"),
        settings_for("Adam", "squeeze"),
        settings_for("RMSprop", batch_size=10),
        settings_for("RMSprop", "squeeze", lr=0.02),
    ]
    runs = train(mixed)
    assert [run.settings for run in runs] == mixed
    for run in runs:
        assert_the_same(run)


@pytest.mark.parametrize("wiring", WIRINGS.values(), ids=lambda wiring: wiring.key)
def test_shapes_are_those_that_the_registry_names(wiring):
    (run,) = train([settings_for("SGD", wiring.key)])
    assert (run.prediction_shape, run.target_shape) == wiring.shapes(32)
    assert run.loss_shape == ((32, 32) if wiring.pairs else run.prediction_shape)


def test_the_warning_is_pytorchs_own_for_each_size_of_batch(recwarn):
    pairs, matched = train([settings_for("SGD"), settings_for("SGD", "squeeze")])
    assert matched.warnings == ()
    assert [("[32, 1]" in text, "[6, 1]" in text) for text in pairs.warnings] == [
        (True, False),
        (False, True),
    ]
    with pytest.warns(UserWarning, match="Using a target size") as said:
        torch.nn.MSELoss()(torch.zeros(32, 1), torch.zeros(32))
    assert pairs.warnings[0] == str(said[0].message)
    assert not recwarn.list, "what a run has kept must not be printed as well"


def test_after_a_run_other_peoples_warnings_still_show():
    before = list(warnings.filters)
    train([settings_for("SGD")])
    assert warnings.filters == before


def test_a_diverging_run_ends_and_the_other_goes_on():
    hot, cool = train([settings_for("SGD", lr=1e3), settings_for("SGD", "squeeze", lr=1e-4)])
    _, losses = plain_run(*_table(SMALL), hot.settings)
    first_bad = int((~np.isfinite(losses)).argmax())
    assert hot.diverged_at == first_bad
    assert np.isfinite(hot.losses).all()
    assert np.isfinite(hot.weights).all()
    assert len(hot.weights) == len(hot.losses) + 1 <= first_bad + 1
    assert cool.diverged_at is None
    assert_the_same(cool)


def test_a_long_diverging_run_stops_early():
    seen = []
    (run,) = train(
        [Settings(optimizer="SGD", epochs=300)], progress=lambda *counts: seen.append(counts)
    )
    assert run.diverged_at is not None
    assert run.diverged_at < 20
    assert seen[-1] == (30_000, 30_000)


@pytest.mark.slow
def test_progress_counts_up_to_the_total_but_not_at_every_step():
    seen, data = [], DataSettings(samples=2_000)
    train(
        [Settings(data=data), Settings(data=data, wiring="squeeze", batch_size=50)],
        progress=lambda *counts: seen.append(counts),
    )
    assert seen == sorted(seen)
    assert seen[-1] == (1800, 1800)
    assert len(seen) < 100


def test_progress_can_stop_a_training():
    class Enough(Exception):
        pass

    def stop(*_):
        raise Enough

    with pytest.raises(Enough):
        train([Settings(epochs=3000)], progress=stop)


def test_global_random_numbers_stay_untouched():
    torch.manual_seed(123)
    state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    train([settings_for("SGD", shuffle=True)])
    assert torch.equal(state, torch.get_rng_state())
    assert (numpy_state == np.random.get_state()[1]).all()  # noqa: NPY002


def test_a_table_of_ones_own_replaces_the_synthetic_one():
    table = make_data(replace(SMALL, samples=64, weights=(1.0, -1.0)))
    (run,) = train([settings_for("RMSprop", "squeeze")], Dataset(table.X, table.y))
    weights, _ = plain_run(table.X, table.y, run.settings)
    np.testing.assert_array_equal(run.weights, weights.astype(np.float32))
    with pytest.raises(SettingsError, match="batch size 100 is above the 64 rows"):
        train([Settings(batch_size=100)], table)


THREADS = """
import threading
from linreg import DataSettings, Settings, train
data = DataSettings(samples=330)
asked, fixed = Settings(data=data, epochs=2), Settings(data=data, epochs=2, wiring="squeeze")
expected = train([asked])[0].weights
results = []
def work():
    results.append(train([asked, fixed])[0])
threads = [threading.Thread(target=work) for _ in range(6)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
assert len(results) == 6
assert all((run.weights == expected).all() and len(run.warnings) == 2 for run in results)

stop = threading.Event()
failed = []
def other():
    try:
        while not stop.is_set():
            train([Settings(data=data, batch_size=50)])
    except BaseException as error:
        failed.append(error)
thread = threading.Thread(target=other)
thread.start()
for _ in range(100):
    (run,) = train([fixed])
    assert run.warnings == (), run.warnings
stop.set(); thread.join()
assert not failed, failed
"""


@pytest.mark.slow
def test_threads_train_at_the_same_time_and_keep_only_their_own_warnings():
    """In a process of its own, where warnings are errors: the checker of shapes in these tests
    swaps the filters of the whole process at every dataclass, and threads would meet in that."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", THREADS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_slow_steps_report_often_too():
    times = []
    large = DataSettings(samples=2_000)
    train(
        [Settings(data=large, batch_size=2_000, epochs=60)],
        progress=lambda *_: times.append(time.monotonic()),
    )
    assert np.diff(times).max() < 2, "about ten times a second, however slow a step is"


def test_an_init_beyond_the_precision_is_refused():
    with pytest.raises(SettingsError, match="not finite in torch"):
        train([settings_for("SGD", init=(1e300, 0.0))])


def test_an_empty_table_is_not_replaced_by_the_synthetic_one():
    with pytest.raises(SettingsError, match="no rows"):
        train([settings_for("SGD")], Dataset(np.empty((0, 2)), np.empty(0)))


def _table(data):
    table = make_data(data)
    return table.X, table.y


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux", reason="the size of the heap is read as Linux tells it"
)
def test_a_run_of_large_batches_leaves_no_holes_in_memory():
    """Each pair of rows takes 4 bytes, several times a step; what a step leaves must not lie in the
    way of the next."""
    program = (
        "import resource; from dataclasses import replace;"
        "from linreg.training.memory import limit_arenas; limit_arenas();"
        "from linreg.settings import Settings; from linreg.training.pytorch import train;"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; run ="
        " Settings(batch_size=500, epochs=1);"
        "train([run]); before = most(); train([replace(run, epochs=15)]); print((most() - before)"
        " // 1024)"
    )
    (megabytes,) = printed(program)
    assert int(megabytes) < 40


@pytest.mark.slow
def test_to_train_loads_no_tracer_and_leaves_torch_as_it_was():
    """`torch.compile`'s tracer takes seconds and 90 MB; whoever wants it gets it afterwards."""
    program = (
        "import sys, torch; from linreg import Settings, train;"
        "from linreg.settings.optimizers import OPTIMIZERS;"
        "before = dict(vars(torch.optim.Optimizer)), torch.random.get_rng_state();"
        "train([Settings(optimizer=name, epochs=1, momentum=0.5 * entry.needs_momentum)"
        " for name, entry in OPTIMIZERS.items()]);"
        "print('torch._dynamo' in sys.modules, dict(vars(torch.optim.Optimizer)) == before[0],"
        " torch.equal(torch.random.get_rng_state(), before[1]));"
        "torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))]);"
        "print('torch._dynamo' in sys.modules)"
    )
    assert printed(program, "-W", "ignore") == ["False", "True", "True", "True"]


@pytest.mark.slow
def test_to_try_a_loss_loads_no_tracer_and_leaves_torch_as_it_was():
    """The fixes of a broadcast are evaluated on the meta device, which would load it as well."""
    program = (
        "import sys, torch; from linreg.guard.torch_reaction import reaction;"
        "from linreg.settings.losses import LOSSES; from linreg.settings import tracer;"
        "wrapped = tracer._wrapped_functions(); before = [dict(vars(one)) for one in wrapped];"
        "reported = [reaction((8, 1), (8,), key).broadcast is not None for key in LOSSES];"
        "print('torch._dynamo' in sys.modules, [vars(one) for one in wrapped] == before,"
        " sum(reported), len(reported));"
        "torch.zeros(2, device='meta') + 1;"
        "print('torch._dynamo' in sys.modules)"
    )
    assert printed(program, "-W", "ignore") == ["False", "True", "7", "8", "True"]
