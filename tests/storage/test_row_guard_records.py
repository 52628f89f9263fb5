"""The row guard of the records: in the tables of people's data a statement sees the rows of
its viewer alone, and none is read without saying whose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, evaluation
from builders.listening_centre import build_draw
from sqlalchemy.orm import aliased, selectinload

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.records import row_rules, store
from qa_core.storage.records.base import Base, now
from qa_core.storage.records.evaluations import Evaluation, EvaluationAnswer, ScorecardVersion
from qa_core.storage.records.listening import (
    Calibration,
    CalibrationContact,
    CoachingNote,
    CoachingPlan,
    Dispute,
    Draw,
    DrawnContact,
    EvaluationRevision,
    ListeningPlan,
    Playback,
    Recording,
    TimedComment,
)
from qa_core.storage.records.people import Account, Advisor, Team
from qa_core.storage.records.store import Session

NORD = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
NOBODY = Viewer("who", None)
IDS = {
    Evaluation: Evaluation.contact_id,
    DrawnContact: DrawnContact.contact_id,
    CalibrationContact: CalibrationContact.contact_id,
    Recording: Recording.contact_id,
    Playback: Playback.contact_id,
    CoachingPlan: CoachingPlan.goal,
    EvaluationAnswer: EvaluationAnswer.comment,
    EvaluationRevision: EvaluationRevision.reason,
    TimedComment: TimedComment.text,
    Dispute: Dispute.reason,
    CoachingNote: CoachingNote.text,
}
"""What tells the rows of each table apart: `n` is of Nord, by a1, for the evaluator eve;
`s` of Sud, by a2, for bo.
"""


def make_rows(session: Session, name: str, team: str, advisor: str, evaluator: str) -> None:
    """One row of everything, about one contact of 4 May."""
    of = contact("2026-05-04 09:00", name, team=team, advisor_id=advisor)
    place = {"source_system": "generic", "contact_id": name, "advisor_id": advisor}
    made = evaluation(of, 80.0, {("Talk", "greeting"): (4.0, 5.0)}, evaluator=evaluator)
    made.answers[0].comment = name
    plan = ListeningPlan(
        name=name,
        purpose="quality",
        starts_on=date(2026, 5, 1),
        ends_on=date(2026, 5, 31),
        grid_key="service",
        per_advisor=1,
        maximum_per_advisor=3,
        created_by="max",
    )
    draw = build_draw("max")
    start = datetime(2026, 5, 4, 9)
    drawn = DrawnContact(**place, team=team, local_start=start, position=1, evaluator=evaluator)
    grid = ScorecardVersion(key=name, title=name, content={})
    session.add_all([made, plan, grid])
    draw.contacts.append(drawn)
    plan.draws.append(draw)
    session.flush()
    session.add(
        Calibration(
            title=name,
            grid_id=grid.id,
            evaluators=[evaluator],
            opened_by="max",
            contacts=[CalibrationContact(**place, team=team, local_start=start)],
        )
    )
    recording = Recording(
        **place,
        team=team,
        local_day=date(2026, 5, 4),
        purpose="quality",
        digest=name,
        media_type="audio/wav",
        clear_bytes=1,
        seconds=1.0,
        recorded_at=now(),
        delete_after=now(),
    )
    session.add(recording)
    session.flush()
    session.add_all(
        [
            Playback(
                **place,
                recording_id=recording.id,
                username=evaluator,
                purpose="quality",
                reason="a test",
            ),
            CoachingPlan(
                advisor_id=advisor,
                team=team,
                local_day=date(2026, 5, 4),
                goal=name,
                starts_on=date(2026, 5, 4),
                opened_by="lea",
                notes=[CoachingNote(text=name, author="lea")],
            ),
            EvaluationRevision(
                evaluation_id=made.id, version=1, content={}, reason=name, replaced_by=evaluator
            ),
            TimedComment(evaluation_id=made.id, seconds=1.0, text=name, author=evaluator),
            Dispute(evaluation_id=made.id, criterion="greeting", reason=name, raised_by=advisor),
        ]
    )


@pytest.fixture
def session(centre: Path) -> Iterator[Session]:
    """The rows of two teams, and a session that reads them."""
    add_people({"a1": "Ann", "a2": "Bob"}, {"Nord": None, "Sud": None})
    with store.writing() as writing:
        make_rows(writing, "n", "Nord", "a1", "eve")
        make_rows(writing, "s", "Sud", "a2", "bo")
    with store.reading() as reading:
        yield reading


def code_of(module: str) -> Callable[[Callable[[], Any]], Any]:
    """A function that belongs to that module and calls another one."""
    names: dict[str, Any] = {"__name__": module}
    exec("def call(act): return act()", names)
    return names["call"]


from_quality, from_centre = code_of("qa_core.quality.example"), code_of("qa_core.centre.example")


@pytest.mark.parametrize(
    ("viewer", "seen"),
    [
        (Viewer.SYSTEM, {table: ["n", "s"] for table in IDS}),
        (NORD, {table: ["n"] for table in IDS if table is not Playback}),
        (
            Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord", date(2026, 5, 4)),)),
            {table: ["n"] for table in IDS if table is not Playback},
        ),
        (Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord", date(2026, 5, 5)),)), {}),
        (Viewer("ann", Role.ADVISOR, advisor_id="a1"), {table: ["n"] for table in IDS}),
        (
            Viewer("eve", Role.EVALUATOR),
            {
                table: ["n"]
                for table in (
                    Evaluation,
                    EvaluationAnswer,
                    EvaluationRevision,
                    TimedComment,
                    Dispute,
                    DrawnContact,
                )
            },
        ),
        (Viewer("dan", Role.DPO), {}),
        (Viewer("ada", Role.ADMIN), {}),
        (NOBODY, {}),
    ],
    ids=lambda value: value.username if isinstance(value, Viewer) else "",
)
def test_a_statement_finds_the_rows_of_its_viewer_in_every_table(
    session: Session, viewer: Viewer, seen: dict[type[Base], list[str]]
) -> None:
    found = {
        table: sorted(session.scalars(Scoped(sa.select(column), viewer)))
        for table, column in IDS.items()
    }

    assert {table: rows for table, rows in found.items() if rows} == seen


@pytest.mark.parametrize(
    "statement",
    [
        sa.select(Evaluation.contact_id),
        sa.select(Evaluation.__table__.c.contact_id),
        sa.select(aliased(Evaluation).contact_id),
        sa.select(sa.select(Evaluation.contact_id).subquery().c.contact_id),
        sa.select(Draw.id, DrawnContact.contact_id).outerjoin(Draw.contacts),
        sa.select(sa.func.max(Evaluation.contact_id)).where(Evaluation.answers.any()),
        sa.union(sa.select(Evaluation.contact_id), sa.select(Recording.contact_id)),
        sa.select(Team.name, sa.select(sa.func.max(Recording.contact_id)).scalar_subquery()),
        sa.select(Evaluation.contact_id).join(EvaluationAnswer).join(Dispute),
        sa.select(Evaluation.contact_id).union_all(sa.select(sa.literal("n"))),
    ],
    ids=str,
)
def test_no_form_of_a_statement_leads_around_the_scope(
    session: Session, statement: sa.Select
) -> None:
    rows = session.execute(Scoped(statement, NORD)).all()

    assert rows and "s" not in {value for row in rows for value in row}


def test_rows_found_in_scope_bring_what_hangs_on_them(session: Session) -> None:
    statement = sa.select(Evaluation).options(selectinload(Evaluation.answers))

    (found,) = session.scalars(Scoped(statement, NORD)).all()

    assert [answer.comment for answer in found.answers] == ["n"]
    assert [
        drawn.contact_id
        for draw in from_quality(session.scalars(sa.select(Draw).order_by(Draw.id)).all)
        for drawn in draw.contacts
    ] == ["n", "s"]


def test_without_a_scope_and_with_a_reason_every_row_is_read(session: Session) -> None:
    statement = Unscoped(sa.select(Evaluation.contact_id), "a test reads all rows")

    assert sorted(session.scalars(statement)) == ["n", "s"]


@pytest.mark.parametrize(
    "read",
    [
        lambda session: session.scalars(sa.select(Evaluation)).all(),
        lambda session: session.execute(sa.select(Evaluation.__table__)).all(),
        lambda session: session.scalar(sa.select(sa.func.count()).select_from(Recording)),
        lambda session: session.get(DrawnContact, 1),
        lambda session: session.get_one(Advisor, "a1"),
        lambda session: session.execute(sa.text("SELECT contact_id FROM evaluation")).all(),
        lambda session: session.execute(sa.text("SELECT 1 FROM team, evaluation")).all(),
        lambda session: session.connection().execute(sa.select(Playback.contact_id)).all(),
        lambda session: session.connection().exec_driver_sql("SELECT * FROM account").all(),
        lambda session: session.scalars(
            sa.select(Team.name).where(sa.exists().where(Account.username == "ann"))
        ).all(),
        lambda session: session.query(CoachingPlan).all(),
    ],
)
def test_code_above_the_records_cannot_read_people_without_saying_for_whom(
    session: Session, read: Callable[[Session], Any]
) -> None:
    with pytest.raises(TypeError):
        from_quality(lambda: read(session))
    from_centre(lambda: read(session))


@pytest.mark.parametrize(
    "room", ["metrics", "analysis", "compliance", "quality", "ingest", "cli", "ui"]
)
def test_every_room_above_is_held_to_it(session: Session, room: str) -> None:
    with pytest.raises(TypeError):
        code_of(f"qa_core.{room}.example")(
            lambda: session.scalars(sa.select(Advisor.advisor_id)).all()
        )


def test_what_no_scope_divides_is_not_read_for_a_viewer(session: Session) -> None:
    for viewer in (Viewer.SYSTEM, NORD):
        with pytest.raises(TypeError):
            from_quality(lambda viewer=viewer: session.scalars(Scoped(sa.select(Advisor), viewer)))


def test_code_above_writes_and_reads_what_is_nobodys(session: Session) -> None:
    assert from_quality(lambda: sorted(session.scalars(sa.select(Team.name)))) == ["Nord", "Sud"]
    with store.writing() as writing:
        from_quality(lambda: writing.execute(sa.update(Evaluation).values(score=70.0)))
        from_quality(lambda: writing.execute(sa.delete(Dispute)))
    with store.reading() as reading:
        assert reading.scalars(sa.select(Evaluation.score)).all() == [70.0, 70.0]
        assert reading.scalars(sa.select(Dispute)).all() == []


def test_every_table_has_a_rule_or_holds_nobodys_data() -> None:
    named = {
        name
        for name, table in Base.metadata.tables.items()
        if {"advisor_id", "username", "evaluation_id", "team"} & set(table.c.keys())
    }
    # Who may listen, which everybody is asked about; and in whose scope alerts leave.
    not_personal = {"accreditation", "webhook"}

    assert named - row_rules.PERSONAL == not_personal
