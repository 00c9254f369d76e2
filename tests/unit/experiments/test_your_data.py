"""The result of the page of one's own data: the table, its rows, and the comparison on it."""

from dataclasses import replace

import numpy as np
import pytest
from tables import TABLES

from linreg.data.errors import TableError
from linreg.data.files import open_table
from linreg.data.tables import make_data, register_table, table_settings
from linreg.experiments import comparison as home
from linreg.experiments.resources import local_resources
from linreg.experiments.your_data import (
    default_columns,
    default_table_settings,
    remedies,
    run,
    with_default_table,
    with_remedy,
)
from linreg.settings.changes import with_table, without_table
from linreg.settings.model import Comparison, TableSettings
from linreg.settings.query import from_query, to_query
from linreg.text import your_data as text


def test_a_comparison_on_synthetic_data_opens_on_the_bundled_table():
    comparison = with_default_table(Comparison())
    data = comparison.original.data
    assert isinstance(data, TableSettings)
    assert data.table == "auto-mpg"
    assert (data.standardise, data.standardise_target) == (True, True)
    assert with_default_table(comparison) == comparison, "one on a table stays as it is"


def test_the_result_counts_rows_and_has_the_least_squares_fit():
    of, comparison = local_resources(), with_default_table(Comparison())
    result = run(comparison, of)
    assert result.kept == 392
    assert sum(reason.count for reason in result.dropped) == 398 - 392
    assert result.data == comparison.original.data
    table = make_data(comparison.original.data)
    columns = np.column_stack([table.X, np.ones(len(table))])
    best = np.linalg.lstsq(columns, table.y, rcond=None)[0]
    assert result.diagnosis.least_squares_fit.weights == pytest.approx(best, rel=1e-6)


def test_synthetic_data_have_no_diagnosis():
    with pytest.raises(ValueError, match="on synthetic data; use with_default_table"):
        run(Comparison(), local_resources())


# ---- tables such as people bring -----------------------------------------------------------------


def default_comparison(csv):
    """The comparison that an upload opens, and the table, which has to be kept."""
    table = register_table(open_table(csv.encode(), "mine.csv"))
    target, *features = default_columns(table)
    data = default_table_settings(table.digest, target, features)
    return with_table(Comparison(), data), table


def r_squared(weights, data):
    """R² of weights on the columns of the settings, by hand."""
    table = make_data(data)
    errors = table.y - table.X @ weights[:2] - weights[2]
    return 1 - (errors**2).sum() / ((table.y - table.y.mean()) ** 2).sum()


def trained_weights(comparison):
    of = local_resources()
    home.outstanding(comparison, of).run()
    result = home.run(comparison, of)
    return result, [side.run.weights[-1].astype(float) for side in result.sides]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TABLES, "the bundled cars"])
def test_any_sane_table_shows_the_bug_at_first_sight(name):
    if name in TABLES:
        comparison, table = default_comparison(TABLES[name])
    else:
        comparison, table = with_default_table(Comparison()), None
    data = comparison.original.data
    assert 2_500 < comparison.original.steps <= 3_100
    result, (original, fixed) = trained_weights(comparison)
    standardised = make_data(data)
    X = np.column_stack([standardised.X, np.ones(data.samples)])
    best = r_squared(np.linalg.lstsq(X, standardised.y, rcond=None)[0], data)
    assert best > 0.6, "the table has something to say"
    assert r_squared(fixed, data) > best - 0.005
    assert r_squared(original, data) < 0.06
    assert text.headline(result).startswith("The silent broadcast hides what")
    del table


def test_a_constant_column_is_a_feature_at_most():
    comparison, _table = default_comparison(TABLES["one constant column"])
    data = comparison.original.data
    assert (data.target, data.features) == ("response", ("dose", "pressure"))
    said = " ".join(text.data_findings(run(comparison, local_resources())))
    assert "**pressure is constant**, 101 in every row" in said


def test_the_findings_are_in_the_units_of_the_table():
    comparison, table = default_comparison(TABLES["prices in euros"])
    result = run(comparison, local_resources())
    raw = table.select("price", ("area", "rooms"))
    X = np.column_stack([raw.X, np.ones(500)])
    best = np.linalg.lstsq(X, raw.y, rcond=None)[0]
    assert result.table_weights == pytest.approx(best, rel=1e-9)
    said = " ".join(text.data_findings(result))
    assert f"price is {raw.y.mean():,.0f} on average" in said
    assert f"with a standard deviation of {raw.y.std():,.0f}" in said
    assert f"price = {best[0]:,.0f} · area − {-best[1]:,.0f} · rooms" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["standardise", "lr"])
def test_each_remedy_makes_the_fixed_side_converge(name):
    comparison, table = default_comparison(TABLES["prices in euros"])
    old = table_settings(table.digest, "price", ("area", "rooms"), standardise=True)
    comparison = with_table(comparison, old)
    found = {remedy.name: remedy for remedy in remedies(run(comparison, local_resources()))}
    assert list(found) == ["standardise", "lr"], "4 million epochs are above the limit"
    assert text.advice(run(comparison, local_resources())).startswith(
        "**Training is too short**: the bias must travel"
    )
    helped = with_remedy(comparison, found[name])
    result, _ = trained_weights(helped)
    assert result.sides[1].outcome.converged
    assert not result.sides[0].outcome.converged
    assert not remedies(run(helped, local_resources()))


def test_sorted_rows_in_their_order_are_advised_to_be_shuffled():
    comparison, _table = default_comparison(TABLES["sorted by area"])
    in_order = Comparison(
        *(replace(side, shuffle=False) for side in (comparison.original, comparison.fixed))
    )
    assert [one.name for one in remedies(run(in_order, local_resources()))] == ["shuffle"]
    assert not remedies(run(comparison, local_resources()))


def test_two_columns_of_numbers_are_refused():
    table = open_table(b"year,temperature\n1990,14.1\n1991,14.2\n", "t.csv")
    with pytest.raises(TableError, match=r"has 2 columns of numbers \(year, temperature\)"):
        default_columns(table)


def test_a_bar_in_the_only_name_is_no_delimiter():
    with pytest.raises(TableError, match=r"has 1 column of numbers \('a\|b'\)"):
        open_table(b"a|b\n1\n2\n", "one.csv")


@pytest.mark.parametrize("scaled", [(False, False), (True, False), (False, True), (True, True)])
def test_a_link_says_what_is_standardised(scaled):
    data = table_settings("auto-mpg", "mpg", ("horsepower", "weight"), *scaled)
    comparison = with_table(Comparison(), data)
    query = to_query(comparison)
    assert from_query(query, table_settings) == (comparison, [])
    assert ("standardise_target" in query) == scaled[1], "as links were written before"
    assert without_table(comparison) == Comparison()
