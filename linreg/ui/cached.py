"""Cached calls that every page makes: keyed on settings, never on arrays."""

from __future__ import annotations

from typing import Any

import streamlit as st

from linreg.data import Dataset, make_data
from linreg.outcome import Yardstick, yardstick
from linreg.settings import Comparison, DataSettings, Settings
from linreg.surface import Moments, Quadratic, batch_moments, least_squares, loss_surface, with_ones
from linreg.sweep import Sweep
from linreg.views import SurfaceView

# Streamlit takes settings apart field by field to tell whether it has met them; their text says as much, in no time.
AS_TEXT: dict[Any, Any] = dict.fromkeys((Settings, DataSettings, Comparison, Sweep, SurfaceView), repr)


@st.cache_data(hash_funcs=AS_TEXT, max_entries=16, show_spinner=False)
def table_of(data: DataSettings) -> Dataset:
    """The synthetic table."""
    return make_data(data)


@st.cache_data(hash_funcs=AS_TEXT, max_entries=128, show_spinner=False)
def surface_of(settings: Settings) -> Quadratic:
    """The surface that a run descends on."""
    return loss_surface(table_of(settings.data), settings)


@st.cache_data(hash_funcs=AS_TEXT, max_entries=64, show_spinner=False)
def least_squares_of(data: DataSettings, bias: bool) -> Any:
    """The weights of least squares."""
    X = table_of(data).X
    return least_squares(with_ones(X) if bias else X, table_of(data).y)


@st.cache_resource(hash_funcs=AS_TEXT, max_entries=48, show_spinner=False)
def moments_of(settings: Settings) -> Moments:
    """The quadratic of every batch, shared by all visitors: nothing changes them."""
    return batch_moments(table_of(settings.data), settings)


@st.cache_resource(hash_funcs=AS_TEXT, max_entries=48, show_spinner=False)
def yardstick_of(data: DataSettings, bias: bool) -> Yardstick:
    """What the runs on a table are judged by."""
    return yardstick(table_of(data), bias)
