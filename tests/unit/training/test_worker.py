"""Functions in another process: answers, errors that travel, cancelling, turns, crashes."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import worker_functions as functions
from project import ROOT

from linreg.experiments import pytorch_calls
from linreg.settings.fields import SettingsError
from linreg.settings.model import Settings
from linreg.training.pytorch import train
from linreg.training.worker import PYTORCH, Worker, WorkerCrashed, WorkerTimeout

pytestmark = pytest.mark.slow

SHORT = Settings(epochs=1)
MIDDLE = Settings(epochs=10)
LONG = Settings(epochs=3_000)  # half a minute and more


@pytest.fixture(scope="module")
def pytorch():
    yield PYTORCH
    PYTORCH.close()


@pytest.fixture(scope="module")
def worker():
    worker = Worker("Nothing", idle_seconds=60)
    yield worker
    worker.close()


def leave(done, _):
    if done:
        raise KeyboardInterrupt


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def in_threads(*calls):
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def joined(threads):
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


# ---- PyTorch -------------------------------------------------------------------------------------


def test_it_trains_as_the_library_does(pytorch):
    steps = []
    (found,) = pytorch.call(
        pytorch_calls.train, [SHORT], None, progress=lambda done, total: steps.append((done, total))
    )
    (expected,) = train([SHORT])
    assert found.settings == SHORT
    np.testing.assert_array_equal(found.weights, expected.weights)
    np.testing.assert_array_equal(found.losses, expected.losses)
    assert found.warnings == expected.warnings
    assert steps[-1] == (100, 100)


def test_trainings_that_take_turns_do_not_touch_each_other(pytorch):
    """Their slices alternate in one thread; each is what it is alone."""
    asked = [
        replace(MIDDLE, seed=1, optimizer="Adam"),
        replace(MIDDLE, seed=2, optimizer="SGD"),
        replace(MIDDLE, wiring="squeeze"),
    ]
    found = {}

    def call(settings):
        (found[settings],) = pytorch.call(pytorch_calls.train, [settings], None)

    joined(in_threads(*(lambda settings=settings: call(settings) for settings in asked)))
    for settings in asked:
        (expected,) = train([settings])
        np.testing.assert_array_equal(found[settings].weights, expected.weights)
        np.testing.assert_array_equal(found[settings].losses, expected.losses)


def test_errors_travel_with_all_that_they_say(pytorch):
    with pytest.raises(SettingsError, match="1e\\+300,1 are not finite") as caught:
        pytorch.call(pytorch_calls.train, [replace(SHORT, init=(1e300, 1.0))], None)
    assert caught.value.fields == ("init",)


def test_what_progress_raises_ends_the_training(pytorch):
    with pytest.raises(KeyboardInterrupt):
        pytorch.call(pytorch_calls.train, [LONG], None, progress=leave)
    started = time.monotonic()
    pytorch.call(pytorch_calls.train, [SHORT], None)
    assert time.monotonic() - started < 20


def test_a_short_training_does_not_wait_for_a_long_one(pytorch):
    over, ended = threading.Event(), []

    def until_over(*_):
        if over.is_set():
            raise KeyboardInterrupt

    def long():
        with pytest.raises(KeyboardInterrupt):
            pytorch.call(pytorch_calls.train, [LONG], None, progress=until_over)
        ended.append("long")

    threads = in_threads(long)
    pytorch.call(pytorch_calls.train, [SHORT], None)
    ended.append("short")
    over.set()
    joined(threads)
    assert ended == ["short", "long"]


def test_neither_a_run_nor_the_result_of_a_demonstration_loads_pytorch():
    """Reading a pickle imports its class's module: 100 MB in the server if that needs torch."""
    program = (
        "import sys, numpy as np; from linreg.training.worker import PYTORCH;"
        " from linreg.experiments import claim_trials, pytorch_calls as calls;"
        " from linreg.settings import Settings;"
        " (run,) = PYTORCH.call(calls.train, [Settings(epochs=1)], None);"
        " assert run.weights.shape == (101, 2) and 'torch' not in sys.modules;"
        " PYTORCH.call(calls.layer_attributes, Settings(wiring='weight_1d', init=(2.0, 3.0)));"
        " PYTORCH.call(calls.losses_of_fixes, np.ones((4, 2)), np.ones(4), np.ones(2));"
        " PYTORCH.call(calls.run_guard_example);"
        " assert PYTORCH.call(calls.reaction, (4, 1), (4,), 'mse').broadcast;"
        " [PYTORCH.call(claim_trials.asked, key)"
        " for key, claim in claim_trials.CLAIMS.items() if claim.check];"
        " sys.exit('torch' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert (answer.returncode, answer.stderr) == (0, "")


# ---- any function --------------------------------------------------------------------------------


def test_it_is_another_process_with_less_priority_whose_output_goes_nowhere(worker, capfd):
    there = worker.call(functions.process)
    assert there != os.getpid()
    assert worker.call(functions.process) == there, "the same one again"
    assert worker.call(functions.niceness) > os.nice(0)
    worker.call(functions.talk)
    assert capfd.readouterr() == ("", "")


def test_there_are_five_signs_of_life_a_second(worker):
    """Also where the function says nothing: a page can be interrupted only then."""
    for function, arguments in ((functions.sleep, (1.0,)), (functions.steps, (2, 0.5))):
        told = []
        worker.call(function, *arguments, progress=lambda *done, told=told: told.append(done))
        assert len(told) >= 5
        assert told[0] == (0, 1)


def test_progress_that_has_been_told_is_the_last(worker):
    told = []
    worker.call(functions.steps, 3, 0.01, progress=lambda *done: told.append(done))
    assert told[-1] == (3, 3)


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (functions.failing_steps, LookupError, "after the first step"),
        (functions.raise_unpicklable, RuntimeError, "Unpicklable: it holds a lock"),
        (functions.raise_misleading, RuntimeError, "Misleading: half of it"),
        (functions.return_unpicklable, Exception, "pickle"),
    ],
)
def test_an_error_reaches_the_caller_and_the_process_goes_on(worker, function, error, text):
    before = worker.call(functions.process)
    with pytest.raises(error, match=text):
        worker.call(function)
    assert worker.call(functions.process) == before


def test_an_argument_that_cannot_be_sent_keeps_nobody_waiting(worker):
    raised = []

    def call():
        try:
            worker.call(functions.sleep, threading.Lock(), progress=lambda *_: 0, dedupe_key="same")
        except Exception as error:
            raised.append(error)

    joined(in_threads(*[call] * 4))
    assert len(raised) == 4
    assert not worker._jobs


def test_callers_with_one_key_share_one_computation(worker, tmp_path):
    """Two visitors with one link: computed once, and it goes on for the second when the first has
    left."""
    log, told, left = tmp_path / "log", {"first": 0, "second": 0}, threading.Event()
    found = []

    def progress(name):
        def note(done, _):
            told[name] = max(told[name], done)
            if name == "first" and left.is_set():
                raise KeyboardInterrupt

        return note

    def call(name):
        found.append(
            worker.call(
                functions.steps, 20, 0.1, str(log), progress=progress(name), dedupe_key="one"
            )
        )

    def first():
        with pytest.raises(KeyboardInterrupt):
            call("first")

    threads = in_threads(first, lambda: call("second"), lambda: call("second"))
    while not all(told.values()):
        time.sleep(0.01)
    left.set()
    joined(threads)
    assert len(found) == 2
    assert told["second"] == 20
    assert len(lines(log)) == 20, "once, and to its end"
    assert not worker._jobs
    assert worker.call(functions.steps, 2, 0, str(log), dedupe_key="one") == found[0]
    assert len(lines(log)) == 22, "what has ended is not joined"


def test_other_functions_with_the_same_key_are_not_joined(worker):
    threads = in_threads(lambda: worker.call(functions.sleep, 0.5, dedupe_key="same"))
    while not worker._jobs:
        time.sleep(0.01)
    assert worker.call(functions.niceness, dedupe_key="same") < 100
    joined(threads)


def test_work_that_all_have_left_ends(worker, tmp_path):
    log = tmp_path / "log"

    def call():
        with pytest.raises(KeyboardInterrupt):
            worker.call(functions.steps, 500, 0.05, str(log), progress=leave, dedupe_key="left")

    joined(in_threads(*[call] * 3))
    assert not worker._jobs
    worker.call(functions.process)  # after the last step that was under way
    done = lines(log)
    time.sleep(0.3)
    assert lines(log) == done
    assert len(done) < 100


def test_turns_alternate(worker, tmp_path):
    """Works of many steps share the process; the one with fewer ends first, and a call that does
    not yield waits for one step of each."""
    log = tmp_path / "log"
    threads = in_threads(
        *(lambda: worker.call(functions.steps, 40, 0.05, str(log)) for _ in range(2))
    )
    while len(lines(log)) < 4:
        time.sleep(0.01)
    before = len(lines(log))
    worker.call(functions.process)
    assert len(lines(log)) - before <= 5
    worker.call(functions.steps, 3, 0.01)
    assert len(lines(log)) - before <= 16
    assert all(thread.is_alive() for thread in threads)
    joined(threads)


# ---- its life ------------------------------------------------------------------------------------


def gone(process):
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if "Z" in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2][:3]:
            return True
        time.sleep(0.1)
    return False


def test_after_a_crash_the_call_is_tried_again(worker, tmp_path):
    before = worker.call(functions.process)
    os.kill(before, 9)
    assert worker.call(functions.process) != before
    assert worker.call(functions.crash_once, tmp_path / "marker") > 0
    with pytest.raises(
        WorkerCrashed, match="the process in which Nothing runs has ended; try again"
    ):
        worker.call(functions.crash_always)
    assert worker.call(functions.process)


def test_a_crash_between_two_steps_is_noticed(worker, tmp_path):
    log, found = tmp_path / "log", []
    threads = in_threads(lambda: found.append(worker.call(functions.steps, 10, 0.1, str(log))))
    while len(lines(log)) < 3:
        time.sleep(0.01)
    first = int(lines(log)[0].split()[0])
    os.kill(first, 9)
    joined(threads)
    assert found[0] not in (None, first)
    assert lines(log)[-1] == f"{found[0]} 10"


def test_work_whose_process_has_been_replaced_starts_again(worker, tmp_path):
    log, found = tmp_path / "log", []
    threads = in_threads(lambda: found.append(worker.call(functions.steps, 10, 0.1, str(log))))
    while len(lines(log)) < 3:
        time.sleep(0.01)
    worker.call(functions.forget_generators)
    joined(threads)
    assert [line.split()[1] for line in lines(log)][-10:] == [str(k + 1) for k in range(10)]
    assert len(lines(log)) < 20
    assert found


def test_an_idle_process_ends_and_another_one_follows():
    worker = Worker("Nothing", idle_seconds=0.5)
    first = worker.call(functions.process)
    assert gone(first)
    assert worker.call(functions.sleep, 1.0) != first, "what takes longer than that is not idle"
    worker.close()


def test_what_takes_too_long_is_ended():
    worker = Worker("Nothing", idle_seconds=60)
    first, waited = worker.call(functions.process), []
    worker.timeout = 1.0  # from here on: to start a process takes seconds on a busy machine
    with pytest.raises(WorkerTimeout, match="took more than"):
        worker.call(functions.sleep, 60)
    assert gone(first)
    worker.timeout = None
    assert worker.call(functions.process) != first
    worker.timeout = 3.0
    threads = in_threads(
        *(lambda: waited.append(worker.call(functions.sleep, 0.8)) for _ in "abcd")
    )
    joined(threads)  # to wait for others is not to take long
    assert len(waited) == 4
    worker.close()


@pytest.mark.skipif(sys.platform != "linux", reason="its memory is read as Linux tells it")
@pytest.mark.parametrize(("most", "processes"), [(10**12, 1), (1, 3)])
def test_a_process_that_holds_too_much_is_followed_by_another(most, processes):
    worker = Worker("Nothing", idle_seconds=60, max_bytes=most)
    assert len({worker.call(functions.process) for _ in range(3)}) == processes
    worker.close()


def test_it_ends_when_it_is_closed_and_comes_back():
    worker = Worker("Nothing", idle_seconds=60)
    worker.close()
    worker.prestart()
    first = worker.call(functions.process)
    worker.close()
    assert gone(first)
    assert worker.call(functions.process) != first
    worker.close()


PARENT = """
import sys
sys.path.insert(0, "tests")
import worker_functions as functions
from linreg.training.worker import Worker
worker = Worker("Nothing", idle_seconds=60)
print(worker.call(functions.process), flush=True)
{then}
"""


@pytest.mark.parametrize(
    "then",
    [
        "import os; os.kill(os.getpid(), 9)",
        "sys.exit()",
        "import threading; threading.Thread(target=worker.call, args=[functions.steps, 10**6, 0.1],"
        " daemon=True).start(); import time; time.sleep(1)",
    ],
)
def test_it_ends_with_its_parent(then):
    started = time.monotonic()
    answer = subprocess.run(
        [sys.executable, "-c", PARENT.format(then=then)],
        cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip
    assert gone(int(answer.stdout))
    assert time.monotonic() - started < 30


def test_the_callers_main_module_is_not_run_again(tmp_path):
    """A script need not be guarded by `if __name__ == "__main__"`, and a Streamlit page is one."""
    script = tmp_path / "script.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + PARENT.format(then=""))
    answer = subprocess.run(
        [sys.executable, script], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert len(answer.stdout.split()) == 1
