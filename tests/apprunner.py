"""Pages through Streamlit's own test runner: open one by a link, run it again, read what it
says."""

import json
import re
import sys

import pandas as pd
from project import ROOT
from streamlit.testing.v1 import AppTest

import linreg.ui.page  # noqa: F401
from linreg.settings.query import from_query

# of a server: in a process of tests its thread would never end
sys.modules["linreg.ui.page"].warm_up = lambda: None
HOME = str(ROOT / "streamlit_app.py")
SPLIT = re.compile(r"(?<!\\)\|")  # a bar that is not escaped parts two cells


def opened(page="", **query):
    """The home page, or another one, opened by a link; `fixed__lr` stands for `fixed.lr`."""
    app = AppTest.from_file(HOME, default_timeout=120)
    if page:
        app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name.replace("__", ".")] = value
    return ran(app)


def tables(app):
    """All tables of the page: of text in Markdown, with their rows by name."""
    found = []
    for text in (element.value for element in app.markdown if element.value.startswith("|")):
        (_, *labels), _, *rows = (
            [cell.strip() for cell in SPLIT.split(line)[1:-1]] for line in text.splitlines()
        )
        found.append(
            pd.DataFrame(
                [cells for _, *cells in rows], index=[name for name, *_ in rows], columns=labels
            )
        )
    return found


def ran(changed):
    """Run the page after a change of one of its elements (or of nothing)."""
    app = changed.run()
    assert not app.exception, app.exception[0].value + "\n" + "".join(app.exception[0].stack_trace)
    return app


def replay_controls(app):
    """What the controls of the replay get from Python."""
    (controls,) = [
        element.proto.json for element in app.get("bidi_component") if element.proto.json
    ]
    return json.loads(controls)


def control(app, kind, name):
    return getattr(app, kind)(key=f"control.{name}")


def one(value):
    """A query parameter: the runner gives a list for what a test set, a text for what the page
    wrote."""
    return value if isinstance(value, str) else value[-1]


def link(app):
    found, ignored = from_query(
        {name: one(value) for name, value in app.query_params.items() if name != "step"}
    )
    assert not ignored
    return found


def words(app):
    return "\n".join(element.value for element in app.markdown)


def refusals(app):
    """What the controls say below themselves."""
    found = [caption.value for caption in app.caption if caption.value.startswith(":red[")]
    return "\n".join(found).replace("\\", "")
