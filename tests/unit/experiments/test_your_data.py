"""The result of the page of one's own data: the table, its rows, and the comparison on it."""

import numpy as np
import pytest

from linreg.data.tables import make_data
from linreg.experiments.resources import local_resources
from linreg.experiments.your_data import run, with_default_table
from linreg.settings.model import Comparison, TableSettings


def test_a_comparison_on_synthetic_data_opens_on_the_bundled_table():
    comparison = with_default_table(Comparison())
    data = comparison.original.data
    assert isinstance(data, TableSettings)
    assert data.table == "auto-mpg"
    assert data.standardise
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
