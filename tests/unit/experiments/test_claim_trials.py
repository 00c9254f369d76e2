"""Claims: every arm against PyTorch, intervals against published values, verdicts as expected."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from judging import judged

from linreg import make_data, train
from linreg.data.dataset import initial_weights
from linreg.experiments.claim_trials import (
    CLAIMS,
    FACTORS,
    PRINTED,
    Arm,
    Claim,
    Trials,
    arms,
    cause,
    of_seed,
    printed_paths,
    trials,
    verdict,
    wilson,
)
from linreg.settings.changes import check_limits
from linreg.settings.model import Settings
from linreg.settings.query import from_query, to_query

pytestmark = pytest.mark.slow

SEEDS = 12


@pytest.fixture(scope="module")
def runs():
    return [of_seed(seed) for seed in range(SEEDS)]


@pytest.mark.parametrize(
    ("successes", "trials", "interval"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilsons_interval_is_the_published_one(successes, trials, interval):
    """Newcombe (1998), Statistics in Medicine 17: 857-872, table I, method 3."""
    assert wilson(successes, trials) == pytest.approx(interval, abs=5e-5)


def test_the_arms_equal_runs_of_the_trainer():
    """Seed 3 of every second short arm, in double precision, evaluated on its own table."""
    seed, found = 3, of_seed(3)
    short = [arm for arm in arms() if arm.settings.steps <= 3_000][::2]
    assert len(short) > 10
    starts = [
        tuple(initial_weights(arm.settings, seed).tolist()) for arm in short
    ]  # PyTorch's in float32
    runs = train(
        [replace(arm.seeded(seed), init=init) for arm, init in zip(short, starts, strict=True)],
        dtype=torch.float64,
    )
    for run, arm in zip(runs, short, strict=True):
        weights, loss, converged = found[arm.settings]
        outcome = judged(run, make_data(run.settings.data))
        np.testing.assert_allclose(weights, run.weights[-1], rtol=1e-7, atol=1e-9)
        assert loss == pytest.approx(outcome.final_loss, rel=1e-7)
        assert converged == outcome.converged


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("never", "confirmed"),
        ("line", "confirmed"),
        ("any_values", "true within limits"),
        ("too_small", "refuted"),
        ("debugger", "confirmed"),
        ("does_not_compile", "refuted"),
        ("whatever_init", "confirmed"),
        ("batch_of_one", "confirmed"),
        ("dropped_squeeze", "refuted"),
        ("broadcast", "confirmed"),
    ],
)
def test_the_verdicts_are_those_of_the_source(runs, claim, expected):
    one = CLAIMS[claim]
    checked = one.check.ask()[0] if one.check else None
    assert verdict(one, [trials(runs, arm) for arm in one.arms], checked) == expected


def test_the_shape_is_the_cause_and_a_batch_of_one_hides_it(runs):
    found = {
        key: cause([trials(runs, arm) for arm in factor.arms]) for key, factor in FACTORS.items()
    }
    assert [key for key, answer in found.items() if answer == "cause"] == ["shape"]
    assert [key for key, answer in found.items() if answer == "in part"] == ["batch_size"]


def test_a_verdict_follows_its_arms():
    arm = Arm("", Settings(), predicted=True)
    all_do, none_do, half = (
        Trials(np.zeros((40, 2)), np.zeros(40), np.arange(40) < n) for n in (40, 0, 20)
    )
    two = Claim("", "", "", "", (arm, arm))
    assert verdict(two, [all_do, all_do]) == "confirmed"
    assert verdict(two, [all_do, none_do]) == "true within limits"
    assert verdict(two, [none_do, none_do]) == "refuted"
    assert verdict(two, [half, half]) == "refuted", "half of the runs are not most"
    assert verdict(two, [all_do, all_do], checked=False) == "true within limits"
    assert (
        verdict(Claim("", "", "", "", (replace(arm, predicted=False),)), [none_do]) == "confirmed"
    )


def test_the_fixes_give_identical_runs():
    """Trained in PyTorch, since the ensemble treats the fixes alike."""
    short = [replace(arm.seeded(0), epochs=3) for arm in CLAIMS["broadcast"].arms[1:]]
    first, *others = [run.weights for run in train(short)]
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_a_run_reproduces_the_path_printed_in_the_answer():
    """The printed path is within the range of 40 tables, except the sign of the first step."""
    found = printed_paths(40)
    assert found.shape == (40, len(PRINTED), 2)
    low, high = found.min(0) - 0.05, found.max(0) + 0.05
    assert ((low <= PRINTED) & (high >= PRINTED)).all()
    assert np.abs(np.median(found, axis=0) - PRINTED).max() < 0.3


def test_every_arm_has_a_valid_link():
    for arm in arms():
        comparison = arm.comparison()
        assert from_query(to_query(comparison)) == (comparison, [])
        assert check_limits(comparison.original) == arm.seeded(0)
