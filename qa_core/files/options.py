"""Options of an import: whatever a file may leave open, a person can set."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from qa_core.base.arguments import (
    declare_flag,
    declare_option,
    declare_pairs,
    find_declared,
    parse_day,
)
from qa_core.base.errors import build_malformed, build_unlisted, require_known

KINDS = ("contacts", "tracking", "surveys", "spend", "intervals", "advisors", "evaluations")
"""Kinds of files of rows, as the command line names them."""

ALL_KINDS = (*KINDS, "recordings")
"""All that can be imported. No page or watched folder takes recordings, beside a manifest."""

DATE_ORDERS = ("dmy", "mdy", "ymd")
DECIMALS = (",", ".")
UNITS = ("s", "ms", "min", "day")
PURPOSES = ("training", "evaluation", "quality", "proof")
"""Purposes of recordings."""
IGNORE = "ignore"
"""Name instead of a field: the column is left aside."""
EXPECTED = ("received", "answered", "abandoned", "first_day", "last_day")
"""Counts and days that a person may expect of a file."""
_ANSWERS = (
    "columns", "ignored", "timezone", "date_order", "start_date", "decimal", "units", "scales",
    "words", "only",
)  # fmt: skip
"""Options that answer questions about a file."""


def require_kind(kind: str) -> None:
    """Raise Misuse for a kind of file that cannot be imported."""
    require_known(kind, ALL_KINDS, "unknown_kind")


@dataclass(frozen=True)
class ImportOptions:
    """The options of an import (docs/contract.md, section 3); None or empty: left to the
    file.

    `columns` maps fields to columns of the file (`ignore` instead of a field, repeatable:
    a column left aside, kept in `ignored`), `units` fields to one of
    `UNITS`, `scales` fields to "least-greatest", `words` "COLUMN:VALUE" to what that
    value means, `only` fields to the one value that all rows of the file have; pairs
    will do as well. `yes` accepts implausible figures, `confirm` the reading of a layout.
    `is_stated`: a person has said beforehand how such files are read, by an `import.toml` or
    a confirmed layout. Raises Misuse when a value could not be meant.
    """

    system: str | None = declare_option(
        "Name of the tool that the file comes from; first part of a contact's key."
    )
    profile: str | None = declare_option(
        "Read as this profile, platform or saved mapping, and recognise nothing."
    )
    save_mapping: str | None = declare_option("Keep the mapping under this name.", "NAME")
    columns: Mapping[str, str] = declare_pairs(
        "The column of a field; ignore=COLUMN skips a column.", "FIELD=COLUMN", "--map"
    )
    ignored: tuple[str, ...] = ()
    timezone: str | None = declare_option("Time zone of local times in the file.")
    date_order: str | None = declare_option(
        "Order of day, month and year in dates.", choices=DATE_ORDERS
    )
    start_date: date | None = declare_option(
        "The day, where no column has it.", "DATE", parse=parse_day
    )
    sheet: str | None = declare_option("The sheet of a workbook to read.")
    encoding: str | None = declare_option("Encoding of a text file.")
    delimiter: str | None = declare_option("Separator of its columns.")
    decimal: str | None = declare_option("Decimal sign.", choices=DECIMALS)
    units: Mapping[str, str] = declare_pairs(
        "Unit of a duration.", f"FIELD={'|'.join(UNITS)}", "--unit", at_last=True
    )
    scales: Mapping[str, str] = declare_pairs(
        "Scale of a rating, such as 1-5.", "FIELD=MIN-MAX", "--scale", at_last=True
    )
    words: Mapping[str, str] = declare_pairs(
        "What a value means: answered, abandoned, voicemail, inbound, yes, no, 4 …",
        "COLUMN:VALUE=MEANING",
        "--word",
        at_last=True,
    )
    only: Mapping[str, str] = declare_pairs(
        "A value that all rows share, such as outcome=abandoned.", "FIELD=VALUE", "--only"
    )
    expect: Mapping[str, str] = declare_pairs(
        "Refuse the file unless it has this: received, answered, abandoned, first_day, last_day.",
        "NAME=VALUE",
        "--expect",
    )
    confirm: str | None = declare_option("Confirm the reading printed for this layout.", "LAYOUT")
    yes: bool = declare_flag("Accept figures that look implausible.")
    is_stated: bool = False
    purpose: str | None = declare_option(
        "Purposes of recordings, separated by commas, where no column has them.",
        choices=PURPOSES,
        is_list=True,
    )
    pattern: str | None = declare_option(
        "Pattern of file names, for recordings without a manifest, such as "
        "{system}_{date}_{time}_{contact_id}. Default: {contact_id}."
    )
    dry_run: bool = declare_flag("Say what would happen; write nothing at all.")

    @classmethod
    def parse(cls, texts: Mapping[str, Any]) -> ImportOptions:
        """Parse options as the command line has them. Raises Misuse."""
        values = {}
        for item, option in find_declared(cls):
            text = texts[item.name]
            values[item.name] = option.parse(text) if option.parse else text
        return cls(**values)

    def __post_init__(self) -> None:
        pairs = list(self.columns.items() if isinstance(self.columns, Mapping) else self.columns)
        ignored_columns = (*self.ignored, *(column for name, column in pairs if name == IGNORE))
        object.__setattr__(self, "ignored", tuple(dict.fromkeys(ignored_columns)))
        object.__setattr__(
            self, "columns", {name: column for name, column in pairs if name != IGNORE}
        )
        for name in ("units", "scales", "words", "only", "expect"):
            object.__setattr__(self, name, dict(getattr(self, name)))
        for name in self.expect:
            _require_one_of("--expect", name, EXPECTED)
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise build_malformed("unknown_timezone", self.timezone, "Europe/Paris") from error
        if self.encoding is not None:
            try:
                codecs.getincrementaldecoder(self.encoding)
            except LookupError as error:
                raise build_malformed(
                    "unknown_encoding",
                    self.encoding,
                    "utf-8",
                    "--encoding utf-8",
                    "--encoding cp1252",
                ) from error
        for item, option in find_declared(type(self)):
            if option.choices:
                name = "--" + item.name.replace("_", "-")
                value = getattr(self, item.name)
                for part in value.split(",") if value and option.is_list else [value]:
                    _require_one_of(name, part, option.choices)
        for text in self.words:
            if ":" not in text:
                raise build_malformed("bad_word", text, "COLUMN:VALUE=MEANING")
        for unit in self.units.values():
            _require_one_of("--unit", unit, UNITS)
        for name, scale in self.scales.items():
            if parse_scale(scale) is None:
                raise build_malformed("bad_scale", f"{name}={scale}", f"{name}=1-5")

    def as_reading_options(self) -> dict[str, Any]:
        """Collect the options that change what is read: same digest and options, same import."""
        silent = ("dry_run", "save_mapping", "yes", "expect", "confirm", "is_stated")
        names = [item.name for item in fields(self) if item.name not in silent]
        values = ((name, getattr(self, name)) for name in names)
        return {name: _as_plain(value) for name, value in values if value not in (None, {}, ())}

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> ImportOptions:
        """Load options as `as_reading_options` collects them."""
        start = content.get("start_date")
        return cls(**{**content, "start_date": date.fromisoformat(start) if start else None})

    @property
    def has_answers(self) -> bool:
        return any(getattr(self, name) for name in _ANSWERS)

    def without_answers(self) -> ImportOptions:
        nothing = ImportOptions()
        return replace(self, **{name: getattr(nothing, name) for name in _ANSWERS})

    def with_answer(self, text: str) -> ImportOptions:
        """Add an option as the command line has it, such as `--map queue=Skill`."""
        name, _space, value = text.partition(" ")
        for item, option in find_declared(type(self)):
            if name != (option.name or "--" + item.name.replace("_", "-")):
                continue
            if option.is_repeated:
                pairs = [*getattr(self, item.name).items(), *option.parse([value])]
                return replace(self, **{item.name: pairs})
            return replace(
                self, **{item.name: option.parse(value) if option.parse else value or True}
            )
        return self

    def with_defaults(self, mapping: ImportOptions) -> ImportOptions:
        """Complete these options from a saved mapping; those set here win. The day of a file
        without one is that file's alone.
        """
        changes = {}
        for item in fields(self):
            set_here, other = getattr(self, item.name), getattr(mapping, item.name)
            if isinstance(set_here, Mapping):
                changes[item.name] = {
                    **{name: value for name, value in other.items() if value not in self.ignored},
                    **set_here,
                }
            elif isinstance(set_here, tuple):
                changes[item.name] = (*other, *set_here)
            elif set_here in (None, False) and item.name != "start_date":
                changes[item.name] = other
        return replace(self, **changes)


def parse_scale(text: str) -> tuple[float, float] | None:
    """Parse a scale written "1-5" into its least and greatest mark, or None; in "5-1" 1 is the
    best.
    """
    low, dash, high = text.strip().partition("-")
    try:
        scale = float(low.replace(",", ".")), float(high.replace(",", "."))
    except ValueError:
        return None
    return scale if dash and scale[0] != scale[1] else None


def _as_plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, date):
        return value.isoformat()
    return dict(sorted(value.items())) if isinstance(value, Mapping) else value


def _require_one_of(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        options = (f"{option} {choice}" for choice in choices)
        raise build_unlisted("bad_option", value, choices, options)
