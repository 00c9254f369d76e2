"""The exception for files and columns that cannot be used."""

from linreg.settings.fields import shorten


class TableError(ValueError):
    """A file, or a choice of its columns, that cannot be used: what, where, and what to do."""


def quoted(name: str) -> str:
    """A column's name as error messages show it."""
    return f"'{shorten(name)}'"
