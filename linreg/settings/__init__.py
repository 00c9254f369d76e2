"""Settings of runs, comparisons and pages, their limits, and their conversion to and from URLs.

Each field describes itself: values outside `FieldSpec.valid_range` raise a `SettingsError`, and
values outside `FieldSpec.ui_range` are valid, but neither a link nor a control can set them."""

from linreg.settings.changes import (
    all_specs,
    apply_overrides,
    check_limits,
    clamp_to_limits,
    fitting_momentum,
    overrides,
    update_both,
    with_changes,
    with_table,
    without_table,
)
from linreg.settings.fields import (
    POSITIVE,
    FieldSpec,
    Interval,
    SettingsError,
    check_fields,
    format_number,
    from_text,
    setting,
    shorten,
    specs_of,
    to_text,
)
from linreg.settings.model import (
    DEFAULTS,
    LABELS,
    SEED,
    VERSION,
    Comparison,
    Data,
    DataSettings,
    Settings,
    TableSettings,
)
from linreg.settings.query import TABLE_NAMES, Tables, from_query, to_query

# aliases: names of earlier versions
Kind = FieldSpec
plain, clipped, written, read, check, kinds_of = (
    format_number,
    shorten,
    to_text,
    from_text,
    check_fields,
    specs_of,
)
with_both, fixed_side, fixed_changes, kinds = update_both, apply_overrides, overrides, all_specs
offered, fitted = check_limits, clamp_to_limits

__all__ = [
    "DEFAULTS",
    "LABELS",
    "POSITIVE",
    "SEED",
    "TABLE_NAMES",
    "VERSION",
    "Comparison",
    "Data",
    "DataSettings",
    "FieldSpec",
    "Interval",
    "Settings",
    "SettingsError",
    "TableSettings",
    "Tables",
    "all_specs",
    "apply_overrides",
    "check_fields",
    "check_limits",
    "clamp_to_limits",
    "fitting_momentum",
    "format_number",
    "from_query",
    "from_text",
    "overrides",
    "setting",
    "shorten",
    "specs_of",
    "to_query",
    "to_text",
    "update_both",
    "with_changes",
    "with_table",
    "without_table",
]
