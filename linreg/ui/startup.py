"""What a server does once, when its first page is opened."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
from contextlib import suppress
from itertools import chain

import streamlit as st

from linreg.figures.templates import build_templates
from linreg.settings.dependencies import LIVE, missing
from linreg.settings.warnings import FILTERS_LOCK
from linreg.training import memory
from linreg.training.worker import PYTORCH
from linreg.ui.live.files import prepare

FIRST_SECONDS = 30  # the most that all other work waits for the first page
# A page hands each of its elements to the server's thread, and waits up to this long to go on while
# another page computes. With Python's 5 ms, the 95th percentile of a control's change beside four
# other visitors was 0.7 to 1.4 s instead of 0.4 to 0.9 s (three servers each).
SWITCH_SECONDS = 0.0005
TIDY_SECONDS = 10
IN_MEMORY = "/dev/shm"


@st.cache_resource(show_spinner=False)
def warm_up() -> threading.Thread:
    """Prepare the server, once in its life: start PyTorch's process and, in the background when the
    first page has been drawn, compile the kernels and build the figures' templates.

    After that it collects garbage every ten seconds, which Streamlit is told not to do after each
    run, and which Python by itself hardly ever does. What is loaded by then is left out of it
    (`gc.freeze`): else each collection would hold up all pages for 0.1 to 0.4 s.
    """
    memory.limit_arenas()
    use_memory_tempdir()
    sys.setswitchinterval(SWITCH_SECONDS)
    PYTORCH.prestart()
    if not missing(LIVE):
        threading.Thread(target=_prepare_files, name="live-files", daemon=True).start()
    first_page = threading.current_thread()

    def work() -> None:
        first_page.join(FIRST_SECONDS)
        with FILTERS_LOCK:  # Numba changes the warning filters while it is imported
            from linreg.figures.simplify import compile_simplify
            from linreg.training.ensemble import precompile

        compile_simplify()
        for _ in chain(precompile(), build_templates()):
            time.sleep(0.05)  # the compiler holds the interpreter; let the pages go on
        gc.collect()
        gc.freeze()
        while True:
            gc.collect()
            memory.trim()
            time.sleep(TIDY_SECONDS)

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


def _prepare_files() -> None:
    """Make the files of the live figures while the first runs are trained."""
    with suppress(OSError):  # the page tries again, and says what is wrong
        prepare()


def use_memory_tempdir() -> None:
    """Keep temporary files in memory if no folder for them can be written: an upload passes through
    one."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        if os.access(IN_MEMORY, os.W_OK):
            tempfile.tempdir = IN_MEMORY
