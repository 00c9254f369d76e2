"""Two shapes of your own, and the guard for your own training loop."""

import streamlit as st

from linreg import ui

ui.page("your_code", controls=False)

ui.shapes_section()

st.subheader("Make the broadcast an error")
st.markdown(
    "Inside `no_silent_broadcast`, a context manager and a decorator, an operation raises when both"
    " tensors would be expanded, as `(100, 1)` with `(100,)`. Biases and masks pass, and so do"
    " equal ranks that are written out, such as `(100, 1)` with `(1, 100)`."
)
ui.guard_section()
st.markdown(
    '`no_silent_broadcast("warn")` warns once per line and goes on. A function instead of `"warn"`'
    ' is called with each report. In a test suite, `pytest_plugins = ["linreg.pytest_plugin"]`'
    " gives the fixture `linreg_guard`."
)

ui.end_page()
