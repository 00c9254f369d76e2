"""The loss surface: any optimizers from any starts, the curvature, and single batches."""

import streamlit as st

from linreg import ui, wording
from linreg.views import SurfaceView

comparison = ui.page("Surface", SurfaceView)

st.header("Optimizers on both surfaces")
st.markdown(wording.setup(comparison, ["optimizer"]) + "  \n" + wording.sides(comparison))
ui.surface_section(comparison)

st.caption("Next: *Sweep*, a map of the learning rates and batch sizes at which a run converges.")
