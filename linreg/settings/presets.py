"""Named comparisons: what is proposed in the thread and its answers, and variations of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from linreg.settings.model import Comparison, Settings, TableSettings
from linreg.settings.query import to_query


@dataclass(frozen=True)
class Preset:
    """A comparison with a title, and a comment that says what to look for."""

    key: str
    title: str
    comment: str
    comparison: Comparison


def _comparison(fixed: dict[str, Any] | None = None, **both: Any) -> Comparison:
    """A comparison with these settings on both sides; `fixed` overrides them on the fixed side."""
    overrides = {"wiring": "squeeze", **(fixed or {})}
    return Comparison(Settings(**both), Settings(**{**both, **overrides}))


PRESETS: dict[str, Preset] = {
    entry.key: entry
    for entry in (
        Preset(
            "as_asked",
            "The thread, as asked",
            "A forum's script without the line that sets its weights; the fixed side removes one"
            " axis from the output.",
            _comparison(),
        ),
        Preset(
            "strange_line",
            "With its strange line",
            "The line that makes it work replaces a `(1, 2)` weight by a `(2,)` one. The shape"
            " matters, not the values.",
            _comparison({"wiring": "weight_1d", "init": (2.0, 3.0)}),
        ),
        Preset(
            "answer_2d",
            "The answer's [[2, 3]]",
            "The answer corrects `[2, 3]` to `[[2, 3]]`: the same values, `(1, 2)` again, and the"
            " bug is back.",
            _comparison({"wiring": "weight_1d"}, wiring="weight_2d", init=(2.0, 3.0)),
        ),
        Preset(
            "answer_batch_of_one",
            "The answer's batch of one",
            "The script unchanged but for a batch size of one: a single pair per batch, so"
            " nothing is mixed.",
            _comparison({"wiring": "original", "batch_size": 1, "epochs": 1}),
        ),
        Preset(
            "forum_squeeze",
            "The forum's x.squeeze()",
            "`x.squeeze()` returns a new tensor. Nobody keeps it, so it changes nothing.",
            _comparison(wiring="noop_squeeze"),
        ),
        Preset(
            "from_the_truth",
            "Started at the truth",
            "Both sides start at the true weights. If small initial weights were the cause, both"
            " would stay there.",
            _comparison(init=(5.0, 3.0)),
        ),
        Preset(
            "from_zero",
            "Started at (0, 0)",
            "Weights do not come smaller than these, and the fixed side still finds its way.",
            _comparison(init=(0.0, 0.0)),
        ),
        Preset(
            "from_far",
            "Started at (100, 100)",
            "RMSprop moves about one lr a step, so a run has a reach. From here not even the fixed"
            " side arrives.",
            _comparison(init=(100.0, 100.0)),
        ),
        Preset(
            "sgd_overflows",
            "SGD at lr 0.01",
            "The second trap in the script: on features of this scale the same lr is far too large"
            " for SGD.",
            _comparison(optimizer="SGD"),
        ),
        Preset(
            "sgd_stable",
            "SGD at a stable lr",
            "Below 2/λ_max SGD settles within a few steps, on either surface, at that surface's own"
            " minimum.",
            _comparison(optimizer="SGD", lr=1e-5),
        ),
    )
}


def closest_preset(comparison: Comparison, chosen: str | None = None) -> Preset | None:
    """The preset that differs from a comparison in the fewest settings; None for one on a table.

    Of presets that are equally close, it is the `chosen` one, given by its key, or else the first.
    """
    if isinstance(comparison.original.data, TableSettings):
        return None
    settings = to_query(comparison, full=True).items()

    def distance(preset: Preset) -> tuple[int, bool]:
        differing = settings ^ _settings_of(preset.key)
        return len({name for name, _ in differing}), preset.key != chosen

    return min(PRESETS.values(), key=distance)


@cache
def _settings_of(key: str) -> frozenset[tuple[str, str]]:
    return frozenset(to_query(PRESETS[key].comparison, full=True).items())
