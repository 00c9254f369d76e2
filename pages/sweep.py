"""Phase diagrams: does it converge, for which two settings."""

import streamlit as st

from linreg import ui

comparison = ui.page("sweep")

ui.sweep_section(comparison)
ui.law_section(comparison)
st.subheader("What is trained")
st.markdown(
    "Each cell of a map trains one regression from many initial weights: on the left"
    " with the original code, on the right with the fixed code."
)
ui.sweep_setup(comparison)

st.caption("Next: another optimizer on the left; with SGD the map also shows its stability limit.")

ui.end_page()
