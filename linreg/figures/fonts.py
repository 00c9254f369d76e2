"""The typeface of figures that leave the browser: Source Sans Pro, the one of the pages, as a
package of fonts brings it."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from importlib.resources import files
from typing import Any

FAMILY = "Source Sans Pro"
REGULAR, SEMIBOLD = 400, 600
FILES = {REGULAR: "SourceSansPro-Regular.ttf", SEMIBOLD: "SourceSansPro-Semibold.ttf"}
USUAL = "".join(map(chr, range(32, 127))) + "−·×√²λβ…’–≤≥±→\u0304"
UNKNOWN = 0.6  # ems that a character takes which the typeface does not have


@lru_cache(maxsize=2)
def _face(weight: int) -> bytes:
    return (files("font_source_sans_pro") / "files" / FILES[weight]).read_bytes()


def _opened(weight: int) -> Any:
    from fontTools.ttLib import TTFont

    return TTFont(io.BytesIO(_face(weight)), recalcTimestamp=False)


@lru_cache(maxsize=2)
def _advances(weight: int) -> dict[int, float]:
    """How far each character moves on, in ems."""
    font = _opened(weight)
    em, widths = font["head"].unitsPerEm, font["hmtx"]
    return {code: widths[glyph][0] / em for code, glyph in font.getBestCmap().items()}


def width(text: str, size: float, weight: int = REGULAR) -> float:
    """How wide a line of text is at a font size, in its unit, but for kerning."""
    known = _advances(weight)
    return size * sum(known.get(ord(character), UNKNOWN) for character in text)


def missing(text: str) -> set[str]:
    """The characters of a text that the typeface does not have."""
    return {
        character
        for character in text
        if character.isprintable() and ord(character) not in _advances(REGULAR)
    }


def rules(text: str) -> str:
    """CSS that brings along the typeface: the characters that figures use, and whatever else a text
    has."""
    others = "".join(
        sorted(set(text) - set(USUAL))
    )  # mostly none, so that most figures share one cut
    return "".join(_rule(weight, others) for weight in (REGULAR, SEMIBOLD))


@lru_cache(maxsize=32)
def _rule(weight: int, others: str) -> str:
    from fontTools.subset import Options, Subsetter

    font = _opened(weight)
    options = Options()
    options.layout_features, options.hinting = ["kern", "mark"], False
    subsetter = Subsetter(options)
    subsetter.populate(text=USUAL + others)
    subsetter.subset(font)
    font.flavor = "woff"
    cut = io.BytesIO()
    font.save(cut)
    data = base64.b64encode(cut.getvalue()).decode()
    return f'@font-face{{font-family:"{FAMILY}";font-weight:{weight};src:url(data:font/woff;base64,{data}) format("woff")}}'
