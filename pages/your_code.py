"""Two shapes of your own, and the guard for your own training loop."""

import streamlit as st

from linreg import ui

ui.page("your_code", controls=False)

st.header("What does your loss compare?")
st.markdown("Print `pred.shape` and `y.shape` in front of the loss, and type them here.")
ui.shapes_section()

st.subheader("Make the broadcast an error")
st.markdown(
    "Inside `no_silent_broadcast`, a context manager and a decorator, an operation raises if two of"
    " its tensors differ in"
    " rank and both are expanded. Biases and masks pass, and so do equal ranks, such as `(100, 1)`"
    " with `(1, 100)`."
)
ui.guard_section()
st.markdown(
    '`no_silent_broadcast("warn")` warns once a line and goes on, and a function instead of'
    ' `"warn"` collects the reports.'
    ' In a test suite `pytest_plugins = ["linreg.pytest_plugin"]` gives the fixture `linreg_guard`.'
)
