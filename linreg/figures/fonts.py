"""The typeface of exported figures, Source Sans Pro, which is also that of the pages.

It comes from the package font-source-sans-pro.
"""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from importlib.resources import files
from typing import Any

FAMILY = "Source Sans Pro"
REGULAR, SEMIBOLD = 400, 600
FILES = {REGULAR: "SourceSansPro-Regular.ttf", SEMIBOLD: "SourceSansPro-Semibold.ttf"}
USUAL_CHARACTERS = "".join(map(chr, range(32, 127))) + "−·×√²λβ…’–≤≥±→\u0304"
UNKNOWN_WIDTH = 0.6  # em, of a character that the typeface does not have


@lru_cache(maxsize=2)
def _font_file(weight: int) -> bytes:
    return (files("font_source_sans_pro") / "files" / FILES[weight]).read_bytes()


def _open_font(weight: int) -> Any:
    from fontTools.ttLib import TTFont

    return TTFont(io.BytesIO(_font_file(weight)), recalcTimestamp=False)


@lru_cache(maxsize=2)
def _advances(weight: int) -> dict[int, float]:
    """The advance width of each character, in em."""
    font = _open_font(weight)
    em, widths = font["head"].unitsPerEm, font["hmtx"]
    return {code: widths[glyph][0] / em for code, glyph in font.getBestCmap().items()}


def width(text: str, size: float, weight: int = REGULAR) -> float:
    """The width of a line of text, in the unit of `size`, without kerning."""
    known = _advances(weight)
    return size * sum(known.get(ord(character), UNKNOWN_WIDTH) for character in text)


def missing(text: str) -> set[str]:
    """The characters of a text that the typeface does not have."""
    return {
        character
        for character in text
        if character.isprintable() and ord(character) not in _advances(REGULAR)
    }


def rules(text: str) -> str:
    """CSS @font-face rules that embed the characters that figures use, and those of the text."""
    others = sorted(set(text) - set(USUAL_CHARACTERS))  # mostly none, so figures share one subset
    return "".join(_rule(weight, "".join(others)) for weight in (REGULAR, SEMIBOLD))


@lru_cache(maxsize=32)
def _rule(weight: int, others: str) -> str:
    from fontTools.subset import Options, Subsetter

    font = _open_font(weight)
    options = Options()
    options.layout_features, options.hinting = ["kern", "mark"], False
    subsetter = Subsetter(options)
    subsetter.populate(text=USUAL_CHARACTERS + others)
    subsetter.subset(font)
    font.flavor = "woff"
    woff = io.BytesIO()
    font.save(woff)
    data = base64.b64encode(woff.getvalue()).decode()
    return (
        f'@font-face{{font-family:"{FAMILY}";font-weight:{weight};'
        f'src:url(data:font/woff;base64,{data}) format("woff")}}'
    )
