"""Two shapes of your own, and the guard for your own training loop."""

import streamlit as st

from linreg import ui
from linreg.views import CodeView

ui.page("Your code", CodeView, controls=False)

st.header("What does your loss compare?")
st.markdown("Print `pred.shape` and `y.shape` in front of the loss, and type them here.")
ui.shapes_section()

st.subheader("Hold the guard over a training loop")
st.markdown(
    "`no_silent_broadcast` is a context manager and a decorator. Inside it, an operation of two tensors of different rank"
    " that are both expanded raises instead of going on; biases, masks and outer products with equal ranks pass."
)
ui.guard_section()
st.markdown(
    '`no_silent_broadcast("warn")` warns once a line and goes on, and a function in its place collects the reports. In a'
    ' test suite `pytest_plugins = ["linreg.pytest_plugin"]` gives the fixture `linreg_guard`.'
)
