"""Session and query string have one owner: `linreg/ui/state.py`."""

import ast

import pytest
from project import ROOT

OWNER = ROOT / "linreg/ui/state.py"
OWNED = {"session_state", "query_params"}
SOURCES = [
    ROOT / "streamlit_app.py",
    *(ROOT / "pages").glob("*.py"),
    *(ROOT / "linreg").rglob("*.py"),
]


def mentions(code):
    """What the code names of session and query string; the keyword of a link to a page, as in
    `st.page_link(…, query_params=…)`, is the query of that link."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name):
                names = {name}
            case ast.Constant(value=str(text)):
                names = {text}
            case _:
                names = set()
        yield from names & OWNED


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_the_owner_touches_session_and_query_string(path):
    assert set(mentions(path.read_text())) == (OWNED if path == OWNER else set())


@pytest.mark.parametrize(
    "code",
    [
        "st.session_state['a'] = 1",
        "import streamlit\nstreamlit.query_params.clear()",
        "from streamlit import session_state",
        "from streamlit import query_params as query",
        "getattr(st, 'session_state')",
    ],
)
def test_what_it_looks_for_it_finds(code):
    assert set(mentions(code))


def test_the_query_of_a_link_is_no_mention():
    assert not set(mentions("st.page_link('pages/sweep.py', query_params={'v': '1'})"))
