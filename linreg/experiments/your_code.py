"""The page of your own code: what a loss computes from two shapes, and what PyTorch does."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from linreg.experiments import pytorch_calls
from linreg.experiments.resources import Resources
from linreg.guard.shapes import ShapeDiagnosis, diagnose_shapes
from linreg.settings.losses import Shape
from linreg.settings.pages import CodeView

if TYPE_CHECKING:
    from linreg.guard.report import Reaction

__all__ = ["CodeResult", "ShapeDiagnosis", "guard_example_output", "reaction", "run"]

SMALLEST_STAND_IN = 4  # size of an axis such as B where numbers are needed

NAMES = ("prediction", "target")  # of the variables, where the visitor's are not known


@dataclass(frozen=True)
class CodeResult:
    """The diagnosis of two shapes in a loss.

    `stand_ins` are the sizes that named sizes such as B have in it. `names` are the variables that
    hold the prediction and the target."""

    diagnosis: ShapeDiagnosis
    stand_ins: tuple[tuple[str, int], ...] = ()
    names: tuple[str, str] = NAMES


def run(view: CodeView, _resources: Resources) -> CodeResult:
    """The diagnosis of the view's two shapes. Raises `ValueError` for what is not a shape."""
    stand_ins = _stand_ins(view)
    names = (view.names[0], view.names[1]) if view.names else NAMES
    symbols = {size: name for name, size in stand_ins.items()}
    diagnosis = diagnose_shapes(*_shapes(view), view.loss, names=names, symbols=symbols)
    return CodeResult(diagnosis, tuple(stand_ins.items()), names)


def reaction(view: CodeView, resources: Resources) -> Reaction:
    """What PyTorch does with a loss of the view's two shapes.

    Raises `ValueError` for shapes that are too large to be run.
    """
    found: Reaction = resources.demo(pytorch_calls.reaction, *_shapes(view), view.loss)
    return found


def _stand_ins(view: CodeView) -> dict[str, int]:
    """A size for each size that is a name: small, and different from all others."""
    sizes = (*view.prediction, *view.truth)
    unused = (size for size in count(SMALLEST_STAND_IN) if size not in sizes)
    return {name: next(unused) for name in dict.fromkeys(sizes) if isinstance(name, str)}


def _shapes(view: CodeView) -> tuple[Shape, Shape]:
    """The two shapes in numbers."""
    stand_ins = _stand_ins(view)
    prediction, target = (
        tuple(stand_ins[size] if isinstance(size, str) else size for size in shape)
        for shape in (view.prediction, view.truth)
    )
    return prediction, target


def guard_example_output(resources: Resources) -> str:
    """How the example of the guard ends: run it, and return its last line."""
    found: str = resources.demo(pytorch_calls.run_guard_example)
    return found
