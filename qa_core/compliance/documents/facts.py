"""Facts that the documents state, read from the configuration in force."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.centre.settings import Settings
from qa_core.compliance import accreditations, gates, notices, proportionality, retention
from qa_core.compliance.accreditations import AccreditationEntry
from qa_core.compliance.documents.blocks import mark_blank
from qa_core.metrics import formatting, query
from qa_core.storage.records import store
from qa_core.storage.records.people import Site, Team
from qa_core.storage.records.store import Session

DETAILS = ("organisation_name", "organisation_contact", "dpo_contact", "processors", "refusal_key")
"""Settings that only documents use."""


@dataclass(frozen=True)
class Facts:
    """Configuration today. `gate_values`: open gates; `periods`: months or days by kind of data."""

    settings: Settings
    gate_values: Mapping[str, str]
    periods: Mapping[str, int]
    listeners: tuple[AccreditationEntry, ...]
    advisors: int
    informed_advisors: int
    teams: tuple[str, ...]
    sites: tuple[str, ...]
    database: str

    # Read from the lake only for documents that say them.

    @functools.cached_property
    def channels(self) -> tuple[str, ...]:
        return _find_values("channel")

    @functools.cached_property
    def queues(self) -> tuple[str, ...]:
        return _find_values("queue")

    @functools.cached_property
    def is_beyond_measure(self) -> bool:
        """Tell whether recording or listening stands out today (docs/compliance.md, R2)."""
        return proportionality.is_exceeded(proportionality.find(Viewer.SYSTEM))

    def describe_detail(self, name: str) -> str:
        """Return the value of a setting of `DETAILS`, or a blank."""
        value = getattr(self.settings, name)
        return value or mark_blank(_(settings.BY_NAME[name].title))

    @property
    def purposes(self) -> tuple[str, ...]:
        return tuple(filter(None, self.gate_values.get("purposes", "").split(",")))

    def list_purposes(self) -> str:
        """List the purposes as a sentence does, or a blank."""
        if not self.purposes:
            return _blank_gate("purposes")
        return formatting.listing(_(gates.PURPOSE_TITLES[name]) for name in self.purposes)

    def describe_day(self, gate: str) -> str:
        """Describe the day that a gate holds, or a blank."""
        value = self.gate_values.get(gate)
        if value is None:
            return _blank_gate(gate)
        return formatting.long_day(date.fromisoformat(value))

    def describe_period(self, kind: str) -> str:
        """Describe how long that kind of data is kept, or a blank while its gate is closed."""
        entry = retention.BY_KIND[kind]
        if entry.setting in gates.BY_NAME and entry.setting not in self.gate_values:
            return _blank_gate(entry.setting)
        return entry.describe_period(self.periods[kind])


def read() -> Facts:
    """Read the facts of the whole centre. The caller checks who asks."""
    with store.reading() as session:
        return store.remember(session, "document_facts", _read)


def _read(session: Session) -> Facts:
    listeners = [item for item in accreditations.find_all(Viewer.SYSTEM) if item.holds]
    informed = [notice.informed_on is not None for notice in notices.find_all(Viewer.SYSTEM)]
    gate_values = {
        found.gate.name: found.value
        for found in gates.find_all(Viewer.SYSTEM)
        if found.value is not None
    }
    periods = {
        entry.kind: retention.find_period(session, entry.kind) for entry in retention.CLASSES
    }
    teams, sites = (tuple(sorted(session.scalars(sa.select(table.name)))) for table in (Team, Site))
    return Facts(
        settings.current(session),
        gate_values,
        periods,
        tuple(sorted(listeners, key=lambda item: item.display_name or item.username)),
        len(informed),
        sum(informed),
        teams,
        sites,
        session.get_bind().dialect.name,
    )


def _find_values(dimension: str) -> tuple[str, ...]:
    found = query.find_values(Viewer.SYSTEM, dimension)
    return tuple(sorted(str(value) for value, _count in found if value is not None))


def _blank_gate(name: str) -> str:
    return mark_blank(_(gates.BY_NAME[name].title))
