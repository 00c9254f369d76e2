"""Phase diagrams: does it converge, for which two settings."""

import streamlit as st

from linreg import ui

comparison = ui.page("sweep")

st.header("For which settings does it converge?")
ui.sweep_setup(comparison)
ui.sweep_controls()
ui.sweep_section(comparison)
ui.law_section(comparison)

st.caption("Next: another optimizer on the left; with SGD the map also shows its stability limit.")

ui.end_page()
