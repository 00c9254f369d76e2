"""What each page shows besides the comparison: one frozen dataclass per page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from linreg.settings.fields import (
    POSITIVE,
    FieldSpec,
    Interval,
    SettingsError,
    check_fields,
    setting,
    specs_of,
    to_text,
)
from linreg.settings.limits import LIMITS
from linreg.settings.losses import LOSSES, MAX_AXES
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.sweep_axes import AXES, METRICS

LR = FieldSpec(
    "learning rates", float, POSITIVE, Interval(1e-12, 1e6), parts=range(len(OPTIMIZERS) + 1)
)

MAX_STARTS = 12

RANGE = FieldSpec("range", float, ui_range=Interval(-1e9, 1e9), parts=(2,), optional=True)


@dataclass(frozen=True)
class SurfaceView:
    """Page *surface*: which optimizers start where, and which part of the page is shown.

    `rates` is `tuned` (a learning rate is found for each optimizer), `one` (that of the comparison
    for all) or `own` (`lrs`, in the order of `optimizers`). `starts` are w1, w2, w1, w2, …. `ring`
    starting points lie evenly on a circle of the given `radius` around the minimum. Without any
    starting points, the paths start at the initial weights of the run. `batch` is the batch whose
    own surface is shown."""

    part: str = setting(
        "paths", FieldSpec("part of the page", str, choices=("paths", "curvature", "batches"))
    )
    sides: str = setting("both", FieldSpec("surfaces", str, choices=("both", "original", "fixed")))
    optimizers: tuple[str, ...] = setting(
        ("RMSprop", "SGD", "Adam"),
        FieldSpec("optimizers", str, choices=tuple(OPTIMIZERS), several=True),
    )
    rates: str = setting("tuned", FieldSpec("rates", str, choices=("tuned", "one", "own")))
    lrs: tuple[float, ...] = setting((), LR)
    starts: tuple[float, ...] = setting(
        (),
        FieldSpec(
            "starts", float, ui_range=Interval(-1e6, 1e6), parts=range(0, 2 * MAX_STARTS + 1, 2)
        ),
    )
    ring: int = setting(6, FieldSpec("starts in a ring", int, Interval(0), Interval(0, MAX_STARTS)))
    radius: float = setting(
        4.0, FieldSpec("radius of the ring", float, POSITIVE, Interval(1e-6, 1e6))
    )
    arrows: bool = setting(False, FieldSpec("gradient arrows", bool))
    batch: int = setting(0, FieldSpec("batch", int, Interval(0), Interval(0, 10**6)))

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class ClaimsView:
    """Page *claims*: over how many seeds of data and initial weights the claims are tested."""

    seeds: int = setting(
        min(200, LIMITS.seeds), FieldSpec("seeds", int, Interval(1), Interval(10, LIMITS.seeds))
    )

    def __post_init__(self) -> None:
        check_fields(self)


SHAPE = partial(
    FieldSpec,
    type=int,
    valid_range=Interval(0),
    ui_range=Interval(0),
    parts=range(MAX_AXES + 1),
    names=True,
)

WEIGHT = FieldSpec("weight", float, ui_range=Interval(-1e6, 1e6), optional=True)


@dataclass(frozen=True)
class CauseView:
    """Page *cause*: the rows of the matrix, the weights at which the losses are decomposed, and how
    far the pairs off the diagonal are faded in.

    For a weight, None stands for that of the least-squares solution. The loss is (1 − `alpha`)
    times the matched one plus `alpha` times the one over all pairs, in batches of `batch_rows`
    rows; None stands for the batch size of the comparison."""

    rows: int = setting(6, FieldSpec("rows of the matrix", int, Interval(2), Interval(2, 12)))
    w1: float | None = setting(None, WEIGHT)
    w2: float | None = setting(None, WEIGHT)
    alpha: float = setting(1.0, FieldSpec("alpha", float, Interval(0, 1), Interval(0, 1)))
    batch_rows: int | None = setting(
        None, FieldSpec("rows per batch", int, Interval(1), Interval(1, 10**6), optional=True)
    )

    def __post_init__(self) -> None:
        check_fields(self)

    def weights(self, best: Sequence[float]) -> tuple[float, float]:
        """The weights (w1, w2) of the view, where `best` is the least-squares solution."""
        w1 = float(best[0]) if self.w1 is None else self.w1
        w2 = float(best[1]) if self.w2 is None else self.w2
        return w1, w2


@dataclass(frozen=True)
class CodeView:
    """Page *your code*: the two shapes that a loss is given.

    A size is a number, or a name such as `B` for any number. `names` are the variables that hold
    the prediction and the target, or () where they are not known."""

    prediction: tuple[int | str, ...] = setting((100, 1), SHAPE("prediction shape"))
    truth: tuple[int | str, ...] = setting((100,), SHAPE("target shape"))
    loss: str = setting("mse", FieldSpec("loss", str, choices=tuple(LOSSES)))
    names: tuple[str, ...] = setting((), FieldSpec("names", str, parts=(0, 2), names=True))

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class SweepView:
    """Page *sweep*: the two settings that vary, their ranges, and what the colour shows.

    A range of None stands for the default of its axis. `inits` is the number of initial weights per
    cell."""

    x: str = setting("lr", FieldSpec("horizontal axis", str, choices=tuple(AXES)))
    y: str = setting("batch_size", FieldSpec("vertical axis", str, choices=tuple(AXES)))
    x_range: tuple[float, float] | None = setting(None, RANGE)
    y_range: tuple[float, float] | None = setting(None, RANGE)
    columns: int = setting(40, FieldSpec("columns", int, Interval(1), Interval(2, 80)))
    rows: int = setting(12, FieldSpec("rows", int, Interval(1), Interval(2, 40)))
    inits: int = setting(
        20, FieldSpec("initial weights per cell", int, Interval(1), Interval(1, 200))
    )
    steps: int = setting(3_000, FieldSpec("steps", int, Interval(1), Interval(1, 100_000)))
    metric: str = setting("converged", FieldSpec("colour", str, choices=tuple(METRICS)))

    def __post_init__(self) -> None:
        check_fields(self)
        if self.x == self.y:
            raise SettingsError(
                f"both axes are {AXES[self.x].title}; choose another for one of them", "y", "x"
            )
        self._check_range("x_range", self.x, self.x_range)
        self._check_range("y_range", self.y, self.y_range)

    def _check_range(self, name: str, key: str, limits: tuple[float, float] | None) -> None:
        log = AXES[key].log
        if limits and (limits[0] >= limits[1] or (log and limits[0] <= 0)):
            floor = " above 0" if log else ""
            raise SettingsError(
                f"range {to_text(limits)} is not one; use two numbers{floor}, the smaller first",
                name,
            )


@dataclass(frozen=True)
class Page:
    """A page of the app: its name in every layer, its title in the menu, the heading on the page
    (empty where that depends on the result), and the type of the settings that are its own, if it
    has any."""

    name: str
    title: str
    heading: str = ""
    view_type: type[Any] | None = None

    @property
    def path(self) -> str:
        """The page's file; its name is the last part of the page's URL."""
        return "streamlit_app.py" if self.name == "comparison" else f"pages/{self.name}.py"


MENU = {  # all pages, in the order of the menu
    page.name: page
    for page in (
        Page("comparison", "Original vs fixed"),
        Page("cause", "Cause", "How a shape mismatch gives the wrong weights", CauseView),
        Page("claims", "Claims", "Every claim of the thread, put to the test", ClaimsView),
        Page("surface", "Surface", "Optimizers on both surfaces", SurfaceView),
        Page("sweep", "Sweep", "For which settings does it converge?", SweepView),
        Page("your_data", "Your data", "The bug on your data"),
        Page("your_code", "Your code", "What does your loss compare?", CodeView),
    )
}
PAGES: dict[str, type[Any]] = {  # the views of the pages that have one
    page.name: page.view_type for page in MENU.values() if page.view_type
}

View = TypeVar("View", CauseView, ClaimsView, CodeView, SurfaceView, SweepView)


def with_view_changes(view: View, changes: Mapping[str, Any]) -> View:
    """The view with changes; a new axis resets its range. Raises `SettingsError`.

    An axis that takes the setting of the other axis gives it its own, and so do the ranges."""
    if isinstance(view, SweepView) and changes in ({"x": view.y}, {"y": view.x}):
        swapped = {"x": view.y, "y": view.x}
        changes = {**swapped, "x_range": view.y_range, "y_range": view.x_range}
    ranges = {name: None for axis in changes if (name := f"{axis}_range") in specs_of(type(view))}
    return replace(view, **{**ranges, **changes})
