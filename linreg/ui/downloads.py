"""Files that are made when they are asked for, and stay long enough to be fetched.

Streamlit can make a download on demand (`st.download_button` with a callable) but deletes the file
at the end of the second run after that, whichever session runs: with several visitors that can be
before the browser has fetched it. Streamlit offers no public way to keep the file, so this module
adds it to the server's media files itself. Nothing else in linreg uses a private part of Streamlit;
tests/app/test_downloads.py fails once Streamlit changes these parts or no longer needs this."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from streamlit.runtime import get_instance

KEPT_FILES = 16  # the latest downloads of all sessions
SESSION_LOGGER = "streamlit.runtime.scriptrunner_utils.script_run_context"

_file_numbers = count()
_adding = threading.local()  # its `now` is True in a thread that adds a file


def keep_download(make: Callable[[], bytes | str], name: str, mime: str) -> Callable[[], bytes]:
    """A callable for `st.download_button` whose file is kept until `KEPT_FILES` newer ones have
    been made."""

    def make_and_keep() -> bytes:
        content = make()
        content = content.encode() if isinstance(content, str) else content
        slot = f"kept.{next(_file_numbers) % KEPT_FILES}"
        with _without_session_warning():
            get_instance().media_file_mgr.add(
                content, mime, slot, name, is_for_static_download=True
            )
        return content

    return make_and_keep


@contextmanager
def _without_session_warning() -> Iterator[None]:
    """Streamlit warns that a file added outside of a run belongs to no session, which is meant."""
    _adding.now = True
    try:
        yield
    finally:
        _adding.now = False


def _is_worth_a_warning(_: logging.LogRecord) -> bool:
    return not getattr(_adding, "now", False)


logging.getLogger(SESSION_LOGGER).addFilter(_is_worth_a_warning)
