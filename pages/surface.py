"""The loss surface: any optimizers from any starts, the curvature, and single batches."""

import streamlit as st

from linreg import ui, wording
from linreg.views import SurfaceView

comparison = ui.page("Surface", SurfaceView)

st.header("Every optimizer, from anywhere, on both surfaces")
st.markdown(wording.setup(comparison))
ui.surface_section(comparison)

st.caption("Try a correlation of 0.95 next: the bowl becomes a narrow valley.")
