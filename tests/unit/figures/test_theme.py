"""Every colour of a figure can be told from what it stands on: WCAG 2.2's contrasts, 4.5 of letters
and 3 of marks."""

import pytest

from linreg.figures import templates
from linreg.figures.templates import build_templates
from linreg.figures.theme import THEMES


def luminance(color):
    """Relative luminance, as WCAG defines it."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_measure_itself():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01), (
        "the well-known lightest grey"
    )


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_letters_and_marks_stand_out(theme):
    for letters in (theme.foreground, theme.muted, theme.original_text, theme.fixed_text):
        assert contrast(letters, theme.background) >= 4.5, letters
    for ring in theme.loss_ramp:
        assert contrast(theme.foreground, ring) >= 4.5, "labels on a surface"
    for mark in (theme.original, theme.fixed, *theme.series, theme.ramp[-1]):
        assert contrast(mark, theme.background) >= 3, mark


def test_templates_are_built_beforehand_for_both_schemes():
    """As a server does in the background: what a page draws then finds them, whoever comes
    first."""
    from linreg.figures import curves, descent, optimizer_paths, pages, side_surfaces, sweep

    assert pages, "all figures are imported"

    assert len(list(build_templates())) == 2 * len(templates._TEMPLATES)
    for build, *variant in (
        (side_surfaces._surface_template, 0),
        (curves._weights_spec, "least squares weights"),
        (optimizer_paths._paths_spec,),
        (descent._descent_spec, "loss"),
        (sweep._map_template,),
    ):
        before = build.cache_info().misses
        for scheme in THEMES.values():
            build(scheme, *variant)
        assert build.cache_info().misses == before
