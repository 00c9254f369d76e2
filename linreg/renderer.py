"""vl-convert in a process of its own: it holds the interpreter's lock while it works, and its engine takes 100 MB and more.

Run as a file this module is that process: a JSON object with the name of a function and its arguments comes in on each
line, and its answer goes out as one. It ends when nobody has asked for a while, or when nobody is there any more.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import as_file, files
from typing import Any

VEGA_LITE = "6.4"  # of its versions, the one that Streamlit draws with
IDLE, LONGEST = 15, 60  # seconds without a question, and of one answer


class RenderError(OSError):
    """What the renderer said of a picture that it could not make."""


class Renderer:
    """The process, started when it is first needed; one question at a time, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._late = False

    def ask(self, function: str, *, alone: bool = False, **arguments: Any) -> bytes:
        """What a function of vl-convert returns, text as UTF-8. Raises `RenderError` with its words.

        `alone` is for what takes so much memory that a process is started for it and ended after it.
        """
        question = json.dumps({"function": function, "arguments": arguments}, allow_nan=False)
        with self._lock, self._alone(alone):
            answer = self._answer(question)
            if not answer and not self._late:  # it has ended in the meantime: once more
                answer = self._answer(question)
        if self._late:
            raise RenderError(f"the picture took more than {LONGEST} s; try a smaller size")
        if not answer:
            raise RenderError("the renderer's process ends before it answers; try again, or another format")
        said = json.loads(answer)
        if "error" in said:
            raise RenderError(said["error"])
        return base64.b64decode(said["made"])

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
            self.ask("vegalite_to_svg", vl_spec={"data": {"values": [{}]}, "mark": "bar"}, vl_version=VEGA_LITE)

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

    def _answer(self, question: str) -> str:
        """The answer's line, empty where the process ended before it was whole."""
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = _started()
        process, self._late = self._process, False
        asked, answered = process.stdin, process.stdout
        assert asked is not None
        assert answered is not None
        patience = threading.Timer(LONGEST, self._give_up, [process])
        patience.start()
        try:
            asked.write(question + "\n")
            asked.flush()
            line = answered.readline()
        except OSError:
            line = ""
        finally:
            patience.cancel()
        if line.endswith("\n"):
            return line
        self._end()
        return ""

    def _give_up(self, process: subprocess.Popen[str]) -> None:
        self._late = True
        process.kill()


def _started() -> subprocess.Popen[str]:
    with as_file(files("font_source_sans_pro") / "files") as folder:
        return subprocess.Popen(
            [sys.executable, "-P", __file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )


RENDERER = Renderer()
atexit.register(RENDERER.close)


def answer_all(fonts: str) -> None:
    """Answer one line after the other, until nobody has asked for a while."""
    import vl_convert

    vl_convert.register_font_directory(fonts)
    while True:
        idle = threading.Timer(IDLE, os._exit, [0])
        idle.daemon = True
        idle.start()
        line = sys.stdin.readline()
        idle.cancel()
        if not line:
            return
        asked = json.loads(line)
        try:
            made = getattr(vl_convert, asked["function"])(**asked["arguments"])
            said = {"made": base64.b64encode(made.encode() if isinstance(made, str) else made).decode()}
        except Exception as error:  # whatever it is, it belongs to the one who asked
            said = {"error": str(error)}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    answer_all(sys.argv[1])
