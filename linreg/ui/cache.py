"""Cached calls that every page makes: keyed on settings, never on arrays."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import streamlit as st

from linreg.data.dataset import Dataset, make_data
from linreg.experiments.surface import Paths
from linreg.experiments.sweep import Sweep
from linreg.figures import gallery
from linreg.figures.gallery import Core, batches_of
from linreg.quadratic.evaluation import Baseline, baseline
from linreg.quadratic.least_squares import least_squares, with_ones
from linreg.quadratic.moments import Moments, batch_moments
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import loss_surface
from linreg.settings.limits import LIMITS
from linreg.settings.model import Comparison, Data, DataSettings, Settings, TableSettings
from linreg.settings.pages import SurfaceView

# Streamlit takes settings apart field by field to tell whether it has met them; their text says as
# much, in no time.
AS_TEXT: dict[Any, Any] = dict.fromkeys(
    (Settings, DataSettings, TableSettings, Comparison, Sweep, SurfaceView), repr
)


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """The latest values of all visitors, as many as fit: by number, or by what `size` says of each;
    at least so many."""

    def __init__(
        self, most: float, size: Callable[[Value], float] = lambda _: 1, least: int = 1
    ) -> None:
        self.values: OrderedDict[Key, Value] = OrderedDict()
        self.most, self.size, self.least, self.filled = most, size, least, 0.0
        self.lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        with self.lock:
            if key in self.values:
                self.values.move_to_end(key)
            return self.values.get(key)

    def made(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value that is kept, or else made now and kept."""
        found = self.get(key)
        if found is None:
            found = make()
            self.keep(key, found)
        return found

    def keep(self, key: Key, value: Value) -> None:
        """Keep this, and of the older ones as many as fit."""
        with self.lock:
            if key in self.values:
                self.filled -= self.size(self.values.pop(key))
            self.values[key] = value
            self.filled += self.size(value)
            while self.filled > self.most and len(self.values) > self.least:
                self.filled -= self.size(self.values.popitem(last=False)[1])


def table_of(data: Data) -> Dataset:
    """The table of the settings, synthetic or from a file."""
    return _kept_tables().made(data, lambda: make_data(data))


@st.cache_resource(show_spinner=False)
def _kept_tables() -> Kept[Data, Dataset]:
    return Kept(LIMITS.kept_table_bytes, lambda one: one.X.nbytes + one.y.nbytes)


@st.cache_resource(hash_funcs=AS_TEXT, max_entries=128, show_spinner=False)
def surface_of(settings: Settings) -> Quadratic:
    """The surface that a run descends on."""
    return loss_surface(table_of(settings.data), settings)


@st.cache_data(hash_funcs=AS_TEXT, max_entries=64, show_spinner=False)
def least_squares_of(data: Data, bias: bool) -> Any:
    """The weights of least squares."""
    X = table_of(data).X
    return least_squares(with_ones(X) if bias else X, table_of(data).y)


def moments_of(settings: Settings) -> Moments:
    """The quadratic of every batch, shared by all visitors: nothing changes them."""
    key = batches_of(settings)
    return _kept_moments().made(key, lambda: batch_moments(table_of(settings.data), key))


@st.cache_resource(show_spinner=False)
def _kept_moments() -> Kept[Settings, Moments]:
    return Kept(
        LIMITS.kept_moment_bytes,
        lambda one: one.A.nbytes + one.c.nbytes + one.s.nbytes + one.n.nbytes,
    )


@st.cache_resource(hash_funcs=AS_TEXT, max_entries=48, show_spinner=False)
def yardstick_of(data: Data, bias: bool) -> Baseline:
    """What the runs on a table are judged by."""
    return baseline(table_of(data), bias)


Starts = tuple[tuple[float, ...], ...]


def _tuned(batches: Settings, optimizer: str, starts: Starts, steps: int, momentum: float) -> float:
    how = (optimizer, starts, steps, momentum)
    return _kept_rates().made((batches, *how), lambda: gallery.tuned(moments_of(batches), *how))


def _paths(settings: Settings, optimizer: str, lr: float, starts: Starts) -> Paths:
    how = (optimizer, lr, starts)
    return _kept_paths().made(
        (settings, *how), lambda: gallery.trained(moments_of(settings), settings, *how)
    )


@st.cache_resource(show_spinner=False)
def _kept_rates() -> Kept[tuple[Any, ...], float]:
    return Kept(512)


@st.cache_resource(show_spinner=False)
def _kept_paths() -> Kept[tuple[Any, ...], Paths]:
    return Kept(LIMITS.kept_path_bytes, lambda one: one.weights.nbytes)


CORE = Core(table_of, surface_of, moments_of, least_squares_of, yardstick_of, _tuned, _paths)
