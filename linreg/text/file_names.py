"""The settings in words, for the names of files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from linreg.settings.fields import format_number
from linreg.settings.model import Comparison
from linreg.settings.pages import ClaimsView, CodeView
from linreg.settings.query import to_query, to_view_query

MAX_CHARACTERS = 80  # of the words; longer ones are cut


def state_words(comparison: Comparison, view: Any = None, step: int | None = None) -> str:
    """The settings for the name of a file: `RMSprop lr 0.01 batch 100`, and other changes."""
    if isinstance(view, ClaimsView | CodeView):  # pages without a comparison
        return _words(to_view_query(view))
    settings = comparison.original
    query = to_query(comparison)
    if view:
        query |= to_view_query(view)
    if step is not None:
        query |= {"step": str(step)}
    always_named = ("v", "optimizer", "lr", "batch_size")
    others = _words({name: text for name, text in query.items() if name not in always_named})
    lr = format_number(settings.lr)
    return f"{settings.optimizer} lr {lr} batch {settings.batch_size} {others}".strip()


def _words(query: Mapping[str, str]) -> str:
    """A query in words; a long one is cut and ends with a digest of the whole."""
    words = " ".join(f"{name} {text}" for name, text in query.items())
    if len(words) <= MAX_CHARACTERS:
        return words
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    return f"{words[:MAX_CHARACTERS]} {digest}"
