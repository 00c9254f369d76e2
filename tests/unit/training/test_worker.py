"""PyTorch in its own process: the same answers, errors that travel, an end where nobody waits,
turns that are fair."""

import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from linreg.settings.fields import SettingsError
from linreg.settings.model import Settings
from linreg.training import child
from linreg.training.apart import Apart, ApartError, Turns
from linreg.training.pytorch import train

SHORT = Settings(epochs=1)
MIDDLE = Settings(epochs=60)
LONG = Settings(epochs=3_000)  # half a minute and more


@pytest.fixture(scope="module")
def there():
    process = Apart()
    yield process
    process.close()


def test_it_answers_as_the_library_does(there):
    steps = []
    (found,) = there.ask(
        "training.pytorch.train",
        [SHORT],
        None,
        progress=lambda done, total: steps.append((done, total)),
    )
    (expected,) = train([SHORT])
    assert found.settings == SHORT
    np.testing.assert_array_equal(found.weights, expected.weights)
    np.testing.assert_array_equal(found.losses, expected.losses)
    assert found.warnings == expected.warnings
    assert steps[-1] == (100, 100)


def test_errors_travel_with_all_that_they_say(there):
    with pytest.raises(SettingsError, match="1e\\+300,1 are not finite") as caught:
        there.ask("training.pytorch.train", [replace(SHORT, init=(1e300, 1.0))], None)
    assert caught.value.fields == ("init",)
    with pytest.raises(AttributeError, match="nothing"):
        there.ask("training.pytorch.nothing")


def test_what_progress_raises_ends_the_work(there):
    def leave(done, _):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        there.ask("training.pytorch.train", [LONG], None, progress=leave)
    started = time.monotonic()
    assert there.ask("training.apart.ready")  # for which the turn has to be free again
    assert time.monotonic() - started < 20


def test_the_short_one_does_not_wait_for_the_long_one(there):
    over = threading.Event()

    def until_over(*_):
        if over.is_set():
            raise KeyboardInterrupt

    ended = []

    def long():
        with pytest.raises(KeyboardInterrupt):
            there.ask("training.pytorch.train", [LONG], None, progress=until_over)
        ended.append("long")

    thread = threading.Thread(target=long)
    thread.start()
    there.ask("training.pytorch.train", [SHORT], None)
    ended.append("short")
    over.set()
    thread.join()
    assert ended == ["short", "long"]


def test_who_asks_the_same_waits_for_the_same_work(there):
    """Two visitors with one link: trained once, and it goes on for the second when the first has
    left."""
    asked, leave, told = [], threading.Event(), {"first": 0, "second": 0}
    send = there._send
    there._send = lambda process, message: (asked.append(message), send(process, message))

    def progress(name):
        def heard(done, _):
            told[name] = max(told[name], done)
            if name == "first" and leave.is_set():
                raise KeyboardInterrupt

        return heard

    def first():
        with pytest.raises(KeyboardInterrupt):
            there.ask(
                "training.pytorch.train",
                [MIDDLE],
                None,
                progress=progress("first"),
                shared=(MIDDLE,),
            )

    found = []
    others = [threading.Thread(target=first)] + [
        threading.Thread(
            target=lambda: found.append(
                there.ask(
                    "training.pytorch.train",
                    [MIDDLE],
                    None,
                    progress=progress("second"),
                    shared=(MIDDLE,),
                )
            )
        )
        for _ in range(2)
    ]
    try:
        for thread in others:
            thread.start()
        while not all(told.values()):
            time.sleep(0.01)
        leave.set()
        for thread in others:
            thread.join()
        assert [message[1] for message in asked] == ["training.pytorch.train"], (
            "asked once, and never called off"
        )
        assert told["second"] == MIDDLE.steps
        assert found[0] is found[1]
        assert not there._questions
        assert not there._shared
        again = there.ask("training.pytorch.train", [SHORT], None, shared=(SHORT,))
        assert len(again[0].losses) == SHORT.steps
    finally:
        del there._send


def test_a_question_that_cannot_be_sent_keeps_nobody_waiting(there):
    unsendable, raised = (lambda: None), []

    def ask():
        try:
            there.ask(
                "training.pytorch.train", unsendable, progress=lambda *_: None, shared="the same"
            )
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(raised) == 4
    assert not there._questions


def test_work_that_all_have_left_ends(there):
    def leave(done, _):
        if done:
            raise KeyboardInterrupt

    def ask():
        with pytest.raises(KeyboardInterrupt):
            there.ask("training.pytorch.train", [LONG], None, progress=leave, shared=(LONG,))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not there._shared
    started = time.monotonic()
    there.ask(
        "training.pytorch.train", [SHORT], None, progress=lambda *_: None
    )  # which takes a turn
    assert time.monotonic() - started < 20


def test_it_comes_back(there):
    there.ask("training.apart.ready")
    there._process.kill()
    assert there.ask("training.apart.ready")


def test_a_process_that_always_ends_is_told_of(monkeypatch):
    program = [sys.executable, "-c", "pass"]
    monkeypatch.setattr(
        child,
        "start",
        lambda _: subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE),
    )
    with pytest.raises(ApartError, match="the process in which PyTorch runs has ended; try again"):
        Apart().ask("training.apart.ready")


def in_turns(*slices):
    """Works of so many slices, the second and those after it come while the first has its first;
    who worked when."""
    turns, log, come = Turns(), [], threading.Event()

    def work(number):
        with turns.work(number):
            for done in range(1, slices[number] + 1):
                log.append(number)
                if len(log) == 1:
                    come.wait()
                time.sleep(0.02)
                turns.pass_on(number, done / slices[number])

    threads = [threading.Thread(target=work, args=[number]) for number in range(len(slices))]
    threads[0].start()
    while not log:
        time.sleep(0.001)
    for thread in threads[1:]:
        thread.start()
    while len(turns._since) < len(slices) - 1:
        time.sleep(0.001)
    come.set()
    for thread in threads:
        thread.join()
    return log


def until_it_ends(log, number):
    return log[: len(log) - log[::-1].index(number)]


def test_turns_go_to_the_one_that_ends_first_and_now_and_then_to_the_longest_waiting():
    log = in_turns(60, 10)
    assert log.count(0) == 60
    assert 0 < until_it_ends(log, 1).count(0) < 8  # one in four, and the first


def test_equal_works_end_one_after_the_other():
    """Three of twelve slices: with equal turns the first would end with the others, after some 34
    slices."""
    log = in_turns(12, 12, 12)
    ends = sorted(len(until_it_ends(log, number)) for number in range(3))
    assert ends[0] <= 28  # some 17 where no slice is held up
    assert ends[2] == 36


def test_the_one_who_asks_loads_no_pytorch():
    program = (
        "import sys; from linreg.training.apart import APART; from linreg.settings import Settings;"
        " (run,) = APART.ask('training.pytorch.train', [Settings(epochs=1)], None);"
        " sys.exit('torch' in sys.modules or run.weights.shape != (101, 2))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
