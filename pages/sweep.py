"""Phase diagrams: does it converge, for which two settings."""

import streamlit as st

from linreg import ui

comparison = ui.page("sweep")

ui.sweep_section(comparison)
ui.law_section(comparison)
st.subheader("What is trained")
st.markdown(
    "Each cell is one pair of settings, trained from many initial weights: with the original code"
    " on one map, with the fixed code on the other."
)
ui.sweep_setup(comparison)

st.caption("Next: another optimizer in the side panel; with SGD the map also shows its stability limit.")

ui.end_page()
