"""The thread's claims, each tested over many seeds of data and init."""

import streamlit as st

from linreg import ui

ui.page("claims", controls=False)

st.header("Every claim of the thread, put to the test")
st.markdown(
    "Each experiment is the script of [the thread](https://discuss.pytorch.org/t/50431) with what"
    " its name says changed,"
    " trained for 3,000 steps (10,000 with one or two rows a batch) on many tables. A run has"
    " converged if its R² is within"
    " 0.01 of least squares'. In the figures a bar is the share that converges, the line its 95 %"
    " interval, and the ring"
    " what the claim predicts; the bar is blue where that comes true, red where it does not."
)
ui.claims_section()

ui.end_page()
