"""Options of an import: whatever a file may leave open, a person can set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from qa_core.base.errors import Misuse, require_known
from qa_core.base.i18n import N_

KINDS = ("contacts", "tracking", "surveys", "spend", "intervals", "advisors", "evaluations")
"""Kinds of files of rows, as the command line names them."""

ALL_KINDS = (*KINDS, "recordings")
"""All that can be imported. No page or watched folder takes recordings, beside a manifest."""

DATE_ORDERS = ("dmy", "mdy", "ymd")
DECIMALS = (",", ".")
UNITS = ("s", "ms", "min", "day")
IGNORE = "ignore"
"""In the place of a field: the column is left aside."""


def require_kind(kind: str) -> None:
    """Raise Misuse for a kind of file that cannot be imported."""
    message = N_("{name} cannot be imported. Possible: {known}.")
    require_known(kind, ALL_KINDS, "unknown_kind", message)


@dataclass(frozen=True)
class ImportOptions:
    """The options of an import (CONTRACT.md section 3); None or empty: left to the
    file.

    `columns` maps fields to columns of the file (`ignore` in the place of a field, as
    often as wanted: a column left aside, kept in `ignored`), `units` fields to one of
    `UNITS`, `scales` fields to "least-greatest", `words` "COLUMN:VALUE" to what that
    value means, `only` fields to the one value that all rows of the file have; pairs
    will do as well. `yes` accepts what the import would ask about. Raises Misuse when a
    value could not be meant.
    """

    system: str | None = None
    profile: str | None = None
    save_mapping: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    timezone: str | None = None
    date_order: str | None = None
    start_date: date | None = None
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    scales: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)
    yes: bool = False
    purpose: str | None = None
    pattern: str | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        pairs = list(self.columns.items() if isinstance(self.columns, Mapping) else self.columns)
        ignored_columns = (*self.ignored, *(column for name, column in pairs if name == IGNORE))
        object.__setattr__(self, "ignored", tuple(dict.fromkeys(ignored_columns)))
        object.__setattr__(
            self, "columns", {name: column for name, column in pairs if name != IGNORE}
        )
        for name in ("units", "scales", "words", "only"):
            object.__setattr__(self, name, dict(getattr(self, name)))
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise Misuse(
                    "unknown_timezone",
                    "{value} is not an IANA time zone. Write one such as Europe/Paris.",
                    value=self.timezone,
                ) from error
        _require_one_of("--date-order", self.date_order, DATE_ORDERS)
        _require_one_of("--decimal", self.decimal, DECIMALS)
        for text in self.words:
            if ":" not in text:
                raise Misuse("bad_word", "Write {text} as COLUMN:VALUE=MEANING.", text=text)
        for unit in self.units.values():
            _require_one_of("--unit", unit, UNITS)
        for name, scale in self.scales.items():
            if parse_scale(scale) is None:
                raise Misuse(
                    "bad_scale",
                    "Write the scale of {field} as lowest-highest, such as 1-5, not as {value}.",
                    field=name,
                    value=scale,
                )

    def as_reading_options(self) -> dict[str, Any]:
        """Collect the options that change what is read: same digest and options, same import."""
        silent = ("dry_run", "save_mapping", "yes")
        names = [item.name for item in fields(self) if item.name not in silent]
        values = ((name, getattr(self, name)) for name in names)
        return {name: _as_plain(value) for name, value in values if value not in (None, {}, ())}

    def with_defaults(self, mapping: ImportOptions) -> ImportOptions:
        """Complete these options from a saved mapping; those set here win."""
        changes = {}
        for item in fields(self):
            own, other = getattr(self, item.name), getattr(mapping, item.name)
            if isinstance(own, Mapping):
                changes[item.name] = {
                    **{name: value for name, value in other.items() if value not in self.ignored},
                    **own,
                }
            elif isinstance(own, tuple):
                changes[item.name] = (*other, *own)
            elif own in (None, False):
                changes[item.name] = other
        return replace(self, **changes)


def parse_scale(text: str) -> tuple[float, float] | None:
    """Parse a scale written "1-5" into its least and greatest mark, or None."""
    low, dash, high = text.strip().partition("-")
    try:
        scale = float(low.replace(",", ".")), float(high.replace(",", "."))
    except ValueError:
        return None
    return scale if dash and scale[0] < scale[1] else None


def _as_plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, date):
        return value.isoformat()
    return dict(sorted(value.items())) if isinstance(value, Mapping) else value


def _require_one_of(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise Misuse(
            "bad_option",
            "{value} is not a possible value. Use one of: {known}.",
            tuple(f"{option} {choice}" for choice in choices),
            value=value,
            known=", ".join(choices),
        )
