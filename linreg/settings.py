"""What a comparison is made of, as frozen dataclasses, and its way into a URL query and back.

The fields carry their own limits: `Kind.limit` is what is possible at all (a `SettingsError` otherwise), `Kind.offered`
what the app lets a link or a control ask for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any

from linreg.limits import LIMITS
from linreg.optimizers import OPTIMIZERS
from linreg.wiring import WIRINGS

VERSION = 1


class SettingsError(ValueError):
    """Impossible settings. `fields` names the fields that can mend it, the most likely first."""

    def __init__(self, message: str, *names: str) -> None:
        super().__init__(message)
        self.fields = names

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], *self.fields)


@dataclass(frozen=True)
class Interval:
    """Numbers between `low` and `high`, both included unless `open_low`."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False

    def __contains__(self, value: Any) -> bool:
        try:
            finite = math.isfinite(value)
        except OverflowError:  # a whole number beyond every float
            return False
        return finite and self.low <= value <= self.high and not (self.open_low and value == self.low)

    def __str__(self) -> str:
        lower = "" if self.low == -math.inf else f"{'above' if self.open_low else 'at least'} {plain(self.low)}"
        upper = "" if self.high == math.inf else f"at most {plain(self.high)}"
        return " and ".join(part for part in (lower, upper) if part) or "a finite number"


@dataclass(frozen=True)
class Kind:
    """How one field is named, written, read and limited."""

    label: str
    type: type  # of the value, or of each part of it
    limit: Interval = Interval()
    offered: Interval = Interval()
    parts: Sequence[int] = ()  # how many numbers a tuple may have; () for a single value
    choices: tuple[str, ...] = ()
    several: bool = False  # of the choices, as a tuple; none is allowed
    optional: bool = False  # None is allowed, written `default`


def setting(default: Any, kind: Kind) -> Any:
    """A field of a settings dataclass, with its kind."""
    return field(default=default, metadata={"kind": kind})


# ---- text ------------------------------------------------------------------------------------------------------------


def plain(value: float) -> str:
    """A number as short as it can be written without loss: `100`, `0.01`, `1e-05`."""
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return str(int(value))
    return repr(float(value))


def clipped(value: object, most: int = 40) -> str:
    """A foreign value as text for a message: never longer than `most`, never with a line break."""
    try:
        text = written(value) if isinstance(value, bool | int | float | tuple) else str(value)
    except (ValueError, OverflowError):  # a number too long to print, infinities and what is not a number
        text = repr(value) if isinstance(value, float) else "out of range"
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"{text[:most]}…" if len(text) > most else text or "''"


def written(value: Any) -> str:
    """A setting as it stands in a URL: `100`, `5,3`, `1` for yes, `default` for None."""
    if value is None:
        return "default"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return ",".join(part if isinstance(part, str) else plain(part) for part in value)
    return value if isinstance(value, str) else plain(value)


_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?")


def read(text: str, kind: Kind) -> Any:
    """A setting read from text, within what the app offers.

    Raises `ValueError` with a clause that says what is wrong with it.
    """
    if kind.optional and text == "default":
        return None
    if kind.choices:
        chosen = (tuple(dict.fromkeys(text.split(","))) if text else ()) if kind.several else (text,)
        if not set(chosen) <= set(kind.choices):
            raise ValueError(f"is unknown; the choices are {', '.join(kind.choices)}")
        return chosen if kind.several else text
    if kind.type is bool:
        if text not in ("0", "1"):
            raise ValueError("is neither 0 nor 1")
        return text == "1"
    pattern = _WHOLE if kind.type is int else _DECIMAL
    pieces = (text.split(",", max(kind.parts) + 1) if text else []) if kind.parts else [text]
    if kind.parts and len(pieces) not in kind.parts:
        raise ValueError(f"does not have {_counts(kind)} numbers")
    numbers = []
    for piece in pieces:
        if not pattern.fullmatch(piece.strip()):
            raise ValueError(f"is not {_article(kind.type)}")
        number = kind.type(piece)
        if number not in kind.limit or number not in kind.offered:
            raise ValueError(f"is out of range ({kind.offered})")
        numbers.append(number)
    return tuple(numbers) if kind.parts else numbers[0]


# ---- limits ----------------------------------------------------------------------------------------------------------


def check(settings: Any) -> None:
    """Raise a `SettingsError` if a field of a settings dataclass is beyond its limit."""
    for name, kind in kinds_of(type(settings)).items():
        _check_value(name, getattr(settings, name), kind)


def _check_value(name: str, value: Any, kind: Kind) -> None:
    if value is None and kind.optional:
        return
    if kind.choices:
        if not (set(value) <= set(kind.choices) if kind.several else value in kind.choices):
            raise SettingsError(f"{kind.label} {clipped(value)} is unknown; use one of {', '.join(kind.choices)}", name)
        return
    if kind.parts and not (isinstance(value, tuple) and len(value) in kind.parts):
        raise SettingsError(f"{kind.label} {clipped(value)} is not a tuple of {_counts(kind)} numbers", name)
    for part in value if kind.parts else (value,):
        if kind.type is bool or isinstance(part, bool):
            if not (kind.type is bool and isinstance(part, bool)):
                raise SettingsError(f"{kind.label} {clipped(part)} is not {_article(kind.type)}", name)
        elif not isinstance(part, Integral if kind.type is int else Real):
            raise SettingsError(f"{kind.label} {clipped(part)} is not {_article(kind.type)}", name)
        elif part not in kind.limit:
            raise SettingsError(f"{kind.label} {clipped(part)} is not possible; use {_asked(kind, kind.limit)}", name)


def _counts(kind: Kind) -> str:
    """How many numbers, in words: `2 or 3`, `an even number, at most 80, of`."""
    if isinstance(kind.parts, range):
        return f"an even count, at most {kind.parts[-1]}, of" if kind.parts.step == 2 else f"at most {kind.parts[-1]}"
    return " or ".join(map(str, kind.parts))


def _article(wanted: type) -> str:
    return {bool: "True or False", int: "a whole number", float: "a number"}.get(wanted, wanted.__name__)


def _asked(kind: Kind, interval: Interval) -> str:
    bounds = str(interval)
    noun = "a whole number" if kind.type is int else "a finite number"
    return noun if bounds == "a finite number" else f"{noun} {bounds}"


def kinds_of(owner: type) -> dict[str, Kind]:
    """The kind of each field of a settings dataclass."""
    return {entry.name: entry.metadata["kind"] for entry in fields(owner) if "kind" in entry.metadata}


# ---- the settings -----------------------------------------------------------------------------------------------------

POSITIVE = Interval(0, open_low=True)
SEED = Kind("seed", int, Interval(0, 2**63 - 1), Interval(0, 999_999))


@dataclass(frozen=True)
class DataSettings:
    """The synthetic table: y = w1·x1 + w2·x2 + noise, with x normal of the given mean, scale and correlation."""

    samples: int = setting(10_000, Kind("samples", int, Interval(1), Interval(2, LIMITS.rows)))
    weights: tuple[float, ...] = setting((5.0, 3.0), Kind("true weights", float, offered=Interval(-1e6, 1e6), parts=(2,)))
    scale: float = setting(100.0, Kind("feature scale", float, POSITIVE, Interval(1e-6, 1e6)))
    mean: float = setting(0.0, Kind("feature mean", float, offered=Interval(-1e6, 1e6)))
    correlation: float = setting(0.0, Kind("correlation", float, Interval(-1, 1), Interval(-1, 1)))
    noise: float = setting(1.0, Kind("noise", float, Interval(0), Interval(0, 1e6)))
    seed: int = setting(0, SEED)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class TableSettings:
    """A table that was read: its key (a bundled one's name, or an upload's digest), its columns, and the rows that it keeps.

    `linreg.data.table_settings` counts them. With `standardise` each feature has mean 0 and standard deviation 1.
    """

    table: str
    target: str
    features: tuple[str, str]
    samples: int
    standardise: bool = False

    def __post_init__(self) -> None:
        if len({self.target, *self.features}) != 3:
            names = ", ".join(clipped(name) for name in (self.target, *self.features))
            raise SettingsError(f"target and features {names} are not three columns; choose different ones", "target")


Data = DataSettings | TableSettings


@dataclass(frozen=True)
class Settings:
    """One run: the data, the wiring, the optimizer and how long.

    `init` holds the starting weights, and with `bias` optionally the starting bias as a third number; None is PyTorch's
    own default init, drawn from `seed`. `seed` also orders the batches when `shuffle` is on.
    """

    data: Data = DataSettings()
    wiring: str = setting("original", Kind("wiring", str, choices=tuple(WIRINGS)))
    init: tuple[float, ...] | None = setting(
        None, Kind("initial weights", float, offered=Interval(-1e6, 1e6), parts=(2, 3), optional=True)
    )
    optimizer: str = setting("RMSprop", Kind("optimizer", str, choices=tuple(OPTIMIZERS)))
    lr: float = setting(0.01, Kind("learning rate", float, POSITIVE, Interval(1e-12, 1e6)))
    momentum: float = setting(0.0, Kind("momentum", float, Interval(0), Interval(0, 2)))
    batch_size: int = setting(100, Kind("batch size", int, Interval(1), Interval(1, LIMITS.rows)))
    epochs: int = setting(30, Kind("epochs", int, Interval(1), Interval(1, LIMITS.steps)))
    shuffle: bool = setting(False, Kind("shuffle", bool))
    bias: bool = setting(False, Kind("bias", bool))
    seed: int = setting(0, SEED)

    def __post_init__(self) -> None:
        check(self)
        if self.batch_size > self.data.samples:
            raise SettingsError(
                f"batch size {self.batch_size:,} is above the {self.data.samples:,} samples; use 1 to {self.data.samples:,}",
                "batch_size",
                "samples",
            )
        optimizer = OPTIMIZERS[self.optimizer]
        if self.momentum and not optimizer.takes_momentum:
            takers = ", ".join(entry.name for entry in OPTIMIZERS.values() if entry.takes_momentum)
            raise SettingsError(
                f"momentum {plain(self.momentum)} does not fit {self.optimizer}, which takes none;"
                f" use 0, or one of {takers}",
                "momentum",
                "optimizer",
            )
        if optimizer.needs_momentum and not self.momentum:
            raise SettingsError(
                f"momentum 0 does not fit {self.optimizer}, which needs some; use 0.9, for example",
                "momentum",
                "optimizer",
            )
        if self.bias and not WIRINGS[self.wiring].takes_bias:
            takers = ", ".join(key for key, entry in WIRINGS.items() if entry.takes_bias)
            raise SettingsError(
                f"wiring {self.wiring} has a one-dimensional weight, and PyTorch's linear layer takes no bias beside it;"
                f" use no bias, or one of {takers}",
                "wiring",
                "bias",
            )
        if self.init is not None and len(self.init) == 3 and not self.bias:
            raise SettingsError(
                f"initial weights {written(self.init)} has 3 numbers, but there is no bias; use 2 numbers",
                "init",
                "bias",
            )

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one pass over the data, the smaller last one included."""
        return -(-self.data.samples // self.batch_size)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    @property
    def start_is_drawn(self) -> bool:
        """Whether the seed decides on an initial weight: on all of them, or on the bias beside two that are set."""
        return self.init is None or len(self.init) < 2 + self.bias


@dataclass(frozen=True)
class Comparison:
    """What the app shows: two runs on the same data, as the fixed side differs from the original in its wiring at least."""

    original: Settings = Settings()
    fixed: Settings = Settings(wiring="squeeze")

    def __post_init__(self) -> None:
        if self.original.data != self.fixed.data:
            raise SettingsError("the two sides of a comparison need the same data settings", "data")


def with_changes(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with changes by URL name: those of `DataSettings` change the data, `data_seed` its seed."""
    data = {_data_field(name): value for name, value in changes.items() if name in _data_kinds()}
    run = {name: value for name, value in changes.items() if name not in _data_kinds()}
    if data and isinstance(settings.data, TableSettings):
        name = next(name for name in changes if name in _data_kinds())
        raise SettingsError(
            f"{_data_kinds()[name].label} belongs to the synthetic data, and this is a table of its own;"
            " choose another setting, or go back to the synthetic data",
            name,
        )
    return replace(settings, data=replace(settings.data, **data), **run)


def with_table(comparison: Comparison, table: TableSettings, bias: bool = True) -> Comparison:
    """The comparison on a table: as many steps as before, batches no larger than the table, a bias where both take one."""
    bias = bias and all(WIRINGS[side.wiring].takes_bias for side in (comparison.original, comparison.fixed))
    return Comparison(*(_moved(side, table, bias) for side in (comparison.original, comparison.fixed)))


def without_table(comparison: Comparison) -> Comparison:
    """The comparison on the synthetic data of the defaults, without a bias, for as many steps as before."""
    data = DEFAULTS[VERSION].original.data
    return Comparison(*(_moved(side, data, bias=False) for side in (comparison.original, comparison.fixed)))


def _moved(side: Settings, data: Data, bias: bool) -> Settings:
    size = min(side.batch_size, data.samples)
    epochs = max(round(side.steps / -(-data.samples // size)), 1)
    init = side.init and side.init[: 2 + bias]
    return replace(side, data=data, bias=bias, batch_size=size, epochs=epochs, init=init)


def with_both(comparison: Comparison, changes: Mapping[str, Any]) -> Comparison:
    """The comparison with changes on both sides, by URL name.

    On the fixed side a setting of its own (where it differs from the original's) stays, but for a momentum that a new
    optimizer does not take. The wiring belongs to one side alone, so here it is the original's.
    """
    own = fixed_changes(comparison)
    if "optimizer" in changes and "momentum" not in changes:
        optimizer = str(changes["optimizer"])
        changes = {**changes, "momentum": fitting_momentum(optimizer, comparison.original.momentum)}
        if "optimizer" not in own and own.get("momentum") and not fitting_momentum(optimizer, own["momentum"]):
            del own["momentum"]
    original = with_changes(comparison.original, changes)
    return Comparison(original, fixed_side(original, own))


def fixed_side(original: Settings, own: Mapping[str, Any]) -> Settings:
    """The original with the fixed side's own settings; a momentum that it inherits is made to fit its optimizer."""
    if "momentum" not in own:
        own = {**own, "momentum": fitting_momentum(own.get("optimizer", original.optimizer), original.momentum)}
    return replace(original, **own)


def fitting_momentum(optimizer: str, momentum: float) -> float:
    """The momentum that an optimizer can go on with: none where it takes none, 0.9 where it needs some and there is none."""
    entry = OPTIMIZERS.get(optimizer)
    if entry is None or entry.takes_momentum:
        return 0.9 if entry and entry.needs_momentum and not momentum else momentum
    return 0.0


def offered(settings: Settings) -> Settings:
    """The settings, if the app lets a visitor run them; a `SettingsError` that says how to get below the limit if not."""
    if settings.steps > LIMITS.steps:
        raise SettingsError(
            f"{settings.steps:,} steps are above the {LIMITS.steps:,} that a run may have here;"
            " use fewer epochs or larger batches",
            "epochs",
            "batch_size",
            "samples",
        )
    if WIRINGS[settings.wiring].pairs and settings.batch_size > LIMITS.paired_rows:
        raise SettingsError(
            f"batch size {settings.batch_size:,} would compare {settings.batch_size**2:,} pairs at every step;"
            f" use up to {LIMITS.paired_rows:,}, or a wiring that matches the shapes",
            "batch_size",
            "wiring",
        )
    return settings


def fitted(settings: Settings) -> Settings:
    """The settings if they are `offered`; else with as many rows, as large batches and as many epochs as are."""
    data, pairs = settings.data, WIRINGS[settings.wiring].pairs
    if isinstance(data, DataSettings):
        data = replace(data, samples=min(data.samples, LIMITS.rows))
    size = min(settings.batch_size, data.samples, LIMITS.paired_rows if pairs else data.samples)
    epochs = max(min(settings.epochs, LIMITS.steps // -(-data.samples // size)), 1)
    return replace(settings, data=data, batch_size=size, epochs=epochs)


def fixed_changes(comparison: Comparison) -> dict[str, Any]:
    """The settings in which the fixed side differs from the original, its wiring always among them."""
    return {
        name: getattr(comparison.fixed, name)
        for name in kinds_of(Settings)
        if name == "wiring" or getattr(comparison.fixed, name) != getattr(comparison.original, name)
    }


def _data_kinds() -> dict[str, Kind]:
    """URL name -> kind of the data's fields. Their seed is `data_seed`, since a run has one of its own."""
    return {("data_seed" if name == "seed" else name): kind for name, kind in kinds_of(DataSettings).items()}


def _data_field(name: str) -> str:
    return "seed" if name == "data_seed" else name


def kinds() -> dict[str, Kind]:
    """Every setting by its URL name: those of the data, then those of the run."""
    return {**_data_kinds(), **kinds_of(Settings)}


# ---- URL -------------------------------------------------------------------------------------------------------------


LABELS = ("Original", "Fixed")  # of the two sides, wherever they are named
TABLE_NAMES = ("table", "target", "feature1", "feature2", "standardise")
Tables = Callable[[str, str, tuple[str, str], bool], TableSettings]
DEFAULTS: dict[int, Comparison] = {VERSION: Comparison()}  # what each version of a link leaves out


def to_query(comparison: Comparison, full: bool = False) -> dict[str, str]:
    """What differs from the defaults, as a URL query, and the version of those defaults; `full` spells every setting out.

    A bare name sets both sides, `fixed.NAME` the fixed side; the wiring is set for each side by itself.
    """
    default = DEFAULTS[VERSION]
    query: dict[str, str] = {}
    data = comparison.original.data
    if isinstance(data, TableSettings):
        query |= dict(zip(TABLE_NAMES, (data.table, data.target, *data.features, written(data.standardise)), strict=True))
    else:
        for name in _data_kinds():
            value = getattr(data, _data_field(name))
            if full or value != getattr(default.original.data, _data_field(name)):
                query[name] = written(value)
    for name in kinds_of(Settings):
        ours, theirs = getattr(comparison.original, name), getattr(comparison.fixed, name)
        if full or ours != getattr(default.original, name):
            query[name] = written(ours)
        if theirs != (default.fixed.wiring if name == "wiring" else ours) or (full and name == "wiring"):
            query[f"fixed.{name}"] = written(theirs)
    return {"v": str(VERSION), **query} if query else {}


def from_query(query: Mapping[str, str], tables: Tables | None = None) -> tuple[Comparison, list[str]]:
    """The comparison that a URL query asks for, and what of it was ignored and why, a sentence each.

    Total: whatever the query holds, the result is a valid comparison within what the app offers. `tables` finds the table
    that a query names by its key, target, two features and whether to standardise, or raises a `ValueError` that says why
    not; without it tables are ignored.
    """
    ignored: list[str] = []
    default = DEFAULTS[VERSION]
    named = {name: str(query[name]) for name in TABLE_NAMES if name in query}
    query = {name: text for name, text in query.items() if name not in TABLE_NAMES}
    both: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, text in ((str(name), str(text)) for name, text in query.items()):
        bare = name.removeprefix("fixed.")
        kinds = kinds_of(Settings) if name != bare else kinds_of(Settings) | _data_kinds()
        if name == "v":
            if text in map(str, DEFAULTS):
                default = DEFAULTS[int(text)]
            else:
                ignored.append(f"The link's version {clipped(text)} is unknown; it was read as version {VERSION}.")
        elif bare not in kinds:
            ignored.append(f"{clipped(name)} was ignored: there is no such setting.")
        else:
            try:
                (both if name == bare else own)[bare] = read(text, kinds[bare])
            except ValueError as error:
                ignored.append(f"{clipped(name)}={clipped(text)} was ignored: it {error}.")
    start = default.original
    if named:
        try:
            table = _named_table(named, tables)
            start = replace(start, data=table, batch_size=min(start.batch_size, table.samples))
        except ValueError as error:
            ignored.append(f"table={clipped(named.get('table', ''))} was ignored, and what was set for it: {error}.")
            both, own = {}, {}
    meant, start = start, fitted(start)
    less = [start.data.samples < meant.data.samples, start.batch_size < meant.batch_size, start.epochs < meant.epochs]
    left = [name for name, smaller in zip(("samples", "batch_size", "epochs"), less, strict=True) if smaller]
    if (both or own or named) and set(left) - set(both):
        ignored.append("What the link leaves at its default is beyond the limits of this server, and smaller here.")
    original = _built(lambda changes: with_changes(start, changes), both, ignored)
    wiring = {"wiring": default.fixed.wiring}
    fixed = _built(lambda changes: fixed_side(original, {**wiring, **changes}), own, ignored, "fixed.")
    return Comparison(original, fixed), ignored


def _named_table(named: Mapping[str, str], tables: Tables | None) -> TableSettings:
    """The table that the names ask for; a `ValueError` that says why there is none."""
    missing = [name for name in TABLE_NAMES[:-1] if not named.get(name)]
    if missing:
        raise ValueError(f"the link does not say its {missing[0]}")
    if tables is None:
        raise ValueError("no tables can be read here")
    table, target, first, second = (named[name] for name in TABLE_NAMES[:-1])
    standardise = named.get("standardise", "0")
    if standardise not in ("0", "1"):
        raise ValueError(f"standardise={clipped(standardise)} is neither 0 nor 1")
    return tables(table, target, (first, second), standardise == "1")


def _built(
    make: Callable[[dict[str, Any]], Settings], changes: dict[str, Any], ignored: list[str], prefix: str = ""
) -> Settings:
    """What `make` makes of as many of the changes as fit together; the others go to `ignored`."""
    try:
        return offered(make(changes))
    except SettingsError as error:
        name = next(name for name in error.fields if name in changes)
        ignored.append(f"{prefix}{name}={clipped(changes[name])} was ignored: {error}.")
        return _built(make, {key: value for key, value in changes.items() if key != name}, ignored, prefix)
