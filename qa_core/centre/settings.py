"""Settings that change a number or a rule, declared once: default, limits, meaning, and
the dated values people chose.

A value holds from its day until the day of the next one. Where a period spans a change,
each contact is judged by the value in force on its own day, in the centre's time:
cutting the period at the change leaves every verdict as it is. A ratio divides the sums
of both rules. `provisional_spend_days` alone concerns the period as a whole: the value
of its last day holds. `query.find_changes` lists where a chart starts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Misuse, require_known
from qa_core.base.i18n import N_
from qa_core.storage import audit_log
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import CENTRE_RULES
from qa_core.storage.records.settings import SettingValue

SERVICE_LEVEL_FORMULAS = (
    "short_abandons_excluded", "early_abandons_credited", "abandons_ignored",
    "abandons_penalised", "late_abandons_penalised", "short_abandons_credited",
)  # fmt: skip
SECOND_FACTORS = ("nobody", "deciding", "everybody")


@dataclass(frozen=True)
class Setting:
    """Declaration of a setting: `kind` is `number`, `whole`, `choice` or `text`; numbers
    lie between `low` and `high`, inclusive; a text has `high` characters at most.
    """

    name: str
    title: str
    meaning: str
    default: float | int | str | None
    kind: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    is_optional: bool = False
    """Whether it may have no value: None, written as nothing."""
    needs: Permission = Permission.MANAGE_SETTINGS
    also: Permission | None = None
    """Another permission that opens it too."""
    offered_values: tuple[float | int | str, ...] = ()
    """Values that pages set side by side: the only ones open to viewers of large groups alone."""

    def parse(self, text: str) -> float | int | str | None:
        """Parse a value as a person writes it. Raises Misuse, naming what would be accepted."""
        text = " ".join(str(text).split())
        if self.is_optional and not text:
            return None
        if self.kind == "choice":
            if text in self.choices:
                return text
            raise Misuse(
                "bad_setting",
                "{name} must be one of: {choices}.",
                name=self.name,
                choices=", ".join(self.choices),
            )
        if self.kind == "text":
            if len(text) > self.high:
                raise Misuse(
                    "bad_setting",
                    "{name} may have at most {high} characters.",
                    name=self.name,
                    high=self.high,
                )
            return text
        try:
            value = int(text) if self.kind == "whole" else float(text.replace(",", "."))
        except ValueError:
            value = None
        if value is None or not self.low <= value <= self.high:
            raise Misuse(
                "bad_setting",
                "{name} must be a number from {low} to {high}.",
                name=self.name,
                low=self.low,
                high=self.high,
            )
        return value


def _number(default: float | None, low: float, high: float) -> tuple[Any, ...]:
    return default, "number", low, high


def _whole(default: int, low: int, high: int) -> tuple[Any, ...]:
    return default, "whole", low, high


ALL: tuple[Setting, ...] = (
    Setting(
        "service_level_seconds",
        N_("Service level threshold"),
        N_("A contact answered within this many seconds meets the service level."),
        *_number(20, 0, 3600),
    ),
    Setting(
        "service_level_formula",
        N_("Service level formula"),
        N_("How abandoned contacts count in the service level. The page shows all six formulas."),
        SERVICE_LEVEL_FORMULAS[0],
        "choice",
        choices=SERVICE_LEVEL_FORMULAS,
        offered_values=SERVICE_LEVEL_FORMULAS,
    ),
    Setting(
        "short_abandon_seconds",
        N_("Short abandon"),
        N_("Hanging up within this many seconds is not counted as an abandoned contact."),
        *_number(5, 0, 600),
    ),
    Setting(
        "first_contact_days",
        N_("Repeat window"),
        N_(
            "If the same customer contacts you again within this many days, the first contact "
            "counts as unresolved."
        ),
        *_number(7, 1, 30),
        offered_values=(1, 3, 5, 7, 10, 14, 21, 30),
    ),
    Setting(
        "cost_per_hour",
        N_("Cost of an hour"),
        N_(
            "Cost of an advisor's hour, in the currency of the spend. Empty: repeat contacts are "
            "counted in hours only."
        ),
        *_number(None, 0, 10000),
        is_optional=True,
    ),
    Setting(
        "recovery_hours",
        N_("Recovery window"),
        N_("A missed caller reached within this many hours counts as recovered."),
        *_number(24, 1, 744),
    ),
    Setting(
        "tracking_tolerance_seconds",
        N_("Call-tracking tolerance"),
        N_(
            "A call-tracking row without an id joins a call on its number that starts within this "
            "many seconds."
        ),
        *_number(120, 0, 3600),
    ),
    Setting(
        "shared_number_contacts_a_day",
        N_("Shared number"),
        N_(
            "A number with more contacts a day than this counts as shared and identifies no "
            "customer."
        ),
        *_whole(20, 2, 10000),
    ),
    Setting(
        "provisional_spend_days",
        N_("Provisional spend"),
        N_(
            "Spend may still arrive for this many days. Costs of periods that include these days "
            "are provisional."
        ),
        *_whole(3, 0, 60),
    ),
    Setting(
        "edition_days",
        N_("Days until a month is published"),
        N_(
            "A month is published to executives this many days after its end, and after the last "
            "import that touched it. Longer where a first-contact window is still open."
        ),
        *_whole(8, 1, 90),
    ),
    Setting(
        "max_rejected_percent",
        N_("Rejected rows of a file"),
        N_("A file is refused when more than this percentage of its rows is rejected."),
        *_number(20, 0, 100),
    ),
    Setting(
        "one_time_password_days",
        N_("One-time passwords"),
        N_("A one-time password expires if it is not used within this many days."),
        *_whole(7, 1, 90),
    ),
    Setting(
        "second_factor",
        N_("Second factor"),
        N_(
            "Who also needs a code from an app: nobody (optional for all), deciding roles, or "
            "everybody. Deciding roles are data protection officers, managers, administrators and "
            "executives."
        ),
        "nobody",
        "choice",
        choices=SECOND_FACTORS,
    ),
    Setting(
        "listening_ceiling",
        N_("Listened to per advisor and month"),
        N_(
            "Contacts of one advisor that may be listened to per month. Draws, picks, playbacks, "
            "calibrations and imported evaluations count."
        ),
        *_whole(10, 1, 40),
        needs=Permission.MANAGE_COMPLIANCE,
    ),
    Setting(
        "accreditation_months",
        N_("Longest accreditation (months)"),
        N_("How long an accreditation to listen is valid at most. After that, it must be renewed."),
        *_whole(12, 1, 12),
        needs=Permission.MANAGE_COMPLIANCE,
    ),
    Setting(
        "contact_retention_months",
        N_("Contacts identified for (months)"),
        N_(
            "How long a contact stays linked to its customer and advisor. The contact, its team "
            "and its figures remain."
        ),
        *_whole(13, 1, 13),
        needs=Permission.MANAGE_COMPLIANCE,
    ),
    Setting(
        "survey_comment_retention_months",
        N_("Survey comments kept for (months)"),
        N_("How long survey comments are kept. Ratings stay."),
        *_whole(12, 1, 12),
        needs=Permission.MANAGE_COMPLIANCE,
    ),
    Setting(
        "journal_retention_months",
        N_("Audit log kept for (months)"),
        N_("How long the journal is kept: six to twelve months (CNIL, délibération 2021-122)."),
        *_whole(12, 6, 12),
        needs=Permission.MANAGE_COMPLIANCE,
    ),
    Setting(
        "working_file_retention_days",
        N_("Working files kept for (days)"),
        N_(
            "Retention of rejected rows, rows waiting for their contact, delivered files and "
            "temporary files."
        ),
        *_whole(30, 1, 30),
        needs=Permission.MANAGE_COMPLIANCE,
    ),
    *(
        Setting(
            name,
            title,
            meaning,
            None,
            "text",
            0,
            200,
            is_optional=True,
            needs=Permission.MANAGE_COMPLIANCE,
            # The first thing an administrator says of a new centre.
            also=Permission.MANAGE_SETTINGS if name == "organisation_name" else None,
        )
        for name, title, meaning in (
            (
                "organisation_name",
                N_("Name of the organisation"),
                N_("The controller's name in the register, the notices and the spoken message."),
            ),
            (
                "organisation_contact",
                N_("Address of the organisation"),
                N_("How to reach the organisation: address, e-mail or telephone."),
            ),
            (
                "dpo_contact",
                N_("Contact of the data protection officer"),
                N_(
                    "Where callers and advisors write to exercise their rights: name, "
                    "e-mail or address."
                ),
            ),
            (
                "processors",
                N_("Processors"),
                N_(
                    "Companies that handle data for the centre (host, telephony), with their "
                    "country. “none” if there are none."
                ),
            ),
            (
                "refusal_key",
                N_("Key to refuse"),
                N_(
                    "Key that callers press to refuse recording. Empty: they say so to the advisor."
                ),
            ),
        )
    ),
    Setting(
        "backup_retention_months",
        N_("Backups kept for (months)"),
        N_(
            "How long backups are kept at most. Until then Écoute remembers who was erased, so no "
            "backup restores them. Older backups cannot be restored."
        ),
        *_whole(13, 1, 36),
        needs=Permission.MANAGE_COMPLIANCE,
    ),
)
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in ALL}


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
    message = N_("There is no setting {name}. Known: {known}.")
    require_known(name, sorted(BY_NAME), "unknown_setting", message)
    return BY_NAME[name]


def find_settings_history(session: Session) -> tuple[tuple[date | None, Settings], ...]:
    """Find the dated history as (first day, settings from then on), oldest first; the
    first entry's day is None.
    """
    return store.remember(session, "settings", _read_settings_history)


def _read_settings_history(session: Session) -> tuple[tuple[date | None, Settings], ...]:
    rows = session.execute(sa.select(SettingValue).order_by(SettingValue.id)).scalars().all()
    rows = [row for row in rows if row.name in BY_NAME]
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
    reason = f"from {valid_from}" if valid_from else ""
    audit_log.record(session, viewer.username, "setting_changed", f"{name}={value}", reason)
