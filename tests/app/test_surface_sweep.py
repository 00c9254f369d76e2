"""The pages on the ensemble through Streamlit's own test runner: every figure in a sentence against
an independent count."""

import re
import threading
import time

import numpy as np
import pytest
from apprunner import HOME, control, link, one, opened, ran, refusals, tables, words

from linreg import Settings, make_data, train
from linreg.settings.model import DataSettings
from linreg.settings.query import from_query, from_view_query
from linreg.ui.state import KEY

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


# ---- surface -------------------------------------------------------------------------------------


def test_the_surface_page_finds_where_the_paths_end():
    app = opened(
        "surface",
        samples="400",
        rates="one",
        lr="0.05",
        epochs="100",
        optimizers="RMSprop,Adam",
        ring="0",
    )
    (ends,) = tables(app)
    settings = [
        Settings(data=DataSettings(samples=400), optimizer=name, lr=0.05, epochs=100)
        for name in ("RMSprop", "Adam")
    ]
    for run in train(settings):
        w1, w2 = run.weights[-1]
        cell = ends.loc[
            f"Original, {run.settings.optimizer}", "ends at, median of the starts"
        ].replace("−", "-")
        assert [float(part) for part in cell.strip("()").split(", ")] == pytest.approx(
            [w1, w2], abs=0.011
        )
    for said in (
        "**The optimizer is not the cause: each one finds the minimum",
        "**Fixed**: 2 of 2 optimizers settle near the minimum of this loss, (5.00, 3.0",
    ):
        assert said in words(app)


def test_tuned_rates_are_the_table_s_and_own_rates_are_kept():
    app = opened("surface", samples="400", optimizers="SGD,Adam")
    tuned = tables(app)[0]["learning rate"]
    assert float(tuned["Fixed, SGD"]) < 2e-4
    app = opened("surface", samples="400", optimizers="SGD,Adam", rates="own", lrs="0.00001")
    own = tables(app)[0]["learning rate"]
    assert (own["Fixed, SGD"], own["Fixed, Adam"]) == ("1e-05", "0.01"), (
        "what is left out is the sidebar's"
    )


def test_a_diverged_optimizer_says_so():
    app = opened("surface", samples="400", optimizers="SGD", rates="one", lr="0.01")
    assert (
        tables(app)[0]
        .loc["Fixed, SGD", "ends at, median of the starts"]
        .startswith("diverged at step")
    )
    assert "SGD does not settle near the minimum" in words(app)


def test_the_view_is_in_the_link_and_on_the_controls():
    app = opened("surface", samples="400", ring="3", radius="2", sides="fixed", starts="1,2")
    assert control(app, "number_input", "view.ring").value == 3
    assert control(app, "text_input", "view.starts").value == "1, 2"
    ran(control(app, "number_input", "view.ring").set_value(4))
    query = {name: one(value) for name, value in app.query_params.items()}
    from linreg.settings.pages import SurfaceView

    view, _ = from_view_query(SurfaceView, query)
    assert (view.ring, view.radius, view.sides, view.starts) == (4, 2.0, "fixed", (1.0, 2.0))
    ran(control(app, "text_input", "view.starts").set_value("1, 2, 3"))
    assert "does not have an even count" in refusals(app)
    assert control(app, "text_input", "view.starts").value == "1, 2, 3", "what was typed is kept"
    assert one(app.query_params["starts"]) == "1,2", "nothing is lost"


def test_a_narrow_valley_is_one_click():
    app = opened("surface", samples="400", seed="3", optimizers="SGD")
    ran(app.button(key="valley").click())
    query = {name: one(value) for name, value in app.query_params.items()}
    assert (query["correlation"], query["starts"], query["ring"]) == ("0.95", "-3,8", "0")
    assert (query["samples"], query["seed"], query["optimizers"]) == ("400", "3", "SGD")
    assert control(app, "slider", "correlation.slider").value == 0.95


def test_every_optimizer_with_a_bias_on_every_part():
    from linreg.settings.optimizers import OPTIMIZERS

    for part in ("paths", "curvature", "batches"):
        app = opened(
            "surface",
            samples="300",
            epochs="5",
            bias="1",
            part=part,
            optimizers=",".join(OPTIMIZERS),
            arrows="1",
        )
        assert not app.warning
    app = opened("surface", samples="300", epochs="5", optimizers="")
    assert "choose an optimizer" in words(app)


def test_the_curvature_is_the_hessians():
    app = opened("surface", samples="400", part="curvature", correlation="0.9")
    table = make_data(DataSettings(samples=400, correlation=0.9))
    values = np.linalg.eigvalsh(2 * table.X.T @ table.X / 400)
    assert f"| steepest | {values[1]:,.0f} |" in words(app)
    assert f"Condition number of the Hessian: {values[1] / values[0]:.1f}" in words(app)
    control_of_correlation = app.slider(key="control.correlation.slider")
    assert control_of_correlation.value == 0.9
    ran(control_of_correlation.set_value(-0.5))
    assert link_of(app).original.data.correlation == -0.5


def link_of(app):
    from linreg.settings.fields import specs_of
    from linreg.settings.pages import SurfaceView

    own = specs_of(SurfaceView)
    found, ignored = from_query(
        {name: one(value) for name, value in app.query_params.items() if name not in own}
    )
    assert not ignored
    return found


def test_a_batch_of_its_own():
    app = opened("surface", samples="400", part="batches", batch="2")
    assert "two batches in three have their minimum within" in "\n".join(
        caption.value for caption in app.caption
    )
    app = opened("surface", samples="400", part="batches", batch="2", batch_size="400")
    assert not app.number_input(key="control.epochs").disabled
    assert not [entry for entry in app.number_input if entry.label.startswith("Batch, ")], (
        "one batch leaves no choice"
    )


# ---- claims --------------------------------------------------------------------------------------


def test_the_claims_and_their_verdicts():
    app = opened("claims", seeds="10")
    assert (
        "**10 claims: 6 confirmed, 3 refuted, 1 true within limits.** 30 different experiments"
        in words(app)
    )
    assert (
        "**Only the shape matters: 0% of the runs converge as asked, with the shape matched"
        " 100%.** Changing the initial weights, the learning rate, the feature scale or the"
        " optimizer does not help. The batch size helps only at 1, not at 10: with one pair per"
        " batch, broadcasting has no effect."
    ) in words(app)
    assert (
        "The runs converge with *\\[0, 0]* (100%), *\\[20, 20]* (100%) and *\\[30, 30]* (100%), not"
        " with *\\[35, 35]* (0%), *\\[40, 40]* (0%) and *\\[100, 100]* (0%)."
    ) in words(app)
    asked = next(table for table in tables(app) if "as asked" in table.index).loc["as asked"]
    assert asked["converged (95 % interval)"] == "0 of 10 (0.0 to 27.8 %)", (
        "Wilson's interval for 0 of 10"
    )
    assert "| shape | matched: 100% | ✓ cause |" in words(app)
    assert "| batch size | 10: 0%; 1: 100% | – in part |" in words(app)
    assert (
        "`weight`: `Parameter (1, 2), [[-0.005294, 0.3793]]` → `Parameter (2,), [2, 3]`"
        in words(app)
    )
    assert "the output has the shape `(100,)`" in words(app)
    assert not app.sidebar.number_input, "nothing here depends on the comparison"


def test_more_seeds_run_only_what_is_missing():
    app = opened("claims", seeds="10")
    ran(control(app, "number_input", "view.seeds").set_value(12))
    assert "each on 12 random data sets" in words(app)
    assert one(app.query_params["seeds"]) == "12"


def test_visitors_who_wait_for_the_same_seeds_share_them(monkeypatch):
    from linreg.ui import cache

    made, found = [], []
    monkeypatch.setattr(cache, "CACHE", cache.Cache(10**6))
    monkeypatch.setattr(
        cache, "of_seed", lambda seed: time.sleep(0.002) or made.append(seed) or {"of": seed}
    )

    def visit():
        seeds = cache.ClaimSeeds()
        seeds.compute(range(40))
        found.append([seeds.get(seed) for seed in range(40)])

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert sorted(made) == list(range(40)), "each seed is run once"
    assert found == [[{"of": seed} for seed in range(40)]] * 4


# ---- sweep ---------------------------------------------------------------------------------------


def test_the_sweep_counts_its_cells():
    app = opened(
        "sweep",
        samples="400",
        columns="4",
        rows="3",
        inits="2",
        steps="200",
        x_range="0.001,1",
        y_range="1,400",
    )
    assert re.search(r"Cells that converge: original \d+ of 12, fixed \d+ of 12", words(app))
    assert "48 runs in all" in words(app), "4 × 3 cells, 2 inits, 2 sides"


def test_an_impossible_sweep_says_why_and_the_page_stays():
    app = opened(
        "sweep", samples="400", x="momentum", optimizer="Adam", columns="3", x_range="0.1,0.5"
    )
    assert "does not fit Adam" in app.info[0].value
    ran(control(app, "selectbox", "view.x").set_value("noise"))
    assert not app.info


def test_the_axis_of_the_other_swaps_both_with_their_ranges():
    app = opened(
        "sweep", samples="400", columns="3", rows="2", inits="1", steps="20", y_range="5,50"
    )
    ran(control(app, "selectbox", "view.y").set_value("lr"))
    assert not refusals(app)
    assert control(app, "selectbox", "view.x").value == "batch_size"
    assert control(app, "selectbox", "view.y").value == "lr"
    assert control(app, "text_input", "view.x_range").value == "5, 50"
    assert control(app, "text_input", "view.y_range").value == "default"


def test_the_cell_below_the_maps_is_trained_as_they_say():
    app = opened(
        "sweep", samples="400", columns="3", rows="2", inits="2", steps="200", x_range="0.001,1",
        y_range="1,400",
    )  # fmt: skip
    assert "**learning rate 0.032, batch size 400**" in words(app), "the nearest to 0.01 and 100"
    ran(app.select_slider(key="control.cell.y").set_value(0))
    assert "**learning rate 0.032, batch size 1**" in words(app)
    ran(app.select_slider(key="control.cell.y").set_value(1))
    (cell,) = tables(app)
    table = make_data(DataSettings(samples=400))
    least_squares = r_squared(table, np.linalg.lstsq(table.X, table.y, rcond=None)[0])
    for label, wiring in (("Original", "original"), ("Fixed", "squeeze")):
        runs = train(
            [
                Settings(
                    DataSettings(samples=400),
                    wiring=wiring,
                    lr=float(f"{10**-1.5:.6g}"),
                    batch_size=400,
                    epochs=200,
                    seed=seed,
                )
                for seed in (0, 1)
            ]
        )
        found = [r_squared(table, run.weights[-1]) for run in runs]
        converged = sum(least_squares - value <= 0.01 for value in found)
        assert cell.loc[label, "runs that converge"] == f"{converged} of 2"
        shown = float(cell.loc[label, "R² (median)"].replace("−", "-"))
        assert shown == pytest.approx(np.median(found), abs=0.01)


def r_squared(table, weights):
    residuals = table.y - table.X @ weights
    return 1 - np.mean(residuals**2) / np.var(table.y)


def test_a_stopped_sweep_keeps_what_is_done_and_goes_on():
    from linreg.experiments.sweep_grid import Sweep, axis_values
    from linreg.settings.model import Comparison
    from linreg.settings.sweep_axes import AXES

    app = opened("sweep", samples="300", columns="3", rows="2", inits="1", steps="20")
    comparison = link(changed_without(app))
    stopped = Sweep(
        Comparison(comparison.original, comparison.fixed),
        x_values=axis_values(AXES["lr"], 3),
        y_values=axis_values(AXES["batch_size"], 2),
        inits=2,
        steps=20,
    )
    app.session_state["page_state"].stop(stopped)
    ran(control(app, "number_input", "view.inits").set_value(2))
    assert "Stopped: 6 cells of 12 are not done." in words(app), (
        "a batch of 2,000 is more than the table has"
    )
    ran(app.button(key="go_on").click())
    assert "Stopped" not in words(app)


def changed_without(app):
    """The page with the sweep's own names taken out of the link."""
    from types import SimpleNamespace

    from linreg.settings.fields import specs_of
    from linreg.settings.pages import SweepView

    own = specs_of(SweepView)
    return SimpleNamespace(
        query_params={name: value for name, value in app.query_params.items() if name not in own}
    )


def test_a_page_keeps_the_comparison_of_the_one_before():
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(HOME, default_timeout=120)
    app.query_params["samples"] = "300"
    app.query_params["optimizer"] = "Adam"
    app.query_params["epochs"] = "2"
    ran(app)
    link = app.session_state[KEY].links["sweep"]
    app.query_params.clear()
    app.switch_page("pages/sweep.py")
    for name, value in link.items():
        app.query_params[name] = value
    ran(app)
    assert control(app, "selectbox", "optimizer").value == "Adam"
    assert one(app.query_params["samples"]) == "300"


# ---- odd settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("surface", {"fixed.bias": "1"}),
        ("surface", {"bias": "1", "fixed.bias": "0", "sides": "original"}),
        ("surface", {"part": "curvature", "correlation": "1"}),
        ("surface", {"part": "batches", "batch": "500"}),
        ("surface", {"shuffle": "1", "noise": "0", "weights": "0,0"}),
        ("surface", {"samples": "2", "batch_size": "1", "bias": "1", "part": "batches"}),
        ("sweep", {"x": "epochs", "x_range": "1,1e9", "columns": "3", "rows": "2", "steps": "20"}),
        ("sweep", {"x_range": "1e-300,1", "columns": "3", "rows": "2", "steps": "20"}),
        ("sweep", {"x_range": "1,1.0000001", "columns": "5", "rows": "2", "steps": "20"}),
        ("sweep", {"init": "1,1", "columns": "3", "rows": "2", "steps": "20"}),
        ("sweep", {"wiring": "squeeze", "columns": "3", "rows": "2", "steps": "20"}),
        (
            "sweep",
            {
                "fixed.lr": "0.5",
                "fixed.batch_size": "1",
                "columns": "3",
                "rows": "2",
                "steps": "20",
            },
        ),
    ],
)
def test_odd_settings_open(page, query):
    app = opened(
        page,
        **{
            "samples": "300",
            "epochs": "3",
            **{name.replace(".", "__"): value for name, value in query.items()},
        },
    )
    if query.get("part") == "curvature":
        assert "The Hessian is singular: the minimum is not unique" in words(app)
    if "batch" in query:
        assert app.number_input(key="control.view.batch").value == 2, (
            "of the batches 0 to 2 the last"
        )
    if "init" in query:
        assert "a cell converges if its run does" in words(app)
    if query.get("wiring") == "squeeze":
        assert any("shapes match" in caption.value for caption in app.caption)


def test_a_large_sweep_waits_for_a_button():
    app = opened("sweep", columns="80", rows="40", inits="200", steps="100000")
    assert app.button(key="go_on").label == "Run them"
    assert "cells of 5,760 are not done" in words(app), "36 whole batch sizes"
