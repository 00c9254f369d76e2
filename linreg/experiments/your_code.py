"""The page of your own code: what a loss computes from two shapes."""

from __future__ import annotations

from dataclasses import dataclass

from linreg.guard.shapes import ShapeDiagnosis, diagnose_shapes
from linreg.settings.pages import CodeView

__all__ = ["CodeResult", "ShapeDiagnosis", "run"]


@dataclass(frozen=True)
class CodeResult:
    """The diagnosis of two shapes in a loss."""

    diagnosis: ShapeDiagnosis


def run(view: CodeView) -> CodeResult:
    """The diagnosis of the view's two shapes. Raises `ValueError` for what is not a shape."""
    return CodeResult(diagnose_shapes(view.prediction, view.truth, view.loss))
