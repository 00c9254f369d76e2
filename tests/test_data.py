"""The synthetic table is the thread's, and repeats itself."""

import numpy as np
import pytest
import torch

from linreg.data import batch_order, initial_weights, make_data
from linreg.settings import DataSettings, Settings


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
    first, again, louder = (make_data(DataSettings(samples=100, noise=noise)) for noise in (1.0, 1.0, 5.0))
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
        drawn = [value for parameter in layer.parameters() for value in parameter.detach().reshape(-1).tolist()]
        assert initial_weights(Settings(seed=seed, bias=bias)).tolist() == drawn


def test_a_given_init_is_kept_and_the_bias_beside_it_is_drawn():
    torch.manual_seed(3)
    bias = torch.nn.Linear(2, 1).bias.item()
    assert initial_weights(Settings(seed=3, bias=True, init=(1.0, 2.0))).tolist() == [1, 2, bias]
    assert initial_weights(Settings(bias=True, init=(1.0, 2.0, 4.0))).tolist() == [1, 2, 4]
