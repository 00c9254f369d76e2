"""The loss surface: any optimizers from any starts, the curvature, and single batches."""

import streamlit as st

from linreg import ui
from linreg.text import comparison as comparison_text

comparison = ui.page("surface")

ui.surface_section(comparison)
st.markdown(
    comparison_text.setup(comparison, ["optimizer"]) + "  \n" + comparison_text.sides(comparison)
)

st.caption("Next: *Sweep*, a map of the learning rates and batch sizes at which a run converges.")

ui.end_page()
