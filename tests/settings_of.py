"""Small settings that several tests share."""

from linreg.settings.changes import apply_overrides
from linreg.settings.model import Comparison, DataSettings, Settings


def compared(**changes):
    original = Settings(data=DataSettings(samples=1_000), **changes)
    return Comparison(original, apply_overrides(original, {"wiring": "squeeze"}))
