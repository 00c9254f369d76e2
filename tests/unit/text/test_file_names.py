"""The words of the settings in a file's name."""

from settings_of import compared

from linreg.settings.pages import SurfaceView
from linreg.settings.presets import PRESETS
from linreg.text.file_names import state_words


def test_other_settings_have_another_name():
    kept = {state_words(preset.comparison) for preset in PRESETS.values()}
    assert len(kept) == len(PRESETS)
    long = compared(init=(1.23456789012345, -2.3456789012345), shuffle=True, seed=12345678)
    other = compared(init=(1.23456789012345, -2.3456789012345), shuffle=True, seed=12345679)
    assert state_words(long) != state_words(other)
    assert len(state_words(long)) < 140
    assert state_words(compared(), SurfaceView(sides="fixed"), 3).endswith("sides fixed step 3")
