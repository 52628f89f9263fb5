"""Facts that the documents state, read from the configuration in force."""

import functools
import itertools
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

import sqlalchemy as sa

from qa_core.access.roles import ROLE_TITLES, Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.centre.settings import Settings
from qa_core.compliance import proportionality, retention
from qa_core.compliance.conditions import accreditations, gates, notices, recording_classes
from qa_core.compliance.conditions.accreditations import AccreditationEntry
from qa_core.compliance.conditions.recording_classes import RecordingClass
from qa_core.compliance.documents import capabilities
from qa_core.compliance.documents.blocks import Blank
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.storage.records import data_map, store
from qa_core.storage.records.deliveries import Webhook
from qa_core.storage.records.people import Site, Team
from qa_core.storage.records.sources import PulledSource
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
    recording_classes: tuple[RecordingClass, ...] = ()
    webhook_host: str | None = None
    pulled_sources: tuple[str, ...] = ()
    """Tools that are read by themselves: platform and host."""

    # Read from the lake only for documents that say them.

    @functools.cached_property
    def channels(self) -> tuple[str, ...]:
        return _find_values("channel")

    @functools.cached_property
    def queues(self) -> tuple[str, ...]:
        return _find_values("queue")

    @functools.cached_property
    def is_beyond_measure(self) -> bool:
        """Return whether recording or listening stands out today (docs/compliance.md, R2)."""
        return proportionality.is_exceeded(proportionality.find(Viewer.SYSTEM))

    @property
    def written_channels(self) -> tuple[str, ...]:
        return tuple(name for name in self.channels if name != "phone")

    @property
    def channels_listed(self) -> str:
        return _list_channels(self.channels)

    @property
    def written_channels_listed(self) -> str:
        return _list_channels(self.written_channels)

    @property
    def purposes(self) -> tuple[str, ...]:
        return tuple(filter(None, self.gate_values.get("purposes", "").split(",")))

    @property
    def purposes_listed(self) -> str:
        """The purposes as a sentence lists them, or a blank."""
        return self.name_purposes(self.purposes) if self.purposes else _leave_gate("purposes")

    @property
    def listener_count(self) -> int:
        return len({item.username for item in self.listeners})

    @property
    def no_listener(self) -> str:
        return Blank(_(gates.LISTENERS_GATE.title))

    @property
    def uninformed_advisors(self) -> int:
        return self.advisors - self.informed_advisors

    @property
    def open_conditions(self) -> list[tuple[str, str]]:
        """Conditions that are not met, each with who has to act."""
        closed = [gate for gate in gates.ALL if gate.name not in self.gate_values]
        closed += [] if self.listeners else [gates.LISTENERS_GATE]
        return [(_(gate.title), _(gate.actor)) for gate in closed]

    def find_persons(self, *kinds: str) -> frozenset[str]:
        """Find whom data of these retention classes is about, by the map of personal data."""
        tables = (*data_map.find_records().values(), *data_map.LAKE.values())
        whose = (table.stored.whose for table in tables if table.stored.kind in kinds)
        return frozenset(itertools.chain.from_iterable(whose))

    @property
    def roles(self) -> list[str]:
        return [self.role(name) for name in Role]

    @property
    def access_matrix(self) -> list[tuple[str, tuple[str, ...]]]:
        return capabilities.list_matrix()

    @property
    def has_deliveries(self) -> bool:
        """Return whether figures may leave by mail and webhook."""
        return gates.OF_DELIVERY.name in self.gate_values

    @property
    def mail_host(self) -> str:
        """The server that sends mails, or a blank."""
        with suppress(Refusal):
            if server := environment.find_mail_server():
                return server.host
        return Blank("QA_SMTP_URL")

    @property
    def sources_listed(self) -> str:
        """Names of the tools that are read by themselves, as the end of a sentence."""
        names = formatting.listing(self.pulled_sources)
        return _(", and read every few minutes from {names}", names=names) if names else ""

    def detail(self, name: str) -> str:
        """Return the value of a setting of `DETAILS`, or a blank."""
        return getattr(self.settings, name) or Blank(_(settings.BY_NAME[name].title))

    def day(self, gate: str) -> date | str:
        """Return the day that a gate holds, or a blank."""
        value = self.gate_values.get(gate)
        return _leave_gate(gate) if value is None else date.fromisoformat(value)

    def period(self, kind: str) -> str:
        """Describe how long that kind of data is kept, or a blank while its gate is closed. Of
        recordings, it names each longer obligation, so that every document does.
        """
        entry = retention.BY_KIND[kind]
        if entry.setting in gates.BY_NAME and entry.setting not in self.gate_values:
            return _leave_gate(entry.setting)
        text = entry.describe_period(self.periods[kind])
        if kind == "recordings" and self.recording_classes:
            return f"{text} ({self.longer_obligations})"
        return text

    @property
    def longer_obligations(self) -> str:
        """The longer periods of recordings, each with its legal basis."""
        return formatting.listing(
            _("{period} under {basis}", period=item.period, basis=item.legal_basis)
            for item in self.recording_classes
        )

    def list_periods(self, kinds: Collection[str] = ()) -> list[tuple[str, str, str, str]]:
        """List each kind of data (default: all) with its period, what happens at its end
        and the source of the rule.
        """
        return [
            (
                _(entry.title),
                entry.describe_period(self.periods[entry.kind]),
                _(entry.end),
                _(entry.source),
            )
            for entry in retention.CLASSES
            if self.periods[entry.kind] and (not kinds or entry.kind in kinds)
        ]

    def name_purposes(self, purposes: Iterable[str]) -> str:
        return formatting.listing(_(gates.PURPOSE_TITLES[name]) for name in purposes)

    def role(self, name: str | None) -> str:
        """Name a role in words; None: a person without an account."""
        return _(ROLE_TITLES[Role(name)]) if name else _("without an account")


def read() -> Facts:
    """Read the facts of the whole centre. The caller checks who asks."""
    with store.reading() as session:
        return store.remember(session, "document_facts", _read)


def _read(session: Session) -> Facts:
    listeners = [item for item in accreditations.find_all(Viewer.SYSTEM) if item.holds]
    informed = [notice.informed_on is not None for notice in notices.find_all(Viewer.SYSTEM)]
    gate_values = {
        state.gate.name: state.value
        for state in gates.find_all(Viewer.SYSTEM)
        if state.value is not None
    }
    periods = {
        entry.kind: retention.find_period(session, entry.kind) for entry in retention.CLASSES
    }
    teams, sites = (tuple(sorted(session.scalars(sa.select(table.name)))) for table in (Team, Site))
    pulled = sa.select(PulledSource.platform, PulledSource.address).distinct()
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
        tuple(recording_classes.find_all(session).values()),
        session.scalar(sa.select(Webhook.host)),
        tuple(sorted(_name_source(*row) for row in session.execute(pulled))),
    )


def _name_source(platform: str, address: str) -> str:
    host = urlsplit(address).hostname
    return f"{platform} ({host})" if host else platform


def _find_values(dimension: str) -> tuple[str, ...]:
    counts = query.find_values(Viewer.SYSTEM, dimension)
    return tuple(sorted(str(value) for value, _count in counts if value is not None))


def _list_channels(channels: Iterable[str]) -> str:
    return formatting.listing(formatting.name("channel", name) for name in channels)


def _leave_gate(name: str) -> str:
    return Blank(_(gates.BY_NAME[name].title))
