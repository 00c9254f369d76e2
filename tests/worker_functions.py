"""What the tests of the worker run in its process."""

import os
import threading
import time


def process():
    return os.getpid()


def niceness():
    return os.nice(0)


def steps(count, seconds, log=None):
    """So many steps of so many seconds each; every step adds a line to a file."""
    for done in range(1, count + 1):
        time.sleep(seconds)
        if log:
            with open(log, "a") as file:
                file.write(f"{os.getpid()} {done}\n")
        yield done, count
    return os.getpid()


def failing_steps():
    yield 1, 2
    raise LookupError("after the first step")


def sleep(seconds):
    time.sleep(seconds)
    return os.getpid()


def crash_once(marker):
    """End the process, unless it has done so before."""
    if marker.exists():
        return os.getpid()
    marker.touch()
    os._exit(3)


def crash_always():
    os._exit(3)


class Unpicklable(Exception):
    def __init__(self, lock):
        super().__init__("it holds a lock")
        self.lock = lock


class Misleading(Exception):
    """Can be pickled, but not read again."""

    def __init__(self, text, _more):
        super().__init__(text)


def raise_unpicklable():
    raise Unpicklable(threading.Lock())


def raise_misleading():
    raise Misleading("half of it", "and more")


def return_unpicklable():
    return threading.Lock()


def forget_generators():
    """As if this were another process."""
    from linreg.training import worker

    worker._generators.clear()


def talk():
    print("nobody hears this")
    os.write(2, b"nor this")
