"""Links as the first version wrote them, every setting spelled out: each still opens its page, and
every setting comes back. They are texts on purpose: a renamed field must not rename a link."""

from urllib.parse import parse_qsl

import pytest
from apprunner import HOME, one, ran
from streamlit.testing.v1 import AppTest

from linreg.settings.model import Comparison, DataSettings, Settings, TableSettings
from linreg.settings.pages import CauseView, ClaimsView, CodeView, SurfaceView, SweepView
from linreg.ui.state import KEY

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
SETTINGS = (
    "v=1&samples=2000&weights=-2,0.5&scale=10&mean=1&correlation=0.25&noise=2&data_seed=7"
    "&wiring=original&fixed.wiring=unsqueeze&init=1,2,0.5&optimizer=SGD&fixed.optimizer=Adam"
    "&lr=0.0001&fixed.lr=0.05&momentum=0.5&fixed.momentum=0&batch_size=50&epochs=3&shuffle=1"
    "&bias=1&seed=11"
)
DATA = DataSettings(2000, (-2.0, 0.5), 10.0, 1.0, 0.25, 2.0, 7)
ORIGINAL = Settings(
    DATA, "original", (1.0, 2.0, 0.5), "SGD", 1e-4, 0.5, 50, 3, shuffle=True, bias=True, seed=11
)
FIXED = Settings(
    DATA, "unsqueeze", (1.0, 2.0, 0.5), "Adam", 0.05, 0.0, 50, 3, shuffle=True, bias=True, seed=11
)
LINKS = {
    "": ("", None),
    "cause": ("rows=4&w1=1.5&w2=-0.5", CauseView(4, 1.5, -0.5)),
    "claims": ("seeds=20", ClaimsView(20)),
    "surface": (
        "part=curvature&sides=fixed&optimizers=SGD,Adam&rates=own&lrs=0.001,0.01&starts=1,2,-1,0"
        "&ring=0&radius=2&arrows=1&batch=3",
        SurfaceView(
            "curvature",
            "fixed",
            ("SGD", "Adam"),
            "own",
            (0.001, 0.01),
            (1.0, 2.0, -1.0, 0.0),
            0,
            2.0,
            True,
            3,
        ),
    ),
    "sweep": (
        "x=batch_size&y=momentum&x_range=1,50&y_range=0,0.9&columns=6&rows=3&inits=2&steps=100"
        "&metric=loss",
        SweepView("batch_size", "momentum", (1.0, 50.0), (0.0, 0.9), 6, 3, 2, 100, "loss"),
    ),
    "your_code": ("prediction=8,1&truth=8&loss=huber", CodeView((8, 1), (8,), "huber")),
}


def opened(page, query):
    app = AppTest.from_file(HOME, default_timeout=120)
    if page:
        app.switch_page(f"pages/{page}.py")
    for name, value in parse_qsl(query):
        app.query_params[name] = value
    return ran(app)


@pytest.mark.parametrize("page", LINKS)
def test_a_link_of_the_first_version_opens_its_page_with_every_setting(page):
    query, view = LINKS[page]
    app = opened(page, f"{SETTINGS}&{query}")
    assert not app.warning, "nothing of it is ignored"
    state = app.session_state[KEY]
    assert state.comparison == Comparison(ORIGINAL, FIXED)
    if view:
        assert state.view(type(view)) == view
    written = {name: one(value) for name, value in app.query_params.items()}
    asked = dict(parse_qsl(f"{SETTINGS}&{query}"))
    assert written.items() <= asked.items(), "the address keeps the names of the link"


def test_a_link_to_a_table_opens_its_page():
    app = opened(
        "your_data",
        "v=1&table=auto-mpg&target=mpg&feature1=weight&feature2=model_year&standardise=1"
        "&wiring=original&fixed.wiring=squeeze&init=default&optimizer=RMSprop&lr=0.01&momentum=0"
        "&batch_size=100&epochs=750&shuffle=0&bias=1&seed=0",
    )
    assert not app.warning
    data = app.session_state[KEY].comparison.original.data
    assert data == TableSettings("auto-mpg", "mpg", ("weight", "model_year"), 398, True)


# ---- how a page is shown -------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["", "surface"])
def test_a_link_to_a_lecture_view_keeps_its_settings_and_its_name(page):
    app = opened(page, f"{SETTINGS}&{LINKS[page][0]}&present=true")
    assert not app.warning
    assert app.session_state[KEY].comparison == Comparison(ORIGINAL, FIXED)
    assert one(app.query_params["present"]) == "true"
    assert not app.sidebar.children, "no side panel"
    app.button(key="leave_lecture").click().run()
    assert "present" not in app.query_params
    assert app.session_state[KEY].comparison == Comparison(ORIGINAL, FIXED)
    assert app.sidebar.children


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("present=yes", "present=yes was ignored: it is neither true nor false."),
        ("figure=loss", "figure=loss was ignored: only an embedded page"),
    ],
)
def test_a_view_that_there_is_not_is_named(query, said):
    app = opened("your_code", query)
    (warning,) = app.warning
    assert warning.value.replace("\\", "").startswith(said)
    assert not {"present", "figure"} & set(app.query_params.keys())


def test_the_preset_of_changed_settings_is_said_to_be_modified():
    def preset(app):
        box = app.selectbox(key="control.preset")
        return box.value, box.proto.placeholder

    app = opened("surface", "ring=1&optimizers=SGD&rates=one")
    assert preset(app)[0] == "as_asked"
    app.selectbox(key="control.preset").select("from_zero").run()
    assert preset(app)[0] == "from_zero"
    app.number_input(key="control.lr").set_value(0.02).run()
    assert preset(app) == (None, "Started at (0, 0) (modified)")
    app.number_input(key="control.lr").set_value(0.01).run()
    assert preset(app)[0] == "from_zero"
