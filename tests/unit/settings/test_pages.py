"""Views of the pages: a link restores them, and any link gives a valid view."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg.settings.changes import all_specs
from linreg.settings.fields import SettingsError, specs_of
from linreg.settings.pages import ClaimsView, CodeView, SurfaceView, SweepView, with_view_changes
from linreg.settings.query import from_query, from_view_query, to_view_query

VIEWS = (SurfaceView, ClaimsView, SweepView)


@pytest.mark.parametrize(
    "view",
    [
        SurfaceView(
            part="batches", sides="fixed", optimizers=("NAdam",), rates="own", lrs=(0.5,), batch=7
        ),
        SurfaceView(optimizers=(), starts=(1.0, -2.5, 3.0, 1e-3), ring=0, radius=0.25, arrows=True),
        ClaimsView(seeds=50),
        SweepView(
            x="momentum",
            y="noise",
            x_range=(0.1, 0.5),
            columns=7,
            rows=3,
            inits=1,
            steps=10,
            metric="loss",
        ),
    ],
)
def test_a_link_restores_the_view(view):
    assert from_view_query(type(view), to_view_query(view)) == (view, [])


@pytest.mark.parametrize("kind", VIEWS)
def test_a_default_view_needs_no_query(kind):
    assert to_view_query(kind()) == {}


@pytest.mark.parametrize("kind", VIEWS)
def test_field_names_are_unique(kind):
    assert not set(specs_of(kind)) & set(all_specs())
    assert from_query(to_view_query(kind()))[1] == []


@pytest.mark.parametrize(
    ("kind", "query", "said"),
    [
        (SurfaceView, {"optimizers": "Adam,<b>"}, "optimizers=Adam,<b> was ignored: it is unknown"),
        (
            SurfaceView,
            {"starts": "1,2,3"},
            "starts=1,2,3 was ignored: it does not have an even count, at most 24, of numbers",
        ),
        (SurfaceView, {"ring": "1000"}, "ring=1000 was ignored: it is out of range"),
        (SweepView, {"x": "noise", "y": "noise"}, "y=noise was ignored: both axes are noise"),
        (
            SweepView,
            {"x_range": "5,1"},
            "x_range=5,1 was ignored: range 5,1 is not one; use two numbers above 0",
        ),
        (SweepView, {"x_range": "-1,1"}, "use two numbers above 0"),
        (ClaimsView, {"seeds": "1e9"}, "seeds=1e9 was ignored: it is not a whole number"),
    ],
)
def test_ignored_parts_of_a_query_are_reported(kind, query, said):
    view, ignored = from_view_query(kind, query)
    assert any(said in sentence for sentence in ignored)
    assert isinstance(view, kind)


@given(
    st.dictionaries(
        st.sampled_from(sorted({name for kind in VIEWS for name in specs_of(kind)})),
        st.one_of(
            st.text(string.printable, max_size=12),
            st.sampled_from(["nan", "1e999", "-1", "1,2", "default", "lr", "0"]),
        ),
    )
)
def test_any_query_gives_a_view(query):
    for kind in VIEWS:
        view, ignored = from_view_query(kind, query)
        assert from_view_query(kind, to_view_query(view)) == (view, [])
        assert all(sentence.endswith(".") for sentence in ignored)


def test_a_new_axis_resets_its_range():
    view = SweepView(x="correlation", x_range=(-0.9, 0.9), y_range=(2.0, 20.0))
    moved = with_view_changes(view, {"x": "lr"})
    assert (moved.x, moved.x_range, moved.y_range) == ("lr", None, (2.0, 20.0))
    assert with_view_changes(view, {"x_range": (0.1, 0.2)}).x_range == (0.1, 0.2)
    swapped = with_view_changes(view, {"x": view.y})
    assert (swapped.x, swapped.y) == ("batch_size", "correlation")
    assert (swapped.x_range, swapped.y_range) == ((2.0, 20.0), (-0.9, 0.9))
    assert with_view_changes(view, {"y": view.x}) == swapped
    assert with_view_changes(SurfaceView(), {"ring": 3}) == SurfaceView(ring=3)


def test_the_same_axis_twice_is_refused():
    with pytest.raises(SettingsError, match="both axes are noise"):
        SweepView(x="noise", y="noise")


def test_named_sizes_and_variables_are_in_the_link_of_your_code():
    view = CodeView(("B", 1), ("B",), names=("pred", "batch.y"))
    query = to_view_query(view)
    assert query == {"prediction": "B,1", "truth": "B", "names": "pred,batch.y"}
    assert from_view_query(CodeView, query) == (view, [])


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"names": "<b>,y"}, "it is not a name"),
        ({"names": "pred"}, "it does not have 0 or 2 names"),
        ({"names": "pred,y()"}, "it is not a name"),
        ({"names": f"pred,{'y' * 41}"}, "it is not a name"),
        ({"names": "3,4"}, "it is not a name"),
        ({"truth": "B!"}, "it is not a whole number"),
        ({"truth": "1.5"}, "it is not a whole number"),
    ],
    ids=str,
)
def test_what_is_no_name_in_the_link_of_your_code_is_ignored(query, says):
    view, (ignored,) = from_view_query(CodeView, query)
    assert view == CodeView()
    assert says in ignored
