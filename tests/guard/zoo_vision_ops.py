"""torchvision beside another build of PyTorch than its own, where its operators do not load.

Everything in Python works without them, if the two that torchvision names on import are declared.
Import this before torchvision, or a package that imports it."""

from importlib.util import find_spec
from pathlib import Path

import torch


def declare_missing_operators() -> None:
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    try:
        for library in Path(spec.origin).parent.glob("_C.*"):
            torch.ops.load_library(str(library))
    except OSError:
        for name in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou) -> Tensor"
            )


declare_missing_operators()
