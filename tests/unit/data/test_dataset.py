"""The synthetic table is the thread's, and repeats itself; a table from a file is the file's."""

import numpy as np
import pandas as pd
import pytest
import torch

from linreg.data.dataset import Dataset, batch_order, initial_weights, standardised
from linreg.data.files import TableError, open_bundled, open_table, read_table
from linreg.data.stream import stream_table
from linreg.data.tables import make_data
from linreg.quadratic.least_squares import least_squares, with_ones
from linreg.settings.model import DataSettings, Settings


def test_the_thread_s_table():
    table = make_data(DataSettings())
    assert table.X.shape == (10_000, 2)
    assert table.y.shape == (10_000,), "one-dimensional, as in the thread: that is half of the bug"
    noise = table.y - table.X @ [5.0, 3.0]
    assert (noise.mean(), noise.std()) == pytest.approx((0, 1), abs=0.03)
    assert table.X.std(0) == pytest.approx([100, 100], rel=0.03)


def test_mean_scale_and_correlation():
    table = make_data(DataSettings(samples=50_000, mean=7.0, scale=2.0, correlation=-0.8))
    assert table.X.mean(0) == pytest.approx([7, 7], abs=0.05)
    assert table.X.std(0) == pytest.approx([2, 2], rel=0.02)
    assert np.corrcoef(table.X.T)[0, 1] == pytest.approx(-0.8, abs=0.01)


def test_full_correlation_makes_one_column_twice():
    table = make_data(DataSettings(samples=10, correlation=1.0))
    np.testing.assert_allclose(table.X[:, 0], table.X[:, 1])


def test_the_same_seed_gives_the_same_table_and_the_noise_leaves_the_features_alone():
    first, again, louder = (
        make_data(DataSettings(samples=100, noise=noise)) for noise in (1.0, 1.0, 5.0)
    )
    np.testing.assert_array_equal(first.y, again.y)
    np.testing.assert_array_equal(first.X, louder.X)
    assert not np.array_equal(first.X, make_data(DataSettings(samples=100, seed=1)).X)


def test_a_shuffled_run_visits_every_row_once_an_epoch_in_a_new_order():
    first, second = batch_order(Settings(shuffle=True, epochs=2), 50)
    assert sorted(first) == sorted(second) == list(range(50))
    assert not np.array_equal(first, second)
    assert list(batch_order(Settings(epochs=2), 50)) == [None, None]


@pytest.mark.parametrize("bias", [False, True])
def test_the_initial_weights_are_pytorchs_to_the_last_bit(bias):
    for seed in [*range(200), 2**32 - 1, 2**32 + 7, 2**63 - 1]:
        torch.manual_seed(seed)
        layer = torch.nn.Linear(2, 1, bias=bias)
        drawn = [
            value
            for parameter in layer.parameters()
            for value in parameter.detach().reshape(-1).tolist()
        ]
        assert initial_weights(Settings(seed=seed, bias=bias)).tolist() == drawn


def test_a_given_init_is_kept_and_the_bias_beside_it_is_drawn():
    torch.manual_seed(3)
    bias = torch.nn.Linear(2, 1).bias.item()
    assert initial_weights(Settings(seed=3, bias=True, init=(1.0, 2.0))).tolist() == [1, 2, bias]
    assert initial_weights(Settings(bias=True, init=(1.0, 2.0, 4.0))).tolist() == [1, 2, 4]


# ---- tables from files ---------------------------------------------------------------------------


def test_a_table_read_whole_or_in_pieces_is_pandas_own(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(1_000, 3)), columns=["y", "b", "a"])
    frame.loc[[3, 500], "a"] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    expected = frame.dropna()
    for path in (tmp_path / "t.csv", tmp_path / "t.parquet"):
        whole = read_table(path, "y", ["a", "b"])
        np.testing.assert_array_equal(whole.X, expected[["a", "b"]])
        np.testing.assert_array_equal(whole.y, expected["y"])
        assert (whole.features, whole.target) == (("a", "b"), "y")
        pieces = stream_table(path, "y", ["a", "b"], rows_per_chunk=64)
        for _ in range(2):
            parts = list(pieces)
            assert max(map(len, parts)) <= 64
            assert (parts[0].features, parts[0].target) == (("a", "b"), "y")
            np.testing.assert_array_equal(np.concatenate([part.X for part in parts]), whole.X)
            assert (pieces.kept, [one.count for one in pieces.dropped]) == (998, [2])
    assert len(read_table(open_table(tmp_path / "t.csv"), "y", ["b"])) == 1_000
    assert len(read_table((tmp_path / "t.csv").read_bytes(), "y", ["b"])) == 1_000
    with pytest.raises(TableError, match=r"t.csv has no column 'z'; its columns are"):
        stream_table(tmp_path / "t.csv", "z", ["a"])


def test_standardised_features_have_mean_zero_and_deviation_one():
    rng = np.random.default_rng(0)
    spread = [1e-200, 1e-9, 1.0, 1e90]
    X = np.column_stack([rng.normal(size=(500, 4)) * spread, np.full(500, 0.1), np.full(500, -7.0)])
    table = Dataset(X, rng.normal(3, 2, 500), tuple("abcdef"), "t")
    found = standardised(table)
    np.testing.assert_allclose(found.X.mean(0), 0, atol=1e-15)
    np.testing.assert_allclose(found.X[:, :4].std(0), 1, rtol=1e-14)
    np.testing.assert_allclose(
        found.X[:, 2], (X[:, 2] - X[:, 2].mean()) / X[:, 2].std(), atol=1e-14
    )
    assert (found.X[:, 4:] == 0).all(), (
        "a constant becomes zeros, whatever rounding leaves beside its mean"
    )
    assert found.y is table.y
    assert (found.features, found.target) == (table.features, "t")


def test_a_standardised_table_keeps_its_predictions():
    table = read_table(open_bundled("auto-mpg"), "mpg", ["horsepower", "weight"])
    raw, unit = (
        with_ones(one.X) @ least_squares(with_ones(one.X), one.y)
        for one in (table, standardised(table))
    )
    np.testing.assert_allclose(raw, unit, rtol=1e-12)
