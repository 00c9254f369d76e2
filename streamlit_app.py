"""The home page: the thread's regression, as asked and fixed, side by side."""

import streamlit as st

from linreg import ui

comparison = ui.page("Original vs fixed")

st.title("Why this PyTorch regression does not converge")
finding = st.empty()
finding.markdown("The same data, the same optimizer, two losses: their surfaces are exact, their runs are about to train.")

ui.replay(comparison)
ui.finding(comparison, finding)
ui.outcomes(comparison)
ui.evidence(comparison)

st.caption(
    "The question: [PyTorch forums 50431](https://discuss.pytorch.org/t/50431), also on Stack Overflow; its twin with three"
    " weights: [148155](https://discuss.pytorch.org/t/148155). Try the preset *Started at the truth* next."
)
