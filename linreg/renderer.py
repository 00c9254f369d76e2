"""vl-convert in a process of its own: it holds the interpreter's lock while it works, and its engine takes 100 MB and more.

Run as a file this module is that process: a JSON object with the name of a function and its arguments comes in on each
line, and its answer goes out as one. It ends when nobody has asked for a while, or when nobody is there any more.
"""

from __future__ import annotations

import atexit
import base64
import json
import select
import subprocess
import sys
import threading
from contextlib import suppress
from importlib.resources import as_file, files
from importlib.util import find_spec
from typing import Any

VEGA_LITE = "6.4"  # of its versions, the one that Streamlit draws with
IDLE, LONGEST = 60, 60  # seconds without a question, and of one answer


class RenderError(OSError):
    """What the renderer said of a picture that it could not make."""


class Renderer:
    """The process, started when it is first needed; one question at a time, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def ask(self, function: str, **arguments: Any) -> bytes:
        """What a function of vl-convert returns, text as UTF-8. Raises `RenderError` with its words."""
        question = json.dumps({"function": function, "arguments": arguments}, allow_nan=False)
        with self._lock:
            answer = self._answer(question) or self._answer(question)  # once more: it may have ended in the meantime
        if not answer:
            raise RenderError("the picture took too long, or its process was ended; try again, or a smaller size")
        said = json.loads(answer)
        if "error" in said:
            raise RenderError(said["error"])
        return base64.b64decode(said["made"])

    def wake(self) -> None:
        """Start the process and its engine, which takes a second, without waiting for them."""
        if self._process is None or self._process.poll() is not None:
            threading.Thread(target=self._first, name="renderer", daemon=True).start()

    def _first(self) -> None:
        with suppress(RenderError):  # whoever asks for a picture will hear of it
            self.ask("vegalite_to_svg", vl_spec={"data": {"values": [{}]}, "mark": "bar"}, vl_version=VEGA_LITE)

    def close(self) -> None:
        """End the process, if there is one; the next question starts another."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.communicate()
                self._process = None

    def _answer(self, question: str) -> str:
        """The answer's line, empty where the process ended before."""
        if self._process is not None and self._process.poll() is not None:
            self._process.communicate()
            self._process = None
        if self._process is None:
            absent = [name for name in ("vl_convert", "fontTools", "font_source_sans_pro") if find_spec(name) is None]
            if absent:
                raise RenderError(f"figures as files need {', '.join(absent)}; install it: pip install linreg[figures]")
            with as_file(files("font_source_sans_pro") / "files") as folder:
                command = [sys.executable, "-P", __file__, str(folder)]
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    encoding="utf-8",
                )
        process = self._process
        asked, answered = process.stdin, process.stdout
        assert asked is not None
        assert answered is not None
        patience = threading.Timer(LONGEST, process.kill)
        patience.start()
        try:
            asked.write(question + "\n")
            asked.flush()
            return answered.readline()
        except OSError:
            return ""
        finally:
            patience.cancel()


RENDERER = Renderer()
atexit.register(RENDERER.close)


def answer_all(fonts: str) -> None:
    """Answer one line after the other."""
    import vl_convert

    vl_convert.register_font_directory(fonts)
    while select.select([sys.stdin], [], [], IDLE)[0]:
        line = sys.stdin.readline()
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
