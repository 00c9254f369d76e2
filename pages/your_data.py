"""The comparison on a table of your own."""

import streamlit as st

from linreg import ui

ui.page("your_data", controls=ui.is_on_a_table, shown=ui.with_default_table)

st.header("The same bug on a table of your own")
st.markdown(
    "Choose a target and two features: the loss as written and the fixed one are trained on them,"
    " and every figure of the"
    " other pages can be drawn for them."
)
ui.your_data_section()

st.caption("Next: *Surface* and *Sweep*, once this table is used on every page.")

ui.end_page()
