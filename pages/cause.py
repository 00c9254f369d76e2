"""The bug on one page, from shapes to weights."""

import streamlit as st

from linreg import ui, wording
from linreg.views import CauseView

comparison = ui.page("Cause", CauseView, controls=False)

st.header("From two shapes to the wrong weights")
st.markdown(wording.setup(comparison) + " Each step below is computed on this data.")
ui.cause_section(comparison)

st.caption("Next: *Your code*, where two shapes of your own are put to the same test.")
