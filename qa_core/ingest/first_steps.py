"""First steps of a centre to its first figure, derived from the stores."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.centre import settings
from qa_core.compliance.conditions import gates
from qa_core.storage import lake
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.centre_rules import OpeningHours
from qa_core.storage.records.people import Account, Site, Team

NEEDED_ROLES = (Role.MANAGER, Role.DPO)
"""Roles without which nobody reads a figure, or opens listening."""


class Step(StrEnum):
    """Steps in the order in which each finds what it needs."""

    CENTRE = "centre"
    ADVISORS = "advisors"
    OPENING_HOURS = "opening_hours"
    CONTACTS = "contacts"
    NAMES = "names"
    ACCOUNTS = "accounts"
    LISTENING = "listening"
    FIRST_FIGURE = "first_figure"


@dataclass(frozen=True)
class SetUp:
    """State of the set-up; `sites` and whether each has opening hours."""

    organisation: str | None
    placed_sites: tuple[str, ...]
    """Sites that a team belongs to."""
    sites: Mapping[str, bool]
    contacts: int
    span: tuple[datetime, datetime] | None
    """First and last start of what was imported, in UTC."""
    accounts: Mapping[str, int]
    """Active accounts by role."""
    has_reader: bool
    """True where a manager has signed in and chosen a password."""
    closed_gates: tuple[str, ...]

    def is_done(self, step: Step) -> bool:
        """Return whether a step is done. Names never hold a step open: each import brings some."""
        has_contacts = self.span is not None
        return {
            Step.CENTRE: self.organisation is not None,
            Step.ADVISORS: bool(self.placed_sites),
            Step.OPENING_HOURS: any(self.sites.values()),
            Step.CONTACTS: has_contacts,
            Step.NAMES: has_contacts,
            Step.ACCOUNTS: all(self.accounts.get(role) for role in NEEDED_ROLES),
            Step.LISTENING: not self.closed_gates,
            Step.FIRST_FIGURE: self.has_reader and has_contacts,
        }[step]

    @property
    def next_step(self) -> Step | None:
        """First step that is not done; None where all are."""
        return next((step for step in Step if not self.is_done(step)), None)


def find_set_up(viewer: Viewer) -> SetUp:
    """Find what is set up. Needs MANAGE_SETTINGS."""
    viewer.require(Permission.MANAGE_SETTINGS)
    by_role = Unscoped(
        sa.select(Account.role, Account.must_change_password, sa.func.count())
        .where(Account.active)
        .group_by(Account.role, Account.must_change_password),
        "Accounts are counted by role, so that a new centre knows which are missing.",
    )
    with store.reading() as session:
        placed = sa.select(Team.site_name).where(Team.site_name.is_not(None)).distinct()
        with_hours = set(session.scalars(sa.select(OpeningHours.site_name).distinct()))
        counts: Counter[str] = Counter()
        has_reader = False
        for role, is_new, count in session.execute(by_role):
            counts[role] += count
            has_reader |= role == Role.MANAGER and not is_new
        return SetUp(
            organisation=settings.current(session).organisation_name,
            placed_sites=tuple(session.scalars(placed.order_by(Team.site_name))),
            sites={
                name: name in with_hours
                for name in session.scalars(sa.select(Site.name).order_by(Site.name))
            },
            contacts=lake.snapshot("contacts").rows,
            span=lake.span() or lake.span("intervals"),
            accounts=counts,
            has_reader=has_reader,
            closed_gates=gates.find_missing(session),
        )
