"""All that is Streamlit: what the pages call. No other module of linreg imports it."""

from linreg.ui.claims import claims_section
from linreg.ui.explore import surface_section
from linreg.ui.frame import page
from linreg.ui.home import evidence, finding, replay
from linreg.ui.sweep import law_section, sweep_controls, sweep_section

__all__ = [
    "claims_section",
    "evidence",
    "finding",
    "law_section",
    "page",
    "replay",
    "surface_section",
    "sweep_controls",
    "sweep_section",
]
