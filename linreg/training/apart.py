"""PyTorch in a process of its own, for a server of many visitors.

Where PyTorch trains, its Python loop holds the interpreter: other threads wait, and each of its
many small operations waits for them in turn. In a process apart it has an interpreter to itself,
and several trainings share that one in slices of a tenth of a second. The process ends when nobody
has asked for a while, or when nobody is there any more.

`serve` is that process.
"""

from __future__ import annotations

import atexit
import os
import pickle
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from itertools import count
from typing import Any

from linreg.training import child, memory

Progress = Callable[[int, int], None]
IDLE = 600  # seconds without a question
PULSE = 0.2  # seconds between two signs of life to whoever waits
# of so many turns one goes to the work that has waited longest, the others to the one that will end
# first
WAITS = 4


class ApartError(OSError):
    """The process ended before it answered."""


# ---- the side that asks --------------------------------------------------------------------------


class _Question:
    """What was asked, until it is answered or nobody waits any more: who waits, and under which
    name others may join."""

    def __init__(self, name: Hashable) -> None:
        self.name = name
        self.waiting: list[queue.SimpleQueue[tuple[str, Any]]] = []


class Apart:
    """The process, started when it is first needed; asked from any thread, several at once."""

    def __init__(self) -> None:
        self._starting, self._sending, self._asking = (
            threading.Lock(),
            threading.Lock(),
            threading.Lock(),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self._questions: dict[int, _Question] = {}
        self._shared: dict[Hashable, int] = {}

    def ask(
        self,
        function: str,
        *arguments: Any,
        progress: Progress | None = None,
        shared: Hashable = None,
    ) -> Any:
        """What `module.function` of linreg returns there, or raises.

        With `progress` the function gets one too, as its keyword; it is called here, in the thread
        that asks, and at least five times a second, with (0, 1) until there is progress. What it
        raises ends the work. Whoever asks under the name `shared` while another one waits for the
        answer under the same name waits for that one; the work ends early only when all of them
        leave. Raises `ApartError` if the process ends twice."""
        try:
            return self._asked(function, arguments, progress, shared)
        except ApartError:
            return self._asked(function, arguments, progress, shared)

    def wake(self) -> None:
        """Start the process, which takes a second or two, without waiting for it."""
        if self._process is None or self._process.poll() is not None:
            threading.Thread(target=self._first, name="apart", daemon=True).start()

    def _first(self) -> None:
        with suppress(OSError):  # whoever asks will hear of it
            self.ask("training.apart.ready")

    def close(self) -> None:
        """End the process, if there is one; the next question starts another."""
        with self._starting:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                self._process = None

    def _asked(
        self, function: str, arguments: tuple[Any, ...], progress: Progress | None, shared: Hashable
    ) -> Any:
        process, answers = self._running(), queue.SimpleQueue[tuple[str, Any]]()
        number, first = self._joined(
            answers, None if shared is None else (process.pid, progress is None, function, shared)
        )
        ended = False
        try:
            if first:
                try:
                    self._send(process, (number, function, arguments, progress is not None))
                except Exception as error:  # told to whoever has joined as well
                    self._hand_on(number, "raised", error)
            done = (0, 1)
            while True:
                try:
                    kind, answer = answers.get(timeout=PULSE)
                except queue.Empty:
                    if process.poll() is not None and answers.empty():
                        ended = True
                        raise ApartError(
                            "the process in which PyTorch runs has ended; try again"
                        ) from None
                    kind, answer = "progress", done
                if kind == "progress":
                    done = answer
                    if progress:
                        progress(*done)
                    continue
                ended = True
                if kind == "raised":
                    raise answer
                return answer
        finally:
            if self._left(number, answers) and not ended:
                with suppress(OSError):
                    self._send(process, (number, "", (), False))

    def _joined(
        self, answers: queue.SimpleQueue[tuple[str, Any]], name: Hashable
    ) -> tuple[int, bool]:
        """The number of the question whose answers are to come here, and whether it has yet to be
        asked."""
        with self._asking:
            known = None if name is None else self._shared.get(name)
            number = next(self._numbers) if known is None else known
            question = self._questions.setdefault(number, _Question(name))
            question.waiting.append(answers)
            if name is not None:
                self._shared[name] = number
            return number, known is None

    def _left(self, number: int, answers: queue.SimpleQueue[tuple[str, Any]]) -> bool:
        """Whether nobody waits any more."""
        with self._asking:
            question = self._questions[number]
            question.waiting.remove(answers)
            if question.waiting:
                return False
            del self._questions[number]
            self._unname(number, question)
            return True

    def _unname(self, number: int, question: _Question) -> None:
        """Nobody joins it from now on."""
        if self._shared.get(question.name) == number:
            del self._shared[question.name]

    def _hand_on(self, number: int, kind: str, answer: Any) -> None:
        """An answer, or a sign of progress, to all who wait for it."""
        with self._asking:
            question = self._questions.get(number)
            if question and kind != "progress":
                self._unname(number, question)
            for waiting in question.waiting if question else ():
                waiting.put((kind, answer))

    def _running(self) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._process is None or self._process.poll() is not None:
                self._process = child.start("apart")
                threading.Thread(
                    target=self._hear, args=[self._process], name="apart", daemon=True
                ).start()
            return self._process

    def _send(self, process: subprocess.Popen[bytes], message: Any) -> None:
        assert process.stdin is not None
        with self._sending:
            try:
                child.write(process.stdin, message)
            except (OSError, ValueError):  # a pipe that is closed already
                raise ApartError("the process in which PyTorch runs has ended; try again") from None

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        """Hand every answer to whoever waits for it."""
        assert process.stdin is not None
        assert process.stdout is not None
        for number, kind, answer in child.read(process.stdout):
            self._hand_on(number, kind, answer)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # what nobody will read
                pipe.close()


APART = Apart()
atexit.register(APART.close)


# ---- the process itself --------------------------------------------------------------------------


class Cancelled(Exception):
    """Nobody waits for this work any more."""


class Turns:
    """One work at a time: the one that will end first, and every so often the one that has waited
    longest.

    Equal works then end one after the other; with equal turns they would all end when the last one
    does."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._had: dict[int, float] = {}  # seconds
        self._left: dict[
            int, float
        ] = {}  # seconds that it will still take, as far as it has come; at first 0
        self._since: dict[int, float] = {}  # when those that wait began to
        self._at: int | None = None
        self._given = 0

    @contextmanager
    def work(self, number: int) -> Iterator[None]:
        """From its first turn to its end."""
        with self._changed:
            self._had[number] = self._left[number] = 0.0
        self._take(number)
        try:
            yield
        finally:
            with self._changed:
                self._leave(number)
                del self._had[number], self._left[number]

    def pass_on(self, number: int, share: float) -> None:
        """Let another one work, if one waits, and go on after it; `share` of the work is done."""
        with self._changed:
            if not self._since:
                return
            self._leave(number)
            if share:
                self._left[number] = self._had[number] * (1 / share - 1)
        self._take(number)

    def _take(self, number: int) -> None:
        with self._changed:
            self._since[number] = time.monotonic()
            self._changed.wait_for(lambda: self._at is None and self._next() == number)
            del self._since[number]
            self._at, self._began = number, time.monotonic()
            self._given += 1

    def _leave(self, number: int) -> None:
        self._had[number] += time.monotonic() - self._began
        self._at = None
        self._changed.notify_all()

    def _next(self) -> int:
        if self._given % WAITS == 0:
            return min(self._since, key=self._since.__getitem__)
        return min(self._since, key=lambda number: (self._left[number], self._since[number]))


def ready() -> bool:
    """An answer: the process is there, and PyTorch is loaded."""
    import torch  # noqa: F401

    return True


def serve() -> None:
    """Answer what comes, each question in a thread of its own."""
    asked, answered = child.ends()
    turns, sending = Turns(), threading.Lock()
    cancelled: dict[int, threading.Event] = {}
    idle = _Idle()

    def answer(number: int, kind: str, content: Any) -> None:
        with sending:
            child.write(answered, (number, kind, content))

    def work(number: int, function: str, arguments: tuple[Any, ...], reports: bool) -> None:
        def progress(done: int, total: int) -> None:
            if cancelled[number].is_set():
                raise Cancelled
            answer(number, "progress", (done, total))
            turns.pass_on(number, done / total)

        try:
            with (
                turns.work(number) if reports else nullcontext()
            ):  # what has nothing to report is short
                if cancelled[number].is_set():
                    return
                module, _, name = function.rpartition(".")
                found = getattr(import_module(f"linreg.{module}"), name)
                result = found(*arguments, **({"progress": progress} if reports else {}))
            answer(number, "answer", result)
        except Cancelled:
            pass
        except Exception as error:  # whatever it is, it belongs to the one who asked
            answer(number, "raised", _portable(error))
        finally:
            del cancelled[number]
            idle.ends()

    for number, function, arguments, reports in child.read(asked):
        if function:
            idle.begins()
            cancelled[number] = threading.Event()
            threading.Thread(
                target=work, args=(number, function, arguments, reports), daemon=True
            ).start()
        elif number in cancelled:
            cancelled[number].set()
    os._exit(0)  # nobody is there any more


def _portable(error: Exception) -> Exception:
    """The error as it can travel."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


class _Idle:
    """Ends the process when there has been no work for a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._works = 0
        self._timer = child.end_later(IDLE)

    def begins(self) -> None:
        with self._lock:
            self._works += 1
            self._timer.cancel()

    def ends(self) -> None:
        with self._lock:
            self._works -= 1
            if not self._works:
                memory.give_back()
                self._timer = child.end_later(IDLE)
