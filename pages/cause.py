"""The bug on one page, from shapes to weights."""

import streamlit as st

from linreg import ui

comparison = ui.page("cause", controls=False)

ui.cause_section(comparison)

st.caption("Next: *Claims*, where every other explanation of the thread is put to the test.")

ui.end_page()
