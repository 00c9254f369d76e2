"""Run functions in another process, which neither holds this interpreter nor adds to its memory.

The process is loky's: unlike `concurrent.futures` it does not import the caller's main
module again, which in a Streamlit server is the page itself.

A long function is a generator function: it yields its progress, (done, total), about ten times a
second, and returns its result. Between two yields other calls have their turn, in the order in
which they came, so that a short call never waits for the end of a long one.
"""

from __future__ import annotations

import gc
import mmap
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Generator, Hashable
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from importlib import import_module
from inspect import isgenerator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, overload

from loky.process_executor import ProcessPoolExecutor, ShutdownExecutorError

from linreg.training import memory

Progress = Callable[[int, int], None]  # called with how much is done, and of how much
T = TypeVar("T")

ATTEMPTS = 2
NICE = 2  # the caller, who draws pages, comes first
POLL_INTERVAL = 0.1  # seconds between two calls of `progress`
PARENT_INTERVAL = 2  # seconds between two looks whether the parent process is still there


class WorkerCrashed(OSError):
    """The process ended before it answered."""


class WorkerTimeout(OSError):
    """A call took longer than it may."""


# ---- the caller's side ---------------------------------------------------------------------------


class _Job:
    """A call that has not finished, and the number of callers who wait for it."""

    def __init__(self, number: int, key: Hashable, pool: Any) -> None:
        self.number, self.key, self.pool = number, key, pool
        self.waiting = 0
        self.progress = (0, 1)
        self.result: Future[Any] = Future()
        self.started = time.monotonic()


class Worker:
    """One process, started when it is first called; it can be called from any thread.

    It ends after `idle_seconds` without a call, and with its parent. `preload` is a module that it
    imports first. After a call that leaves more than `max_bytes` in its memory, the next one gets a
    new process. A call may take `timeout` seconds; it is meant for functions that do not yield.
    """

    def __init__(
        self,
        name: str,
        *,
        idle_seconds: float,
        preload: str = "",
        max_bytes: int | None = None,
        timeout: float | None = None,
    ) -> None:
        self.name, self.idle_seconds, self.preload = name, idle_seconds, preload
        self.max_bytes, self.timeout = max_bytes, timeout
        self._lock = threading.RLock()
        self._pool: Any = None  # of loky, whose types are unknown
        self._numbers = count()
        self._jobs: dict[Hashable, _Job] = {}
        self._last_step = 0.0

    @overload
    def call(
        self,
        function: Callable[..., Generator[tuple[int, int], None, T]],
        *args: Any,
        progress: Progress | None = None,
        dedupe_key: Hashable = None,
    ) -> T: ...

    @overload
    def call(
        self,
        function: Callable[..., T],
        *args: Any,
        progress: Progress | None = None,
        dedupe_key: Hashable = None,
    ) -> T: ...

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        progress: Progress | None = None,
        dedupe_key: Hashable = None,
    ) -> Any:
        """Return `function(*args)`, computed in the process; `function` is a module's own.

        `progress(done, total)` is called in the caller's thread, about ten times a second, with
        (0, 1) until the function has yielded. What it raises cancels the call. Callers with the
        same function and `dedupe_key` share one computation, which is cancelled only when all of
        them have left. If the process ends, the call is tried once more, and then raises
        `WorkerCrashed`; what takes too long raises `WorkerTimeout`.
        """
        key = object() if dedupe_key is None else (function, dedupe_key)
        for _ in range(ATTEMPTS):
            job = self._join(key, function, args)
            try:
                return self._wait(job, progress)
            except (BrokenProcessPool, ShutdownExecutorError):
                self._retire(job.pool)
            finally:
                self._leave(job)
        raise WorkerCrashed(f"the process in which {self.name} runs has ended; try again")

    def prestart(self, function: Callable[..., Any] = bool, *args: Any) -> None:
        """Start the process, which takes a second or two, and call a function there, without
        waiting for either."""
        self._leave(self._join("prestart", function, args))

    def close(self) -> None:
        """End the process, if there is one; the next call starts another."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(kill_workers=True)

    def _join(self, key: Hashable, function: Callable[..., Any], args: tuple[Any, ...]) -> _Job:
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                if self._pool is None:
                    self._pool = ProcessPoolExecutor(
                        max_workers=1,
                        timeout=self.idle_seconds,
                        initializer=_initialize,
                        initargs=(self.preload, os.getpid()),
                        env={"PYTHONSAFEPATH": "1"},
                    )
                job = self._jobs[key] = _Job(next(self._numbers), key, self._pool)
                job.waiting += 1  # before a fast step can be over
                self._submit(job, _start, function, args)
            else:
                job.waiting += 1
            return job

    def _wait(self, job: _Job, progress: Progress | None) -> Any:
        reported = job.progress
        while True:
            finished = wait([job.result], POLL_INTERVAL).done
            if progress and (not finished or job.progress != reported):
                reported = job.progress
                progress(*reported)
            if finished:
                return job.result.result()
            if self.timeout is not None and self._running_seconds(job) > self.timeout:
                self._retire(job.pool, kill=True)
                raise WorkerTimeout(f"{self.name} took more than {self.timeout} s")

    def _running_seconds(self, job: _Job) -> float:
        """Seconds since it is this job's turn, 0 while it waits for others."""
        with self._lock:
            if next(iter(self._jobs.values()), None) is not job:
                return 0
            return time.monotonic() - max(job.started, self._last_step)

    def _leave(self, job: _Job) -> None:
        with self._lock:
            job.waiting -= 1
            if not job.waiting:
                self._forget(job)

    def _forget(self, job: _Job) -> None:
        """Nobody joins it from now on."""
        if self._jobs.get(job.key) is job:
            del self._jobs[job.key]

    def _retire(self, pool: Any, kill: bool = False) -> None:
        """Start another process for the next call; this one ends when it has finished its calls, or
        at once."""
        with self._lock:
            if pool is self._pool:
                self._pool = None
                pool.shutdown(wait=False, kill_workers=kill)

    def _submit(self, job: _Job, step: Callable[..., _Step], *args: Any) -> None:
        try:
            future = job.pool.submit(step, job.number, *args)
        except Exception as error:  # the process has ended in the meantime
            self._forget(job)
            job.result.set_exception(error)
        else:
            future.add_done_callback(partial(self._on_step, job))

    def _on_step(self, job: _Job, future: Future[_Step]) -> None:
        """In loky's thread: keep the progress and ask for the next step, or hand over the
        result."""
        with self._lock:
            self._last_step = time.monotonic()
            error = future.exception()
            step = None if error else future.result()
            if step and self.max_bytes is not None and step.used_bytes > self.max_bytes:
                self._retire(job.pool)
            if step and not step.finished:
                job.progress = step.value
                self._submit(job, _advance if job.waiting else _stop)
                return
            self._forget(job)
        if step:
            job.result.set_result(step.value)
        else:
            job.result.set_exception(error)


# ---- the process itself --------------------------------------------------------------------------


class _Step(NamedTuple):
    """What came of a part of a call: its result if that is `finished`, else its progress."""

    finished: bool
    value: Any
    used_bytes: int


_generators: dict[int, Any] = {}  # by the number of their call


def _initialize(preload: str, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once
    if hasattr(os, "nice"):
        os.nice(NICE)
    with open(os.devnull, "w") as nowhere:  # what is printed here is not the caller's output
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    memory.limit_arenas()
    if preload:
        with suppress(ImportError):  # the call will raise it
            import_module(preload)
        gc.freeze()  # loky collects garbage once a second: 80 ms with PyTorch, which stays anyway


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_INTERVAL)
    os._exit(0)


def _start(number: int, function: Callable[..., Any], args: tuple[Any, ...]) -> _Step:
    try:
        result = function(*args)
    except Exception as error:
        raise _portable(error) from error
    if not isgenerator(result):
        return _finished(result)
    _generators[number] = result
    return _advance(number)


def _advance(number: int) -> _Step:
    if number not in _generators:  # with psutil, loky replaces a process that grows by 300 MB
        raise BrokenProcessPool("another process has taken over")
    try:
        return _Step(False, next(_generators[number]), _used_bytes())
    except StopIteration as end:
        del _generators[number]
        return _finished(end.value)
    except Exception as error:
        del _generators[number]
        raise _portable(error) from error


def _stop(number: int) -> _Step:
    _generators.pop(number).close()
    return _finished(None)


def _finished(result: Any) -> _Step:
    memory.trim()
    return _Step(True, result, _used_bytes())


def _portable(error: Exception) -> Exception:
    """The error, or its text in a `RuntimeError` where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _used_bytes() -> int:
    """The memory of this process without mapped files; 0 where that is unknown (not Linux)."""
    with suppress(OSError, ValueError):
        _, resident, shared, *_ = Path("/proc/self/statm").read_text().split()
        return (int(resident) - int(shared)) * mmap.PAGESIZE
    return 0


PYTORCH = Worker("PyTorch", idle_seconds=600, preload="linreg.training.pytorch")
