"""The live figures: drawn, replayed and moved by the browser, without a word to the server."""

from linreg.ui.live.component import (
    TrainingSettings,
    live_controls,
    live_fade,
    live_figures,
    live_training,
)

__all__ = ["TrainingSettings", "live_controls", "live_fade", "live_figures", "live_training"]
