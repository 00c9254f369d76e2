"""Downloads that are made on demand, and the private parts of Streamlit that keep their files."""

import logging
import threading
from types import SimpleNamespace

import pytest
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from linreg.ui import downloads

pytestmark = pytest.mark.slow

MIME = "text/csv"


@pytest.fixture
def files(monkeypatch):
    """A server's media files, as Streamlit has them."""
    manager = MediaFileManager(MemoryMediaFileStorage("/media"))
    monkeypatch.setattr(downloads, "get_instance", lambda: SimpleNamespace(media_file_mgr=manager))
    return manager


def clicked(files, make):
    """The address of the file behind a download button, made as Streamlit makes it: in a thread
    that belongs to no session. Two runs of other sessions end before it is fetched."""
    placeholder = files.add_deferred(make, MIME, "0", "table.csv")
    found = []
    thread = threading.Thread(target=lambda: found.append(files.execute_deferred(placeholder)))
    thread.start()
    thread.join()
    files.remove_orphaned_files()
    files.remove_orphaned_files()
    return found[0]


def is_there(files, address):
    name = address.rpartition("/")[2].partition(".")[0]
    return files.read_file(name) is not None


def test_a_download_can_still_be_fetched_after_other_sessions_have_run(files):
    address = clicked(files, downloads.keep_download(lambda: "a,b", "table.csv", MIME))
    assert is_there(files, address), "Streamlit has changed how it keeps files: see ui/downloads.py"


def test_streamlit_alone_deletes_the_file_before_that(files):
    address = clicked(files, lambda: b"a,b")
    assert not is_there(files, address), (
        "Streamlit now keeps these files itself: ui/downloads.py is not needed any more"
    )


def test_only_the_latest_downloads_are_kept(files):
    addresses = [
        clicked(files, downloads.keep_download(lambda n=n: f"{n}", "table.csv", MIME))
        for n in range(downloads.KEPT_FILES + 1)
    ]
    assert [is_there(files, address) for address in addresses] == [
        False,
        *[True] * downloads.KEPT_FILES,
    ]


@pytest.mark.parametrize(
    ("kept", "warnings"), [(True, 0), (False, 1)], ids=["kept", "added by somebody else"]
)
def test_only_a_file_that_is_kept_on_purpose_is_added_without_a_warning(
    files, caplog, kept, warnings
):
    """Streamlit warns of a file that is added in a thread without a session."""
    make = downloads.keep_download(lambda: "a,b", "table.csv", MIME)
    logger = logging.getLogger(downloads.SESSION_LOGGER)
    logger.addHandler(caplog.handler)
    try:
        thread = threading.Thread(target=make if kept else lambda: files.add(b"a,b", MIME, "0"))
        thread.start()
        thread.join()
    finally:
        logger.removeHandler(caplog.handler)
    assert len(caplog.records) == warnings, (
        "Streamlit has changed where it warns: see ui/downloads.py"
    )
