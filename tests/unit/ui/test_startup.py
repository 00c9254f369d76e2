"""What a server does once, when its first page is opened."""

import tempfile

from linreg.ui import startup


def test_temporary_files_are_held_in_memory_where_no_folder_can_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(startup, "IN_MEMORY", str(tmp_path))
    before = tempfile.gettempdir()
    startup.use_memory_tempdir()
    assert tempfile.gettempdir() == before

    def none():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", before)
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "gettempdir", none)
        startup.use_memory_tempdir()
    with tempfile.TemporaryFile() as file:
        file.write(b"an upload")
    assert tempfile.gettempdir() == str(tmp_path)
