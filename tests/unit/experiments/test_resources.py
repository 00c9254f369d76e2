"""Runs that share their batches share moments, and what is computed is remembered."""

from dataclasses import replace

import numpy as np

from linreg.data.tables import make_data
from linreg.experiments.resources import batches_of, local_resources
from linreg.quadratic.moments import batch_moments
from linreg.settings.model import DataSettings, Settings

SETTINGS = Settings(DataSettings(samples=230), epochs=3)


def test_what_the_batches_do_not_depend_on_is_left_out():
    shared = batches_of(SETTINGS)
    for same in (
        replace(SETTINGS, optimizer="SGD", lr=1e-5),
        replace(SETTINGS, epochs=9),
        replace(SETTINGS, init=(1.0, 2.0)),
        replace(SETTINGS, seed=4),
        replace(SETTINGS, wiring="noop_squeeze"),
    ):
        assert batches_of(same) == shared
    for other in (
        replace(SETTINGS, wiring="squeeze"),
        replace(SETTINGS, batch_size=20),
        replace(SETTINGS, bias=True),
        replace(SETTINGS, shuffle=True),
        replace(SETTINGS, data=DataSettings(samples=230, seed=1)),
    ):
        assert batches_of(other) != shared
    shuffled = replace(SETTINGS, shuffle=True)
    assert batches_of(replace(shuffled, seed=4)) != batches_of(shuffled)
    assert batches_of(replace(shuffled, epochs=9)) != batches_of(shuffled)


def test_the_moments_are_those_of_the_settings_and_are_computed_once():
    of = local_resources()
    for settings in (SETTINGS, replace(SETTINGS, shuffle=True, seed=3, wiring="unsqueeze")):
        found = of.moments(settings)
        expected = batch_moments(make_data(settings.data), settings)
        np.testing.assert_array_equal(found.A, expected.A)
        np.testing.assert_array_equal(found.c, expected.c)
        assert of.moments(replace(settings, optimizer="Adam")) is found
