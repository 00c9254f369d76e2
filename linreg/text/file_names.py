"""The settings in words, for the names of files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from linreg.settings.fields import format_number
from linreg.settings.model import Comparison
from linreg.settings.pages import ClaimsView, CodeView
from linreg.settings.query import to_query, to_view_query

MOST_CHARACTERS = 80  # of the words; longer ones are cut


def state_words(comparison: Comparison, view: Any = None, step: int | None = None) -> str:
    """The settings in the name of a file: `RMSprop lr 0.01 batch 100`, and all else that differs
    from the defaults."""
    if isinstance(view, ClaimsView | CodeView):  # of no comparison
        return _named(to_view_query(view))
    asked = comparison.original
    others = (
        to_query(comparison)
        | (to_view_query(view) if view else {})
        | ({} if step is None else {"step": str(step)})
    )
    told = _named(
        {
            name: text
            for name, text in others.items()
            if name not in ("v", "optimizer", "lr", "batch_size")
        }
    )
    return f"{asked.optimizer} lr {format_number(asked.lr)} batch {asked.batch_size} {told}".strip()


def _named(query: Mapping[str, str]) -> str:
    """A query in words; a long one is cut, and ends with what tells it from others."""
    words = " ".join(f"{name} {text}" for name, text in query.items())
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    return words if len(words) <= MOST_CHARACTERS else f"{words[:MOST_CHARACTERS]} {digest}"
