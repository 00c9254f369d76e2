"""The home page: the thread's regression, as asked and fixed, side by side."""

import streamlit as st

from linreg import ui
from linreg.text import comparison as comparison_text

comparison = ui.page("comparison")

st.header("Why this PyTorch regression does not converge")
st.markdown(f"{ui.origin(comparison)} On this page: {comparison_text.setup(comparison)}")
finding = st.empty()
ui.finding(comparison, finding)  # of the settings alone where the runs have yet to be trained
ui.replay(comparison)  # trains them
ui.finding(comparison, finding)  # in the same place, now of the runs
ui.evidence(comparison)

st.caption(
    "A twin of the question, with three weights: [PyTorch forums"
    " 148155](https://discuss.pytorch.org/t/148155)."
    " Try the preset *Started at the truth* next: does the original stay there?"
)
