"""What a server does once, when its first page is opened."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
from itertools import chain

import streamlit as st

from linreg.figures.theme import build_templates
from linreg.settings.warnings import FILTERS_LOCK
from linreg.training import memory
from linreg.training.worker import PYTORCH

FIRST_SECONDS = 30  # the most that all other work waits for the first page
TIDY_SECONDS = 10
# a page hands on each of its elements and waits so long to go on while another one computes
SWITCH_SECONDS = 0.0005
IN_MEMORY = "/dev/shm"


@st.cache_resource(show_spinner=False)
def warm_up() -> threading.Thread:
    """In the background, once in a server's life: start PyTorch's process and, when the first page
    has been drawn, compile the kernels, build the figures' templates, and then keep the memory
    tidy."""

    memory.limit_arenas()
    use_memory_tempdir()
    sys.setswitchinterval(SWITCH_SECONDS)
    PYTORCH.prestart()
    first = threading.current_thread()

    def work() -> None:
        first.join(FIRST_SECONDS)
        _set_aside()
        with FILTERS_LOCK:  # what numba loads swaps them
            from linreg.figures.simplify import compile_simplify
            from linreg.training.ensemble import precompile

        compile_simplify()
        for _ in chain(precompile(), build_templates()):
            time.sleep(0.05)  # to compile is to hold the interpreter: let the pages breathe
        modules = 0
        while True:  # what Streamlit would do after every run
            if (
                len(sys.modules) > modules
            ):  # with what a page has loaded when it was first asked for
                modules = len(sys.modules)
                _set_aside()
            else:
                gc.collect()
            memory.trim()
            time.sleep(TIDY_SECONDS)

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


def _set_aside() -> None:
    """Take all that is loaded out of what the garbage collector looks at.

    To collect garbage is to hold the interpreter: with Numba and all modules loaded for a tenth of
    a second, for objects that stay anyway."""
    gc.collect()
    gc.freeze()


def use_memory_tempdir() -> None:
    """Keep temporary files in memory where no folder for them can be written; an upload passes
    through one."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        if os.access(IN_MEMORY, os.W_OK):
            tempfile.tempdir = IN_MEMORY
