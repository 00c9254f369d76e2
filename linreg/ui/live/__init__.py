"""The live figures: drawn, replayed and moved by the browser, without a word to the server."""

from linreg.ui.live.component import (
    TrainingSettings,
    lecture_keys,
    live_controls,
    live_fade,
    live_figures,
    live_training,
)
from linreg.ui.live.files import modules_to_load, written_files

__all__ = [
    "TrainingSettings",
    "lecture_keys",
    "live_controls",
    "live_fade",
    "live_figures",
    "live_training",
    "modules_to_load",
    "written_files",
]
