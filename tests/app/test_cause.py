"""Cause, Your code and Your data through Streamlit's own test runner: what a reader sees, against
an independent count."""

import gc
import re

import numpy as np
import pytest
from apprunner import one, opened, ran, refusals, tables, words

from linreg import Settings, make_data, open_table
from linreg.data.tables import register_table
from linreg.settings.model import DataSettings, TableSettings
from linreg.settings.pages import CauseView
from linreg.settings.query import from_query
from linreg.text.markdown import escape_markdown

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def control_of(app, key):
    return next(
        widget
        for kind in ("number_input", "text_input", "selectbox", "slider", "toggle")
        for widget in getattr(app, kind)
        if widget.key == key
    )


def address(app):
    return {name: one(value) for name, value in app.query_params.items()}


def pressed(app, label):
    next(button for button in app.button if button.label == label).click()
    return ran(app)


# ---- cause ---------------------------------------------------------------------------------------


def test_the_cause_page_tells_what_the_pairs_come_to():
    app = opened("cause", samples="500", epochs="600", rows="4", w1="4", w2="-1.5")
    table = make_data(DataSettings(samples=500))
    p, y = table.X[:4] @ [4, -1.5], table.y[:4]
    squares = (p[:, None] - y) ** 2
    assert "16 differences. Only the 4 on the diagonal are intended" in words(app)
    expected = f"It is {squares.mean():,.0f} for these 4 rows, instead of"
    assert f"{expected} {np.diag(squares).mean():,.0f}." in words(app)
    P, Y = table.X @ [4, -1.5], table.y
    matched = np.mean((P - Y) ** 2)
    assert f"the matched one {matched:,.0f}. They differ by −2·Cov(p, y)" in words(app)
    assert "**The shape decides, the values do not**" in words(app)


def test_a_link_holds_the_weights_the_share_of_the_pairs_and_the_batch_size():
    app = opened("cause", samples="500")
    assert "At (5.00, 3.00) the loss over all pairs is" in words(app)
    assert "of the wrong pairs faded in, the minimum is at" not in words(app)
    app = opened("cause", samples="500", w1="-2", alpha="0.25", batch_rows="8")
    assert "At (−2.00, 3.00) the loss over all pairs is" in words(app)
    assert "`(8, 1)` are broadcast against targets `(8,)`: 64 pairs per batch." in words(app)
    table = make_data(DataSettings(samples=500))
    batches = [slice(first, first + 8) for first in range(0, 500, 8)]
    A = np.mean([table.X[batch].T @ table.X[batch] / len(table.y[batch]) for batch in batches], 0)
    c = np.mean(
        [
            0.75 * (table.X[batch].T @ table.y[batch] / len(table.y[batch]))
            + 0.25 * table.X[batch].mean(0) * table.y[batch].mean()
            for batch in batches
        ],
        0,
    )
    w1, w2 = np.linalg.solve(A, c)
    expected = "With 25\N{NO-BREAK SPACE}% of the wrong pairs faded in, the minimum is at"
    assert f"{expected} ({w1:.2f}, {w2:.2f})" in words(app)
    assert app.session_state["page_state"].view(CauseView) == CauseView(
        w1=-2.0, alpha=0.25, batch_rows=8
    )
    written = {"v": "1", "samples": "500", "w1": "-2", "alpha": "0.25", "batch_rows": "8"}
    assert address(app) == written


@pytest.mark.parametrize("query", [{"alpha": "1.5"}, {"alpha": "nan"}, {"batch_rows": "0"}])
def test_an_impossible_share_or_batch_size_is_named_and_left_out(query):
    app = opened("cause", samples="500", **query)
    (name,) = query
    assert name in app.warning[0].value.replace("\\", "")
    assert app.session_state["page_state"].view(CauseView) == CauseView()


def test_pytorch_s_own_words_and_the_four_fixes_are_on_the_page():
    app = opened("cause", samples="500")
    said = " ".join(block.value for block in app.code)
    assert (
        "Using a target size (torch.Size([100])) that is different to the input size"
        " (torch.Size([100, 1]))" in said
    )
    assert (
        "Target size (torch.Size([100])) must be the same as input size (torch.Size([100, 1]))"
        in said
    )
    assert "It runs, and says nothing." in words(app)
    fixes = next(
        table for table in tables(app) if "`criterion(pred_y, batch_y)`, as written" in table.index
    )["loss"]
    assert len(set(fixes[1:])) == 1
    assert len(fixes) == 5
    table = make_data(DataSettings(samples=500))
    X, y = table.X[:100], table.y[:100]
    best = np.linalg.lstsq(table.X, table.y, rcond=None)[0]
    assert float(fixes.iloc[1]) == pytest.approx(np.mean((X @ best - y) ** 2), rel=1e-4)


@pytest.mark.parametrize(
    "query",
    [
        {"bias": "1"},
        {"samples": "3", "batch_size": "2"},
        {"noise": "0", "scale": "0.001"},
        {"bias": "1", "shuffle": "1", "alpha": "0.5", "batch_rows": "1"},
        {"samples": "10000", "wiring": "squeeze", "batch_size": "10000"},
    ],
)
def test_the_cause_page_bears_other_settings(query):
    app = opened("cause", **({"samples": "200"} | query))
    assert not app.exception
    assert not re.search(r"\bnan\b", words(app))


# ---- your code -----------------------------------------------------------------------------------


def test_two_shapes_are_diagnosed_and_pytorch_is_asked():
    app = opened("your_code")
    assert "**✕ A silent broadcast.**" in words(app)
    assert "10,000 terms" in words(app)
    assert "`no_silent_broadcast` **reports it**." in words(app)
    control_of(app, "control.view.prediction").set_value("torch.Size([32])")
    control_of(app, "control.view.truth").set_value("[32]")
    app = ran(app)
    assert (address(app)["prediction"], address(app)["truth"]) == ("32", "32")
    assert "**✓ Matched.**" in words(app)
    assert "`no_silent_broadcast` lets it pass." in words(app)


@pytest.mark.parametrize(
    "typed", ["__import__('os')", "(1, -2)", "", "(1,2,3,4,5,6,7,8,9)", "<b>1</b>"]
)
def test_what_is_no_shape_is_refused_at_its_field(typed):
    app = opened("your_code")
    control_of(app, "control.view.truth").set_value(typed)
    app = ran(app)
    (refusal,) = app.error
    assert "shape" in refusal.value
    assert not app.warning
    assert control_of(app, "control.view.truth").value == typed, "to be mended, not typed anew"
    assert "**✕ A silent broadcast.**" in words(app), "nothing is lost"
    control_of(app, "control.view.truth").set_value("100 1")
    app = ran(app)
    assert not app.error
    assert "**✓ Matched.**" in words(app)


def pasted(app, text):
    app.text_area(key="control.paste").set_value(text)
    return ran(app)


WARNING = (
    "UserWarning: Using a target size (torch.Size([64])) that is different to the input size"
    " (torch.Size([64, 1])). This will likely lead to incorrect results due to broadcasting.\n"
    "  return F.l1_loss(input, target, reduction=self.reduction)"
)


def test_a_pasted_warning_opens_its_diagnosis_and_so_does_its_link():
    app = pasted(opened("your_code"), WARNING)
    found = {"prediction": "64,1", "truth": "64", "loss": "l1"}
    assert {name: address(app)[name] for name in found} == found
    assert "`(64, 1)` is broadcast against `(64,)`: `(64, 64)`" in words(app)
    assert any("the target is `(64,)`" in caption.value for caption in app.caption)
    assert "loss = nn.L1Loss()(prediction, target)" in app.code[0].value
    again = opened("your_code", **address(app))
    assert [text.value for text in again.markdown] == [text.value for text in app.markdown]


def test_pasted_names_stand_in_the_fixes_and_in_the_link():
    app = pasted(opened("your_code"), "yb.shape = (B,)\npred.shape = (B, 1)")
    assert (address(app)["prediction"], address(app)["names"]) == ("B,1", "pred,yb")
    assert "`(B, 1)` is broadcast against `(B,)`: `(B, B)`" in words(app)
    app = opened("your_code", **address(app))
    assert [block.value for block in app.code[:2]] == [
        "pred = pred.squeeze(-1)  # (B,)\nassert pred.shape == yb.shape\n"
        "loss = nn.MSELoss()(pred, yb)",
        "yb = yb.unsqueeze(1)  # (B, 1)\nassert pred.shape == yb.shape\n"
        "loss = nn.MSELoss()(pred, yb)",
    ]
    assert control_of(app, "control.view.prediction").value == "(B, 1)"


def test_a_pasted_text_that_is_not_read_is_refused_at_the_box():
    app = pasted(opened("your_code"), "my loss is 333,052 :smile: <b>")
    (refusal,) = app.error
    assert "(100, 1) (100,)" in refusal.value.replace("\\", ""), "an example"
    assert app.text_area(key="control.paste").value == "my loss is 333,052 :smile: <b>"
    app = pasted(app, "(64, 1) vs (100,)")
    assert not app.error
    assert "64 predictions but 100 targets: the batches do not line up." in words(app)
    assert app.code[0].value == "assert prediction.shape == target.shape"
    app = pressed(app, "Swap")
    assert address(app)["truth"] == "64,1"


def test_a_text_with_several_readings_is_asked_about():
    app = pasted(opened("your_code"), "32 1")
    assert "prediction" not in address(app)
    app = pressed(app, "prediction (32, 1), target (32,)")
    assert (address(app)["prediction"], address(app)["truth"]) == ("32,1", "32")
    assert app.text_area(key="control.paste").value == ""


def test_shapes_too_large_to_run_are_still_diagnosed():
    app = opened("your_code", prediction="1000000000,1", truth="1000000000")
    assert "1,000,000,000,000,000,000 terms" in words(app)
    assert any("Not run" in caption.value for caption in app.caption)


def test_the_example_s_output_is_that_of_running_it():
    app = opened("your_code")
    shown = [block.value for block in app.code]
    (source,) = [text for text in shown if "with no_silent_broadcast():" in text]
    (output,) = [text for text in shown if text.startswith("SilentBroadcastError")]
    line = int(re.search(r"example\.py:(\d+)", output)[1])
    from linreg.experiments import guard_example

    with open(guard_example.__file__, encoding="utf-8") as file:
        assert file.read().splitlines()[line - 1].strip() == "loss = criterion(prediction, batch_y)"
    assert "loss = criterion(prediction, batch_y)" in source
    assert "/" not in output.split("example.py")[0], "the name of the file, not where it lies"


# ---- your data -----------------------------------------------------------------------------------


def test_the_page_opens_on_the_bundled_table_and_leaves_the_session_alone():
    app = opened("your_data")
    assert "**392 of 398 rows are used.**" in words(app)
    assert "instead of 0.7064" in words(app)
    assert not address(app)
    assert isinstance(app.session_state["page_state"].comparison.original.data, DataSettings)


def shown_data(app):
    return app.session_state["page_state"].comparison.original.data


def test_a_choice_is_of_this_page_alone_until_it_is_applied_to_all():
    app = opened("your_data", lr="0.02", epochs="5")
    control_of(app, "control.standardise").set_value(False)
    app = ran(app)
    chosen = TableSettings("auto-mpg", "mpg", ("horsepower", "weight"), 392, False, True)
    assert shown_data(app) == chosen
    assert address(app)["table"] == "auto-mpg"
    app.switch_page("pages/cause.py")
    app = ran(app)
    assert isinstance(shown_data(app), DataSettings)
    assert address(app) == {"v": "1", "lr": "0.02", "epochs": "5"}
    app.switch_page("pages/your_data.py")
    app = ran(app)
    assert shown_data(app) == chosen
    app.button(key="no_table").click()
    app = ran(app)
    assert app.session_state["page_state"].comparison.original == Settings(lr=0.02, epochs=5)


def test_a_table_that_is_applied_is_on_every_page():
    app = opened("your_data", epochs="5")
    control_of(app, "control.standardise").set_value(False)
    app = ran(app)
    control_of(app, "control.standardise_target").set_value(False)
    app = ran(app)
    control_of(app, "control.apply").set_value(True)
    app = ran(app)
    assert shown_data(app) == TableSettings("auto-mpg", "mpg", ("horsepower", "weight"), 392, False)
    app.switch_page("streamlit_app.py")
    app = ran(app)
    said = " ".join(caption.value for caption in app.caption)
    assert "Fuel economy of cars, in place of the data of the forum" in said
    assert "The question on the PyTorch forums" not in said
    for page in ("cause", "surface", "sweep"):
        app.switch_page(f"pages/{page}.py")
        app = ran(app)
        assert "mpg on horsepower (w1) and weight (w2), 392 rows" in words(app)
    app = pressed(app, "Back to the thread's data")
    assert app.session_state["page_state"].comparison.original == Settings(epochs=5)


def test_a_link_to_a_table_opens_it_and_one_to_an_upload_says_what_is_missing():
    app = opened(
        "your_data",
        v="1",
        table="auto-mpg",
        target="weight",
        feature1="mpg",
        feature2="horsepower",
        bias="1",
        epochs="50",
    )
    data = app.session_state["page_state"].comparison.original.data
    assert (data.target, data.features, data.standardise) == (
        "weight",
        ("mpg", "horsepower"),
        False,
    )
    app = opened(
        "your_data",
        v="1",
        table="0123456789abcdef",
        target="a",
        feature1="b",
        feature2="c",
        epochs="50",
    )
    assert "an uploaded table is not in a link" in app.warning[0].value.replace("\\", "")
    assert from_query(address(app))[0].original.epochs == 30, (
        "what was set for that table is left out with it"
    )


def test_a_column_in_two_roles_changes_places():
    app = opened("your_data", epochs="5")
    control_of(app, "control.Feature 1").set_value("mpg")
    app = ran(app)
    data = app.session_state["page_state"].comparison.original.data
    assert (data.target, data.features) == ("horsepower", ("mpg", "weight"))


def test_a_column_that_cannot_be_used_is_refused_at_its_field():
    lines = ["y,a,b,empty", *(f"{k % 7},{k},{k * k}," for k in range(30)), "1,2,3,4"]
    table = register_table(open_table("\n".join(lines).encode(), "gaps.csv"))
    named = {"table": table.digest, "target": "y", "feature1": "a", "feature2": "b"}
    app = opened("your_data", v="1", **named, batch_size="10", epochs="5")
    before = shown_data(app)
    control_of(app, "control.Target").set_value("empty")
    app = ran(app)
    assert "1 of 31 rows of gaps.csv has a number in every chosen column" in refusals(app)
    assert control_of(app, "control.Target").value == "empty", "what was chosen is kept"
    assert shown_data(app) == before
    assert not app.warning, "it does not stand on top of the page"


def test_a_column_of_words_is_not_offered():
    app = opened("your_data")
    assert "name" not in control_of(app, "control.Target").options
    assert "mpg" in control_of(app, "control.Target").options


HOSTILE = (
    "<b>y</b> $y$",
    ":material/delete: [a](http://evil.example)",
    "`b`|**b** -> www.evil.example",
)


def test_foreign_names_are_text_everywhere():
    """Names of columns, of the file and in the address: nowhere on the page is one as it is, where
    Markdown is read."""
    rows = np.random.default_rng(0).normal(size=(30, 3)).round(3).tolist()
    lines = [
        ",".join(f'"{name}"' for name in HOSTILE),
        *(",".join(map(str, row)) for row in rows),
        "x,1,2",
    ]
    file = "<img src=x onerror=alert(1)> :smile:.csv"
    table = open_table("\n".join(lines).encode(), file)
    named = dict(zip(("target", "feature1", "feature2"), HOSTILE, strict=True))
    strange = {"<i>lr</i>": "1", "lr": "[1](http://evil.example)", "step": ":material/delete:"}
    app = opened(
        "your_data",
        v="1",
        table=register_table(table).digest,
        **named,
        batch_size="10",
        epochs="5",
        **strange,
    )
    said = [
        element.value
        for kind in ("markdown", "caption", "warning", "info", "error")
        for element in getattr(app, kind)
    ]
    said += [element.label for element in app.expander] + [
        name for one in tables(app) for name in one.index
    ]
    for foreign in (*HOSTILE, file, *strange, *strange.values()):
        text = escape_markdown(foreign)
        assert text == foreign or not [sentence for sentence in said if foreign in sentence]
    for name in (
        *map(escape_markdown, HOSTILE),
        escape_markdown("<i>lr</i> was ignored"),
        escape_markdown(file),
    ):
        assert any(name[:30] in sentence for sentence in said)
    assert {"control.Target", "control.Feature 1"} <= {
        box.key for box in app.selectbox if HOSTILE[0] in box.options
    }


def test_a_target_beyond_single_precision_diverges_at_once_and_the_page_says_so():
    """Found by fuzzing: a replay of no steps has no slider."""
    rows = np.random.default_rng(0).normal(size=(30, 3)) * [1e60, 1, 1]
    lines = ["y,a,b", *(",".join(map(repr, row)) for row in rows.tolist())]
    table = open_table("\n".join(lines).encode(), "large.csv")
    named = {"table": register_table(table).digest, "target": "y", "feature1": "a", "feature2": "b"}
    app = opened("your_data", v="1", **named, batch_size="10", epochs="5")
    assert "Both sides diverge: the original at step 0, the fixed side at step 0." in words(app)
    assert any("nothing to replay" in caption.value for caption in app.caption)
    assert not re.search(r"\b(nan|inf)\b", words(app))


def test_a_table_lasts_while_a_page_is_open_on_it():
    """A reload is another session: it has not uploaded the file, and goes on when that which has is
    gone."""
    rows = np.random.default_rng(0).normal(size=(30, 3))
    lines = ["y,a,b", *(",".join(map(repr, row)) for row in rows.tolist())]
    table = register_table(open_table("\n".join(lines).encode(), "mine.csv"))
    named = {"table": table.digest, "target": "y", "feature1": "a", "feature2": "b"}
    app = opened("your_data", v="1", **named, batch_size="10", epochs="5")
    del table
    gc.collect()
    app.run()
    assert not app.exception
    assert not app.error
    box = app.selectbox(key="control.table")
    assert (box.value, box.format_func(box.value)) == (named["table"], "mine.csv")
