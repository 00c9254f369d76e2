"""An attribute of a layer before and after a line of code; importing this does not import torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attribute:
    """An entry of `vars(layer)`, or a parameter, before and after a line."""

    name: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after
