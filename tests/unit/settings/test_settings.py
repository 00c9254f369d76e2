"""Impossible settings are refused, and every link gives a comparison that runs."""

import math
import string
from dataclasses import replace

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linreg.settings.changes import all_specs, check_limits, overrides, update_both, with_table
from linreg.settings.fields import SettingsError
from linreg.settings.limits import LIMITS
from linreg.settings.model import Comparison, DataSettings, Settings, TableSettings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.presets import PRESETS, closest_preset
from linreg.settings.query import from_query, to_query
from linreg.settings.wirings import WIRINGS

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
DATA = st.builds(
    DataSettings,
    samples=st.integers(2, 5_000),
    weights=st.tuples(NUMBERS, NUMBERS),
    scale=st.floats(1e-6, 1e6),
    mean=NUMBERS,
    correlation=st.floats(-1, 1),
    noise=st.floats(0, 1e6),
    seed=st.integers(0, 999_999),
)


@st.composite
def runs(draw, data):
    bias = draw(st.booleans())
    optimizer = OPTIMIZERS[draw(st.sampled_from(list(OPTIMIZERS)))]
    least = 0.1 if optimizer.needs_momentum else 0.0
    return Settings(
        data=data,
        wiring=draw(
            st.sampled_from([key for key, entry in WIRINGS.items() if entry.takes_bias or not bias])
        ),
        init=draw(
            st.none()
            | st.tuples(NUMBERS, NUMBERS)
            | (st.tuples(NUMBERS, NUMBERS, NUMBERS) if bias else st.nothing())
        ),
        optimizer=optimizer.name,
        lr=draw(st.floats(1e-12, 1e6)),
        momentum=draw(st.floats(least, 2)) if optimizer.takes_momentum else 0.0,
        batch_size=draw(st.integers(1, min(data.samples, 2_000))),
        epochs=draw(st.integers(1, 200)),
        shuffle=draw(st.booleans()),
        bias=bias,
        seed=draw(st.integers(0, 999_999)),
    )


@st.composite
def comparisons(draw):
    data = draw(DATA)
    return Comparison(draw(runs(data)), draw(runs(data)))


@given(comparisons())
def test_a_link_restores_the_comparison(comparison):
    found, ignored = from_query(to_query(comparison))
    assert found == comparison
    assert ignored == []


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.key)
def test_every_preset_fits_in_a_link(preset):
    assert from_query(to_query(preset.comparison)) == (preset.comparison, [])


def test_presets_are_all_different():
    assert len({preset.comparison for preset in PRESETS.values()}) == len(PRESETS)


def test_the_defaults_need_no_query():
    assert to_query(Comparison()) == {}
    assert from_query({}) == (Comparison(), [])


def test_a_name_sets_both_sides_and_a_fixed_name_the_fixed_side():
    found, ignored = from_query(
        {"lr": "0.05", "fixed.wiring": "original", "fixed.batch_size": "1", "v": "1"}
    )
    assert ignored == []
    assert found.original == Settings(lr=0.05)
    assert found.fixed == Settings(lr=0.05, wiring="original", batch_size=1)
    assert to_query(found) == {
        "v": "1",
        "lr": "0.05",
        "fixed.wiring": "original",
        "fixed.batch_size": "1",
    }


NASTY = st.one_of(
    st.text(max_size=60),
    st.text(string.digits + "+-.,eE_ ", max_size=30),
    st.sampled_from(
        ["nan", "inf", "-inf", "1e400", "1e-400", "-0", "0", "", "null", "default", "1_000", "٣",
         "0x10", "1e308,1e308", "<script>alert(1)</script>", "__import__('os')",
         "../../etc/passwd", "%00", "9" * 400, "1," * 100, "squeeze"]
    ),
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(
        [
            *all_specs(),
            *(f"fixed.{name}" for name in all_specs()),
            "v",
            "data",
            "fixed.data",
            "fixed.",
            "fixed.v",
        ]
    ),
    st.text(max_size=30),
)


@pytest.mark.slow
@settings(examples(400), suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, NASTY, max_size=12))
def test_hostile_links_open_a_comparison_that_runs(query):
    found, ignored = from_query(query)
    for side in (found.original, found.fixed):
        assert check_limits(side) == side
        assert side.steps <= LIMITS.steps
    assert all(len(sentence) < 400 and sentence.isprintable() for sentence in ignored)
    assert from_query(to_query(found)) == (found, [])


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            {"lr": "1e400"},
            "lr=1e400 was ignored: it is out of range (at least 1e-12 and at most 1000000).",
        ),
        ({"lr": "nan"}, "lr=nan was ignored: it is not a number."),
        ({"batch_size": "2.5"}, "batch_size=2.5 was ignored: it is not a whole number."),
        ({"color": "red"}, "color was ignored: there is no such setting."),
        ({"v": "99"}, "The link's version 99 is unknown; it was read as version 1."),
        (
            {"samples": "50"},
            "samples=50 was ignored: batch size 100 is above the 50 samples; use 1 to 50.",
        ),
        ({"fixed.scale": "2"}, "fixed.scale was ignored: there is no such setting."),
        ({"bias": "yes"}, "bias=yes was ignored: it is neither 0 nor 1."),
    ],
)
def test_ignored_parts_of_a_link_are_reported(query, sentence):
    assert from_query(query) == (Comparison(), [sentence])


def test_only_the_invalid_part_of_a_link_is_ignored():
    found, ignored = from_query({"lr": "0.5", "optimizer": "Sgd", "fixed.init": "1,2"})
    assert (found.original.lr, found.original.optimizer, found.fixed.init) == (
        0.5,
        "RMSprop",
        (1.0, 2.0),
    )
    assert len(ignored) == 1


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"batch_size": 0}, ["batch size 0", "at least 1"]),
        ({"batch_size": 10_001}, ["batch size 10,001", "10,000 samples", "1 to 10,000"]),
        ({"epochs": 0}, ["epochs 0", "at least 1"]),
        ({"lr": 0}, ["learning rate 0", "above 0"]),
        ({"lr": -0.1}, ["learning rate -0.1", "above 0"]),
        ({"lr": math.inf}, ["learning rate inf", "above 0"]),
        ({"lr": math.nan}, ["learning rate nan"]),
        ({"lr": "fast"}, ["learning rate fast", "not a number"]),
        ({"epochs": 1.5}, ["epochs 1.5", "whole number"]),
        ({"bias": 1}, ["bias 1", "True or False"]),
        ({"optimizer": "Sgd"}, ["optimizer Sgd", *OPTIMIZERS]),
        ({"wiring": "loose"}, ["wiring loose", *WIRINGS]),
        ({"epochs": 10**400}, ["epochs 1000", "…", "at least 1"]),
        ({"lr": 10**400}, ["learning rate 1000", "…", "above 0"]),
        ({"init": (1.0,)}, ["initial weights", "2 or 3"]),
        ({"init": (1.0, math.nan)}, ["initial weights nan"]),
        ({"init": (1.0, 2.0, 3.0)}, ["no bias"]),
        ({"momentum": 0.9, "optimizer": "Adam"}, ["momentum 0.9", "Adam", "SGD"]),
        ({"optimizer": "Nesterov"}, ["Nesterov", "0.9"]),
    ],
    ids=str,
)
def test_impossible_settings_name_the_value_the_limit_and_the_way_out(given, parts):
    with pytest.raises(SettingsError) as refused:
        Settings(**given)
    assert isinstance(refused.value, ValueError)
    for part in parts:
        assert part in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {"samples": 0},
        {"scale": 0.0},
        {"correlation": 1.5},
        {"noise": -1},
        {"weights": (1.0,)},
        {"seed": -1},
    ],
    ids=str,
)
def test_impossible_data_is_refused(given):
    with pytest.raises(SettingsError):
        DataSettings(**given)


def test_a_change_of_both_sides_keeps_overrides_of_the_fixed_side():
    start = Comparison(Settings(), Settings(wiring="original", batch_size=1, epochs=1))
    moved = update_both(start, {"lr": 0.5, "batch_size": 10, "scale": 2.0, "data_seed": 4})
    assert moved.original == Settings(data=DataSettings(scale=2.0, seed=4), lr=0.5, batch_size=10)
    assert moved.fixed == replace(moved.original, wiring="original", batch_size=1, epochs=1)
    assert overrides(moved) == {"wiring": "original", "batch_size": 1, "epochs": 1}


def test_an_inherited_momentum_fits_the_fixed_sides_optimizer():
    mixed, ignored = from_query({"momentum": "0.9", "fixed.optimizer": "Adam"})
    assert ignored == []
    assert (mixed.original.momentum, mixed.fixed.momentum) == (0.9, 0.0)
    start = Comparison(Settings(), Settings(wiring="squeeze", optimizer="Adam"))
    moved = update_both(update_both(start, {"momentum": 0.5}), {"optimizer": "Nesterov"})
    assert (moved.original.momentum, moved.fixed.optimizer, moved.fixed.momentum) == (
        0.5,
        "Adam",
        0.0,
    )
    assert update_both(Comparison(), {"optimizer": "Nesterov"}).fixed.momentum == 0.9
    assert update_both(moved, {"optimizer": "Adam"}).original.momentum == 0.0


def test_an_optimizer_without_momentum_drops_the_override_of_momentum():
    own = Comparison(
        Settings(optimizer="SGD"), Settings(optimizer="SGD", wiring="squeeze", momentum=0.9)
    )
    assert update_both(own, {"optimizer": "Adam"}).fixed == Settings(
        optimizer="Adam", wiring="squeeze"
    )
    assert update_both(own, {"optimizer": "RMSprop"}).fixed.momentum == 0.9, (
        "one that it takes stays"
    )


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_preset_works_on_a_table(preset):
    table = TableSettings("auto-mpg", "mpg", ("horsepower", "weight"), 392, standardise=True)
    moved = with_table(preset.comparison, table)
    sides = (moved.original, moved.fixed)
    assert {side.bias for side in sides} == {all(WIRINGS[side.wiring].takes_bias for side in sides)}


def test_the_bias_is_drawn_if_only_two_weights_are_set():
    assert Settings().has_random_init
    assert not Settings(init=(1.0, 2.0)).has_random_init
    assert Settings(init=(1.0, 2.0), bias=True).has_random_init
    assert not Settings(init=(1.0, 2.0, 3.0), bias=True).has_random_init


def test_steps_include_the_smaller_last_batch():
    assert Settings(data=DataSettings(samples=105), batch_size=10, epochs=3).steps == 33


def test_the_two_sides_share_their_data():
    with pytest.raises(SettingsError, match="same data"):
        Comparison(Settings(), Settings(data=DataSettings(seed=1)))


def test_the_batch_size_is_limited_where_all_pairs_are_compared():
    large = DataSettings(samples=20_000)
    with pytest.raises(SettingsError, match="400,000,000 pairs"):
        check_limits(Settings(data=large, batch_size=20_000))
    assert check_limits(Settings(data=large, batch_size=20_000, wiring="squeeze"))


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_preset_is_known_by_its_settings_also_after_a_change(preset):
    assert closest_preset(preset.comparison) is preset
    assert closest_preset(preset.comparison, "from_far") is preset, "whatever was chosen before"
    changed = update_both(preset.comparison, {"seed": 7})
    assert closest_preset(changed) is preset


def test_of_equally_close_presets_the_chosen_one_counts():
    elsewhere = update_both(PRESETS["from_zero"].comparison, {"init": (1.0, 1.0)})
    assert closest_preset(elsewhere, "from_zero") is PRESETS["from_zero"]
    assert closest_preset(elsewhere) is PRESETS["as_asked"], "the first of them"
    further = update_both(PRESETS["sgd_stable"].comparison, {"seed": 1})
    assert closest_preset(further, "from_zero") is PRESETS["sgd_stable"], "it is closer"


def test_no_preset_is_on_a_table():
    table = TableSettings("auto-mpg", "mpg", ("weight", "model_year"), 398, True)
    assert closest_preset(with_table(Comparison(), table)) is None
