"""Contacts drawn for an evaluator, and drafts of their evaluations."""

from __future__ import annotations

import tomllib
from datetime import date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from builders import centres, listening_centre
from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.listening import (
    DrawnContact,
    ListeningPlan,
)

SERVICE = environment.PROJECT / "data/scorecards/customer_service.toml"


BEST = {
    "greeting": 2,
    "identification": "na",
    "listening": 3,
    "questions": "na",
    "accuracy": 4,
    "ownership": 3,
    "record": 2,
    "anticipation": 0,
}


BEST |= {"courtesy": 3, "hold": "na", "close": 2}


def draw(
    evaluator: str,
    contact_id: str = "a",
    publish_after_days: int = 0,
    advisor_id: str = "A1",
    purpose: str = "evaluation",
) -> int:
    """A contact drawn for that evaluator, of a plan of its own; returns its id."""
    with store.writing() as session:
        plan = ListeningPlan(
            name=f"{evaluator} {contact_id} {purpose}",
            purpose=purpose,
            starts_on=date(2026, 3, 1),
            ends_on=date(2026, 3, 31),
            grid_key="customer-service",
            per_advisor=1,
            maximum_per_advisor=3,
            created_by="mona",
            publish_after_days=publish_after_days,
        )
        made = listening_centre.build_draw("mona", plan=plan)
        drawn = DrawnContact(
            position=1,
            source_system="generic",
            contact_id=contact_id,
            advisor_id=advisor_id,
            team="North",
            evaluator=evaluator,
        )
        drawn.local_start, drawn.draw = datetime(2026, 3, 2, 9), made
        session.add(drawn)
        session.flush()
        return drawn.id


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def evaluation_of(evaluation_id: int) -> Evaluation:
    with store.reading() as session:
        return session.scalars(
            sa.select(Evaluation)
            .where(Evaluation.id == evaluation_id)
            .options(sa.orm.selectinload(Evaluation.answers))
        ).one()


@pytest.fixture
def room(centre: Path, add_person) -> None:
    """Two contacts of Ana, a published grid, Eve and Max accredited to listen."""
    centres.add_people({"A1": "Ana"}, {"North": None})
    contacts = [
        centres.contact("2026-03-02 09:00", key, advisor_id="A1", team="North", talk_seconds=120.0)
        for key in "ab"
    ]
    centres.land(
        [
            *contacts,
            centres.contact(
                "2026-03-02 10:00", "refused", advisor_id="A1", team="North", customer_objected=True
            ),
        ]
    )
    for username in ("eve", "max"):
        add_person(username, "evaluator")
    listening_centre.open_gates()
    listening_centre.accredit("eve", "max")
    listening_centre.inform("A1")
    with store.writing() as session:
        content = tomllib.loads(SERVICE.read_text(encoding="utf-8"))
        session.add(
            ScorecardVersion(
                key="customer-service",
                title="Customer service",
                content=content,
                published_at=now(),
            )
        )
