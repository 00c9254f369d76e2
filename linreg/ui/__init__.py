"""All that is Streamlit: what the pages call. No other module of linreg imports it."""

import streamlit as st

from linreg.settings.dependencies import CORE, missing, missing_message

if missing(CORE):
    st.error(f"{missing_message('This app needs', missing(CORE))}.")
    st.stop()

from linreg.experiments.your_data import with_default_table
from linreg.ui.cause import cause_section
from linreg.ui.claims import claims_section
from linreg.ui.comparison import evidence, opening, replay
from linreg.ui.embed import page
from linreg.ui.page import end_page
from linreg.ui.surface import surface_section
from linreg.ui.sweep import law_section, sweep_section, sweep_setup
from linreg.ui.your_code import guard_section, shapes_section
from linreg.ui.your_data import is_on_a_table, your_data_section

__all__ = [
    "cause_section",
    "claims_section",
    "end_page",
    "evidence",
    "guard_section",
    "is_on_a_table",
    "law_section",
    "opening",
    "page",
    "replay",
    "shapes_section",
    "surface_section",
    "sweep_section",
    "sweep_setup",
    "with_default_table",
    "your_data_section",
]
