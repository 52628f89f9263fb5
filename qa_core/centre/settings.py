"""Settings that change a number or a rule, declared once: default, limits, meaning, and
the dated values people chose.

A value holds from its day until the day of the next one. Where a period spans a change,
each contact is judged by the value in force on its own day, in the centre's time:
cutting the period at the change leaves every verdict as it is. A ratio divides the sums
of both rules. `provisional_spend_days` alone concerns the period as a whole: the value
of its last day holds. `query.find_changes` lists where a chart starts anew.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import build_malformed, require_known, require_length, require_number
from qa_core.storage import audit_log
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import CENTRE_RULES, PURGE
from qa_core.storage.records.settings import SettingValue


@dataclass(frozen=True)
class Setting:
    """Declaration of a setting: `kind` is `number`, `whole`, `choice` or `text`; numbers
    lie between `low` and `high`, inclusive; a text has `high` characters at most.
    """

    name: str
    title: str
    meaning: str
    kind: str
    default: float | int | str | None = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    each: str = ""
    """Pattern of each part of a text, where it has parts separated by semicolons."""
    example: str = ""
    needs: Permission = Permission.MANAGE_SETTINGS
    also: Permission | None = None
    """Another permission that opens it too."""
    offered_values: tuple[float | int | str, ...] = ()
    """Values that pages set side by side: the only ones open to viewers of large groups alone."""

    @property
    def is_optional(self) -> bool:
        """True where it may have no value: None, written as nothing."""
        return self.default is None

    def parse(self, text: str) -> float | int | str | None:
        """Parse a value as a person writes it. Raises Misuse, naming what would be accepted."""
        text = " ".join(str(text).split())
        if self.is_optional and not text:
            return None
        if self.kind == "choice":
            require_known(text, self.choices, "bad_setting")
            return text
        if self.kind == "text":
            require_length(text, 0, self.high, "bad_setting")
            parts = (part.strip() for part in text.split(";"))
            if self.each and not all(re.fullmatch(self.each, part) for part in parts):
                raise build_malformed("bad_setting", self.name, self.example)
            return text
        try:
            value = int(text) if self.kind == "whole" else float(text.replace(",", "."))
        except ValueError:
            value = None
        require_number(self.name, value, self.low, self.high, "bad_setting")
        return value


def _load_settings() -> tuple[Setting, ...]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    types = {"needs": Permission, "also": Permission, "choices": tuple, "offered_values": tuple}
    return tuple(
        Setting(**{name: types.get(name, type(value))(value) for name, value in table.items()})
        for table in tables["setting"]
    )


ALL = _load_settings()
"""Settings as `settings.toml` declares them."""
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in ALL}
SERVICE_LEVEL_FORMULAS = BY_NAME["service_level_formula"].choices


@dataclass(frozen=True)
class Settings:
    """Values in force on one day, read as attributes: `settings.first_contact_days`."""

    values: tuple[tuple[str, Any], ...] = field(
        default=tuple((setting.name, setting.default) for setting in ALL)
    )

    def __getattr__(self, name: str) -> Any:
        for key, value in object.__getattribute__(self, "values"):
            if key == name:
                return value
        raise AttributeError(name)

    def with_values(self, **changes: Any) -> Settings:
        return Settings(tuple((name, changes.get(name, value)) for name, value in self.values))


def get_setting(name: str) -> Setting:
    """Get the declaration of that setting. Raises Misuse for an unknown name."""
    require_known(name, sorted(BY_NAME), "unknown_setting")
    return BY_NAME[name]


def find_settings_history(
    session: Session, until: datetime | None = None
) -> tuple[tuple[date | None, Settings], ...]:
    """Find the dated history as (first day, settings from then on), oldest first; the
    first entry's day is None. `until`: only what was entered up to that moment.
    """
    find = partial(_read_settings_history, until=until)
    return store.remember(session, f"settings {until}", find)


def _read_settings_history(
    session: Session, until: datetime | None
) -> tuple[tuple[date | None, Settings], ...]:
    rows = session.execute(sa.select(SettingValue).order_by(SettingValue.id)).scalars().all()
    rows = [row for row in rows if row.name in BY_NAME and (until is None or row.set_at <= until)]
    days = sorted({row.valid_from for row in rows if row.valid_from is not None})
    pieces = []
    for day in [None, *days]:
        # The entry with the latest first day holds; among equals, the one entered last.
        values: dict[str, Any] = {}
        for row in sorted(rows, key=lambda row: (row.valid_from or date.min, row.id)):
            if row.valid_from is None or (day is not None and row.valid_from <= day):
                values[row.name] = BY_NAME[row.name].parse(row.value)
        pieces.append((day, Settings().with_values(**values)))
    return tuple(pieces)


@dataclass(frozen=True)
class SettingVersion:
    """Chosen value, and the day from which it holds (None: always)."""

    valid_from: date | None
    value: float | int | str | None
    set_by: str
    set_at: datetime


def find_versions(session: Session) -> dict[str, tuple[SettingVersion, ...]]:
    """Find the values chosen for each setting, by first day; settings at their default
    are absent. Of two for one day, the last entered.
    """
    versions: dict[str, dict[date | None, SettingVersion]] = {name: {} for name in BY_NAME}
    for row in session.scalars(
        sa.select(SettingValue).where(SettingValue.name.in_(BY_NAME)).order_by(SettingValue.id)
    ):
        versions[row.name][row.valid_from] = SettingVersion(
            row.valid_from, BY_NAME[row.name].parse(row.value), row.set_by, row.set_at
        )
    return {
        name: tuple(sorted(by_day.values(), key=lambda version: version.valid_from or date.min))
        for name, by_day in versions.items()
    }


def current(session: Session) -> Settings:
    """Find the settings in force today, in the centre's time."""
    today = environment.today()
    return [
        settings
        for first_day, settings in find_settings_history(session)
        if first_day is None or first_day <= today
    ][-1]


def set_value(
    session: Session, viewer: Viewer, name: str, text: str, valid_from: date | None = None
) -> None:
    """Set a value from that day on (None: for all time), and record it in the audit
    log. Raises Misuse for a bad value.
    """
    setting = get_setting(name)
    if setting.also is None or not viewer.can(setting.also):
        viewer.require(setting.needs)
    value = setting.parse(text)
    session.add(
        SettingValue(
            name=name,
            value="" if value is None else str(value),
            valid_from=valid_from,
            set_by=viewer.username,
        )
    )
    if name == "shared_number_contacts_a_day":
        due_work.request(session, CENTRE_RULES)
    if "_retention_" in name:
        due_work.request(session, PURGE)
    reason = f"from {valid_from}" if valid_from else ""
    audit_log.record(session, viewer.username, "setting_changed", f"{name}={value}", reason)
