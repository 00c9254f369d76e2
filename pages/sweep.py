"""Phase diagrams: does it converge, for which two settings."""

import streamlit as st

from linreg import ui, wording
from linreg.views import SweepView

comparison = ui.page("Sweep", SweepView)

st.header("For which settings does it converge?")
st.markdown(wording.setup(comparison))
ui.sweep_controls()
ui.sweep_section(comparison)
ui.law_section(comparison)

st.caption("Try SGD next: the dashed limit 2/λ is where its map ends, with the bug and without.")
