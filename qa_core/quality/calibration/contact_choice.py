"""Choice of evaluators and contacts for a calibration session."""

import random
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.compliance.conditions import accreditations
from qa_core.compliance.recordings import law
from qa_core.metrics.law import listening_rights
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.listening import Draw, DrawnContact, ListeningPlan

PURPOSE = "quality"
"""Purpose of listening: calibration judges the scorecard, not an advisor."""
MAX_CANDIDATES = 500


@dataclass(frozen=True)
class Evaluator:
    """Possible participant; `is_accredited` today for the quality of service."""

    username: str
    name: str
    is_accredited: bool


@dataclass(frozen=True)
class ContactChoice:
    """Contact already evaluated under a listening plan."""

    source_system: str
    contact_id: str
    local_start: datetime
    plan_id: int
    plan: str

    @property
    def key(self) -> tuple[str, str]:
        return self.source_system, self.contact_id


def find_evaluators(viewer: Viewer) -> list[Evaluator]:
    """Return the evaluators with an active account, by name."""
    viewer.require(Permission.MANAGE_CALIBRATIONS)
    with store.reading() as session:
        return [
            Evaluator(
                person.username,
                person.name,
                accreditations.is_accredited(session, person.username, PURPOSE),
            )
            for person in people.find_people(session).values()
            if person.role == Role.EVALUATOR and person.is_active
        ]


def find_candidates(viewer: Viewer) -> list[ContactChoice]:
    """Return the contacts in scope evaluated under plans that may still be listened to, newest
    first.
    """
    viewer.require(Permission.MANAGE_CALIBRATIONS)
    statement = (
        sa.select(
            DrawnContact.source_system,
            DrawnContact.contact_id,
            DrawnContact.local_start,
            ListeningPlan.id,
            ListeningPlan.name,
        )
        .join(Draw, Draw.id == DrawnContact.draw_id)
        .join(ListeningPlan, ListeningPlan.id == Draw.plan_id)
        .where(DrawnContact.state == "done")
        .order_by(DrawnContact.local_start.desc(), DrawnContact.id)
        .limit(MAX_CANDIDATES)
    )
    with store.reading() as session:
        candidates = [
            ContactChoice(*row) for row in session.execute(Scoped(statement, viewer)).all()
        ]
        legal = law.load(session)
    found = {candidate.key: candidate for candidate in reversed(candidates)}
    allowed = listening_rights.find_listenable(viewer, list(found), legal)
    return [found[contact.key] for contact in reversed(allowed)]


def draw_candidates(
    viewer: Viewer, n: int, seed: int, plan_id: int | None = None
) -> list[ContactChoice]:
    """Draw `n` candidates at random, of one plan if named."""
    candidates = [
        candidate for candidate in find_candidates(viewer) if plan_id in (None, candidate.plan_id)
    ]
    candidates.sort(key=lambda candidate: (candidate.local_start, candidate.key))
    return random.Random(seed).sample(candidates, min(n, len(candidates)))


def find_by_numbers(viewer: Viewer, text: str) -> list[tuple[str, str]]:
    """Return the keys of contacts by number, one a line. Refuse unlistenable, ambiguous ones."""
    viewer.require(Permission.MANAGE_CALIBRATIONS)
    numbers = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    keys: dict[str, list[tuple[str, str]]] = {number: [] for number in numbers}
    with store.reading() as session:
        legal = law.load(session)
    for contact in listening_rights.find_by_number(viewer, numbers, legal):
        keys[contact.contact_id].append(contact.key)
    if missing := [number for number in numbers if len(keys[number]) != 1]:
        message = N_(
            "These numbers match no contact that may be listened to, or several: {numbers}. "
            "Remove them, or choose from the list."
        )
        raise Refusal("not_listenable", message, numbers=", ".join(missing))
    return [keys[number][0] for number in numbers]
