"""The home page: the thread's regression, as asked and fixed, side by side."""

import streamlit as st

from linreg import ui

comparison = ui.page("comparison")

opening = st.container(key="opening").empty()
ui.opening(comparison, opening)  # of the settings alone where the runs have yet to be trained
ui.replay(comparison)  # trains them
ui.opening(comparison, opening)  # in the same place, now of the runs
ui.evidence(comparison)

st.caption(
    "A similar question, with three weights: [PyTorch forums"
    " 148155](https://discuss.pytorch.org/t/148155)."
    " Try the preset *Started at the truth* next: does the original stay there?"
)

ui.end_page()
