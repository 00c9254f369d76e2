"""The bug on one page, from shapes to weights."""

import streamlit as st

from linreg import ui
from linreg.settings.pages import CauseView

comparison = ui.page("Cause", CauseView, controls=False)

st.header("From two shapes to the wrong weights")
ui.cause_section(comparison)

st.caption("Next: *Claims*, where every other explanation of the thread is put to the test.")
