"""What is said of a table whose rows depend on one another, or do not."""

import numpy as np

from linreg.data.dataset import Dataset
from linreg.experiments.table_diagnosis import diagnose_table
from linreg.experiments.your_data import YourDataResult
from linreg.settings.model import Settings, TableSettings
from linreg.text.your_data import data_findings


def findings(table, data):
    """What the page says of a table, with batches of ten rows and a bias."""
    diagnosis = diagnose_table(table, Settings(data, batch_size=10, bias=True))
    return " ".join(data_findings(YourDataResult(data, diagnosis, len(table), ())))


def test_rows_in_random_order_are_not_called_alike():
    dice = np.random.default_rng(0)
    data = TableSettings("own", "y", ("a", "b"), 100)
    for slope in [0.0] * 10 + [0.1] * 20:  # a weak fit, of which chance leaves much
        X = dice.normal(size=(100, 2))
        table = Dataset(X, slope * X[:, 0] + dice.normal(size=100))
        assert "alike" not in findings(table, data)
    X = dice.normal(size=(10, 2)).repeat(10, axis=0) + dice.normal(size=(100, 2))
    table = Dataset(X, X[:, 0] + 0.1 * dice.normal(size=100))
    assert "alike" in findings(table, data), "those of one group are"
