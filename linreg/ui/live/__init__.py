"""The live figures: drawn, replayed and moved by the browser, without a word to the server."""

from linreg.ui.live.component import live_controls, live_fade, live_figures

__all__ = ["live_controls", "live_fade", "live_figures"]
