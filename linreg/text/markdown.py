"""Markdown: tables, and text from outside made safe."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from linreg.settings.fields import shorten

WORD_JOINER = "\u2060"  # a word joiner: it has no width


LIVE = re.compile(r":(?=[\w/+-])|@(?=[\w-])|www(?=\.)", re.IGNORECASE)


ARROW = re.compile(r"(?<!\S)(?:<->|->|<-|--|>=|<=|~=)(?!\S)")


def escape_markdown(foreign: str) -> str:
    """Text from outside, safe in Markdown: every character shows as itself.

    Streamlit makes icons, links and arrows of text even where it is escaped; there a word joiner
    parts it."""
    apart = LIVE.sub(rf"\g<0>{WORD_JOINER}", foreign)
    apart = ARROW.sub(lambda found: WORD_JOINER.join(found[0]), apart)
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&=])", r"\\\1", apart)


def column(name: str) -> str:
    """A column's name in a sentence: as itself, on one line, and not too long."""
    return escape_markdown(shorten(name))


def table_in_markdown(rows: Mapping[str, Sequence[str]], labels: Sequence[str]) -> str:
    """A table in Markdown: row -> its cells, under these labels."""
    lines = [
        ("", *labels),
        ("---",) * (len(labels) + 1),
        *((name, *cells) for name, cells in rows.items()),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_code(foreign: str) -> str:
    """Text from outside between backticks."""
    return shorten(foreign).replace("`", "ˋ")
