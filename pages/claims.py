"""The thread's claims, each tested over many seeds of data and init."""

import streamlit as st

from linreg import ui

ui.page("claims", controls=False)

verdict = st.empty()
st.markdown(
    "A PyTorch regression does not converge, and [the"
    " thread](https://discuss.pytorch.org/t/50431) offers explanations. Each is tested here: the"
    " script with one change, trained on many random data sets for 3,000 steps (10,000 with one or"
    " two rows per batch)."
)
ui.claims_section(verdict)

ui.end_page()
