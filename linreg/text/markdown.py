"""Markdown tables, and text from users escaped for Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from linreg.settings.fields import shorten

WORD_JOINER = "\u2060"  # a character without a width, at which no line breaks

# text that Streamlit replaces or links even where it is escaped: icons, mentions, addresses, arrows
DIRECTIVE = re.compile(r":(?=[\w/+-])|@(?=[\w-])|www(?=\.)", re.IGNORECASE)
ARROW = re.compile(r"(?<!\S)(?:<->|->|<-|--|>=|<=|~=)(?!\S)")


def escape_markdown(text: str) -> str:
    """Text from users, escaped so that every character shows as itself.

    Where Streamlit makes icons, links and arrows even of escaped text, a word joiner interrupts it.
    """
    joined = DIRECTIVE.sub(rf"\g<0>{WORD_JOINER}", text)
    joined = ARROW.sub(lambda match: WORD_JOINER.join(match[0]), joined)
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&=])", r"\\\1", joined)


def column(name: str) -> str:
    """The name of a column, escaped and shortened for a sentence."""
    return escape_markdown(shorten(name))


def table_in_markdown(rows: Mapping[str, Sequence[str]], labels: Sequence[str]) -> str:
    """A Markdown table: row -> cells, under these column labels."""
    lines = [
        ("", *labels),
        ("---",) * (len(labels) + 1),
        *((name, *cells) for name, cells in rows.items()),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_code(text: str) -> str:
    """Text from users, shortened for a place between backticks."""
    return shorten(text).replace("`", "ˋ")
