"""The comparison on a table of your own."""

import streamlit as st

from linreg import ui

ui.page("your_data", controls=ui.is_on_a_table, shown=ui.with_default_table)

ui.your_data_section()

st.caption("Next: *Surface* and *Sweep*, once this table is applied to all pages.")

ui.end_page()
