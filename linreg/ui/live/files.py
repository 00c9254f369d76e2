"""The browser's code: Vega and the modules of this folder, as files that the app itself serves.

`st.components.v2` takes JavaScript as a text that is sent again with every element; a file it
serves only for an installed package whose manifest names it. So the text is a small loader, and the
files are those of a component as of `st.components.v1`, whose folder Streamlit serves at
`component/NAME/`. The folder inside it is named after what is in it: the browser may keep a file as
long as it likes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import threading
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import streamlit as st
from streamlit.components.v1 import declare_component

from linreg.figures.renderer import SNIPPET, VEGA_LITE, vega_bundle
from linreg.settings.dependencies import LIVE, missing, missing_message

ENDINGS = (".js", ".css")
_preparing = threading.Lock()


class FilesMissing(Exception):
    """The browser's code cannot be served, and why."""


@cache
def _modules() -> dict[str, bytes]:
    """The files of this folder that the browser reads, by name."""
    found = [path for path in files(__package__).iterdir() if path.name.endswith(ENDINGS)]
    return {path.name: path.read_bytes() for path in sorted(found, key=lambda path: path.name)}


@cache
def files_version() -> str:
    """A name for what is served, which changes with it."""
    digest = hashlib.sha256(f"{version('vl-convert-python')} {VEGA_LITE} {SNIPPET}".encode())
    for name, content in _modules().items():
        digest.update(name.encode() + content)
    return digest.hexdigest()[:16]


@cache
def modules_to_load() -> list[str]:
    """The modules that every live figure needs."""
    reached = ["live.js"]
    for name in reached:
        imported = re.findall(rb'(?m)^import .* from "\./(.*)";$', _modules()[name])
        reached += [module.decode() for module in imported if module.decode() not in reached]
    return reached


def written_files() -> str | None:
    """What `served_files` returns, None where the files would have to be written first."""
    if missing(LIVE) or not (_usual_folder() / files_version() / "vega.js").is_file():
        return None
    with suppress(FilesMissing):
        return served_files()
    return None


def served_files() -> str:
    """The address of the files, relative to that of the app.

    Raises `FilesMissing` where they can be neither made nor kept.
    """
    if missing(LIVE):
        raise FilesMissing(missing_message("The live figures need", missing(LIVE)))
    try:
        _, name = _served()
    except OSError as error:
        raise FilesMissing(f"the files of the live figures cannot be written: {error}") from None
    return f"component/{name}/{files_version()}"


def _are_there(served: tuple[Path, str]) -> bool:
    """Whether the files have not been deleted, as old temporary files are."""
    root, _ = served
    return (root / files_version() / "vega.js").is_file()


@st.cache_resource(show_spinner="Preparing the figures, once on this server …", validate=_are_there)
def _served() -> tuple[Path, str]:
    """The folder that Streamlit serves, and the name of the component that it belongs to."""
    root = prepare()
    return root, declare_component("files", path=root).name


def prepare(root: Path | None = None) -> Path:
    """Write the files of this version into a folder of `root`: all of them, or none.

    Without a root it is `private_folder()`. Returns the root.
    """
    with _preparing:
        root = root or private_folder()
        if not (root / files_version() / "vega.js").is_file():
            shutil.rmtree(root / files_version(), ignore_errors=True)
            _write(root / files_version())
        return root


def _write(folder: Path) -> None:
    root = folder.parent
    unfinished = Path(tempfile.mkdtemp(dir=root))
    try:
        (unfinished / "vega.js").write_text(vega_bundle(), encoding="utf-8")
        for name, content in _modules().items():
            (unfinished / name).write_bytes(content)
        os.replace(unfinished, folder)
    except OSError:  # of which `RenderError` is one
        shutil.rmtree(unfinished, ignore_errors=True)
        if not folder.is_dir():  # another process may have been first
            raise


def private_folder() -> Path:
    """A folder for temporary files in which nobody else can write; the same for each server of a
    user."""
    user, folder = _user(), _usual_folder()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        owned = user is None or (folder.lstat().st_uid == user and not folder.is_symlink())
        if owned and not (user is not None and folder.stat().st_mode & 0o022):
            return folder
    except OSError:
        pass  # something else has that name
    return Path(tempfile.mkdtemp(prefix="linreg-"))


def _usual_folder() -> Path:
    user = _user()
    return Path(tempfile.gettempdir(), f"linreg-{'live' if user is None else user}")


def _user() -> int | None:
    return os.getuid() if hasattr(os, "getuid") else None
