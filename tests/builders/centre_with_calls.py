"""A small centre with calls to hear: one of Ann's that is drawn for Eve and was
evaluated once before, one that nobody evaluated, one that was deleted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import datetime, time, timedelta

from builders import centres, listening_centre
from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.compliance import recordings
from qa_core.quality.evaluations import drafts
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.listening import DrawnContact, ListeningPlan, Recording

CALLS = environment.PROJECT / "data" / "demo_calls"
CALL = CALLS / "cancellation.ogg"
SECONDS = 25.3
"""Of that call, to a tenth."""


def build(add_person: Callable[..., str]) -> None:
    """People: ann (advisor A1) and bob (A2), lea who leads Nord, eve who evaluates;
    contacts: heard, unheard and gone of Ann, quiet without audio.
    """
    started = datetime.combine(environment.today() - timedelta(days=3), time(9))
    centres.add_people({"A1": "Ann", "A2": "Bob"}, {"Nord": "Lille"})
    rows = {
        name: centres.contact(
            started + timedelta(hours=hour),
            name,
            advisor_id="A1",
            team="Nord",
            talk_seconds=25.0,
            recorded=name != "quiet",
        )
        for hour, name in enumerate(("heard", "unheard", "gone", "quiet"))
    }
    centres.land([row | {"notice_played": True} for row in rows.values()])
    add_person("ann", "advisor", advisor_id="A1")
    add_person("bob", "advisor", advisor_id="A2")
    add_person("lea", "team_lead", teams=("Nord",))
    add_person("max", "team_lead", teams=("Nord",))
    add_person("eve", "evaluator")
    listening_centre.open_gates()
    listening_centre.accredit("lea", "eve")
    listening_centre.inform("A1", "A2")
    content = tomllib.loads(
        (environment.PROJECT / "data/scorecards/customer_service.toml").read_text(encoding="utf-8")
    )
    # The lock of imports: a server over this centre sweeps away what no row names when
    # it starts.
    with store.one_import_at_a_time(), store.writing() as session:
        session.add(
            ScorecardVersion(
                key="customer-service",
                version=1,
                title=content["title"],
                content=content,
                published_at=now(),
            )
        )
        for name in ("heard", "unheard", "gone"):
            listening_centre.keep_audio(session, name, CALL)
        session.add(centres.evaluation(rows["heard"], 80.0))
        terms = {
            "purpose": "evaluation",
            "grid_key": "customer-service",
            "per_advisor": 1,
            "maximum_per_advisor": 2,
            "evaluators": ["eve"],
        }
        plan = ListeningPlan(
            name="p",
            starts_on=environment.today(),
            ends_on=environment.today(),
            created_by="system",
            **terms,
        )
        draw = listening_centre.build_draw("system", plan=plan)
        draw.contacts = [
            DrawnContact(
                position=1,
                source_system="generic",
                contact_id="heard",
                advisor_id="A1",
                team="Nord",
                local_start=started,
                evaluator="eve",
            )
        ]
        session.add(draw)
        session.flush()
        gone = session.query(Recording).filter_by(contact_id="gone").one()
        recordings.delete(session, gone, "objected", "system")


def viewer_of(username: str) -> Viewer:
    """That person as of now."""
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def start_draft() -> int:
    """Let Eve open the grid of the call that was drawn for her. Returns the
    evaluation's id.
    """
    with store.reading() as session:
        drawn_id = session.query(DrawnContact).one().id
    return drafts.start(viewer_of("eve"), drawn_id)


def submit(evaluation_id: int) -> None:
    """Publish that evaluation as it stands: what its readers may do then is tested, not
    what is in it.
    """
    with store.writing() as session:
        evaluation = session.get(Evaluation, evaluation_id)
        evaluation.state, evaluation.score, evaluation.published_at = "published", 75.0, now()
