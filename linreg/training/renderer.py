"""vl-convert in a process of its own: it holds the interpreter's lock while it works, and its
engine takes 100 MB and more.

`serve` is that process. It ends when nobody has asked for a while, when it has come to hold much
memory, or when nobody is there any more."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import as_file, files
from typing import Any

from linreg.training import child, memory

ENGINE_BYTES = 115_000_000  # kept between two pictures
VEGA_LITE = "6.4"  # of its versions, the one that Streamlit draws with
IDLE, LONGEST = 15, 60  # seconds without a question, and of one answer


class RenderError(OSError):
    """What the renderer said of a picture that it could not make."""


class Renderer:
    """The process, started when it is first needed; one question at a time, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._late = False

    def ask(self, function: str, *, alone: bool = False, **arguments: Any) -> bytes:
        """What a function of vl-convert returns, text as UTF-8. Raises `RenderError` with its
        words.

        `alone` is for what takes so much memory that a process is started for it and ended after
        it."""
        question = json.dumps([function, arguments], allow_nan=False)
        with self._lock, self._alone(alone):
            answer = self._answer(question)
            if not answer and not self._late:  # it has ended in the meantime: once more
                answer = self._answer(question)
        if self._late:
            raise RenderError(f"the picture took more than {LONGEST} s; try a smaller size")
        if not answer:
            raise RenderError(
                "the renderer's process ends before it answers; try again, or another format"
            )
        kind, said = answer
        if kind == "error":
            raise RenderError(said)
        return bytes(said)

    @contextmanager
    def _alone(self, alone: bool) -> Iterator[None]:
        if not alone:
            yield
            return
        self._end()
        try:
            yield
        finally:
            self._end()

    def wake(self) -> None:
        """Start the process and its engine, which takes a second, without waiting for them."""
        process = self._process
        if process is None or process.poll() is not None:
            threading.Thread(target=self._first, name="renderer", daemon=True).start()

    def _first(self) -> None:
        with suppress(OSError):  # whoever asks for a picture will hear of it
            self.ask(
                "vegalite_to_svg",
                vl_spec={"data": {"values": [{}]}, "mark": "bar"},
                vl_version=VEGA_LITE,
            )

    def close(self) -> None:
        """End the process, if there is one; the next question starts another."""
        process = self._process
        if process is not None:
            process.kill()  # whoever waits for it gets no answer
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _answer(self, question: str) -> Any:
        """What the process answers, None where it ends before its answer is whole."""
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = child.start("renderer")
        process, self._late = self._process, False
        asked, answered = process.stdin, process.stdout
        assert asked is not None
        assert answered is not None
        patience = threading.Timer(LONGEST, self._give_up, [process])
        patience.start()
        answer = None
        try:
            child.write(asked, question)
            answer = next(child.read(answered), None)
        except OSError:  # its pipe is closed
            pass
        finally:
            patience.cancel()
        if answer is None:
            self._end()
        return answer

    def _give_up(self, process: subprocess.Popen[bytes]) -> None:
        self._late = True
        process.kill()


RENDERER = Renderer()
atexit.register(RENDERER.close)


def serve() -> None:
    """Answer one question after the other, until nobody has asked for a while or too much memory is
    held."""
    asked, answered = child.ends()
    import vl_convert

    with as_file(files("font_source_sans_pro") / "files") as fonts:
        vl_convert.register_font_directory(str(fonts))
        idle = child.end_later(IDLE)
        for question in child.read(asked):
            idle.cancel()
            function, arguments = json.loads(question)
            try:
                made = getattr(vl_convert, function)(**arguments)
                said = "made", made.encode() if isinstance(made, str) else made
            except Exception as error:  # whatever it is, it belongs to the one who asked
                said = "error", str(error)
            child.write(answered, said)
            memory.give_back()
            if memory.own_bytes() > ENGINE_BYTES:  # the engine keeps what it once had
                os._exit(0)
            idle = child.end_later(IDLE)
