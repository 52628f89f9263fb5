"""A demo centre in which whatever belongs to somebody carries a mark that nothing else has:
the name of a team or a person, the id of a contact, one word in every text.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.orm import joinedload
from streamlit.testing.v1 import AppTest

from builders.demo_centre import PLAN
from builders.visitors import PASSWORD
from qa_core.access import accounts
from qa_core.access.roles import Role, Viewer
from qa_core.analysis import annotations, targets
from qa_core.metrics import query
from qa_core.storage import lake
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import SCORED, SELF, Evaluation
from qa_core.storage.records.irritants import Irritant, IrritantTeam
from qa_core.storage.records.listening import (
    CalibrationContact,
    CoachingNote,
    CoachingPlan,
    Dispute,
    Draw,
    DrawnContact,
    Playback,
    TimedComment,
)
from qa_core.storage.records.people import Advisor, Membership, Team

LAST_DAY = PLAN.last_day
SITE = "Lyon"
MANAGER_OF_SITE = "manager-lyon"
"""Manager of one of the two sites; the demo centre's own manages both."""
EVALUATORS = {"evaluator": "Ève Mazerat", "evaluator2": "Claire Vasseron"}
WORD = re.compile(r"Zq[a-z]+\d+x|[A-Z]\d{7}(?!\d)")
"""A mark in a text, or the id of a contact."""
ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


@dataclass(frozen=True)
class Mark:
    """Owners of a mark: one of the teams, of the advisors or of the accounts suffices.
    `people`: who wrote it, or for whom its contact was drawn.
    """

    kind: str
    text: str
    teams: frozenset[str] = frozenset()
    advisors: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()

    def belongs_to(self, viewer: Viewer) -> bool:
        """Return whether it lies in the rows of that role, by the words of docs/access.md."""
        if viewer.role == Role.ADVISOR:
            return viewer.advisor_id in self.advisors
        if viewer.role == Role.EVALUATOR:
            return viewer.username in self.people
        return bool(self.teams & viewer.teams)


@dataclass
class Marks:
    """Every mark of the centre, by its text."""

    by_text: dict[str, Mark] = field(default_factory=dict)

    def add(self, kind: str, text: str, **whose: Any) -> str:
        self.by_text[text] = Mark(kind, text, **whose)
        return text

    def find(self, text: str) -> set[Mark]:
        """Find the marks that occur in a text."""
        found = {word for word in WORD.findall(text) if word in self.by_text}
        found |= {name for name in self._names if name in text}
        return {self.by_text[one] for one in found}

    @functools.cached_property
    def _names(self) -> list[str]:
        return [text for text in self.by_text if not WORD.fullmatch(text)]


def build() -> Marks:
    """Mark the demo centre in `QA_HOME`, with a manager of one site besides; returns its marks."""
    accounts.add(
        Viewer.SYSTEM, MANAGER_OF_SITE, Role.MANAGER, password=PASSWORD, sites=(SITE,), demo=True
    )
    marks = Marks()
    rows = _mark_contacts(marks)
    with store.writing() as session:
        _mark_people(session, marks)
        _add_assignments(session, rows)
        _mark_evaluations(session, marks)
        _mark_coaching(session, marks)
        _mark_irritants(session, marks)
        _mark_playbacks(session, marks)
        assigned = _find_assigned(session)
    for key, people in assigned.items():
        marks.by_text[key] = replace(marks.by_text[key], people=people)
    _mark_places(marks)
    return marks


def _mark_contacts(marks: Marks) -> dict[str, Any]:
    """Mark ids, and what customers wrote."""
    frame = query.find_contacts(Viewer.SYSTEM, limit=100_000)
    with store.reading() as session:
        ids = {row.name: row.advisor_id for row in session.scalars(sa.select(Advisor))}
    changed, rows = [], {}
    for number, row in enumerate(frame.to_dict("records")):
        whose = {
            "teams": frozenset({row["team"]} - {None}),
            "advisors": frozenset({ids.get(row["advisor"])} - {None}),
        }
        marks.add("contact", row["contact_id"], **whose)
        rows[row["contact_id"]] = row | {"advisor_id": ids.get(row["advisor"])}
        if isinstance(row["survey_comment"], str):
            word = marks.add("customer_words", f"Zqcustomer{number}x", **whose)
            changed.append(
                {
                    "source_system": row["source_system"],
                    "contact_id": row["contact_id"],
                    "month": f"{row['local_start']:%Y-%m}",
                    "survey_comment": f"{row['survey_comment']} {word}",
                }
            )
    lake.merge_contacts(pa.Table.from_pylist(changed), ["survey_comment"], "marks", create=False)
    return rows


def _mark_people(session: Any, marks: Marks) -> None:
    memberships = session.execute(sa.select(Membership.advisor_id, Membership.team_name)).all()
    for advisor in session.scalars(sa.select(Advisor)):
        teams = frozenset(team for who, team in memberships if who == advisor.advisor_id)
        whose = {"teams": teams, "advisors": frozenset({advisor.advisor_id})}
        marks.add("advisor", advisor.name, **whose)
        for alias in advisor.aliases:
            if "." in alias.alias:
                marks.add("alias", alias.alias, **whose)


def _add_assignments(session: Any, rows: dict[str, Any]) -> None:
    """Assign contacts of every team to both evaluators."""
    draw = session.scalars(sa.select(Draw).order_by(Draw.id)).first()
    waiting = [row for row in rows.values() if row["advisor_id"] and row["contact_id"][0] == "T"]
    teams = sorted({row["team"] for row in waiting})
    for position, team in enumerate(teams):
        two = [row for row in waiting if row["team"] == team][:2]
        for evaluator, row in zip(("evaluator", "evaluator2"), two, strict=True):
            session.add(
                DrawnContact(
                    draw_id=draw.id,
                    position=100 + position,
                    source_system=row["source_system"],
                    contact_id=row["contact_id"],
                    advisor_id=row["advisor_id"],
                    team=team,
                    local_start=row["local_start"],
                    evaluator=evaluator,
                    due_on=LAST_DAY + timedelta(days=365),
                )
            )
    session.flush()


def _mark_evaluations(session: Any, marks: Marks) -> None:
    """Mark what evaluators wrote, and let an advisor of each team dispute one."""
    disputed: set[str] = set()
    rows = session.scalars(Scoped(sa.select(Evaluation), Viewer.SYSTEM)).all()
    for username, name in EVALUATORS.items():
        given = [row for row in rows if row.evaluator == username]
        marks.add(
            "evaluator",
            name,
            teams=frozenset(row.team for row in given),
            advisors=frozenset(row.advisor_id for row in given),
            people=frozenset(EVALUATORS),  # they meet in calibrations
        )
    for row in rows:
        whose = {
            "teams": frozenset({row.team}),
            "advisors": frozenset({row.advisor_id}),
            "people": frozenset({row.evaluator}),
        }
        is_open = row.state == "published" and row.kind == SCORED
        # A published self-evaluation is open to the advisor and the team lead.
        is_own = row.state == "published" and row.kind == SELF
        kind = "evaluation" if is_open or is_own else "blind"
        row.comment = f"{row.comment or ''} {marks.add(kind, f'Zq{kind}{row.id}x', **whose)}"
        if not is_open:
            continue
        row.answers[0].comment = marks.add("evaluation", f"Zqanswer{row.id}x", **whose)
        row.advisor_comment = marks.add("evaluation", f"Zqreply{row.id}x", **whose)
        if row.team not in disputed:
            disputed.add(row.team)
            session.add_all(
                (
                    Dispute(
                        evaluation_id=row.id,
                        criterion=row.answers[0].criterion,
                        original=row.answers[0].earned,
                        proposed=row.answers[0].possible,
                        reason=marks.add("evaluation", f"Zqdispute{row.id}x", **whose),
                        raised_by=row.advisor_id,
                    ),
                    TimedComment(
                        evaluation_id=row.id,
                        seconds=1.0,
                        text=marks.add("evaluation", f"Zqtimed{row.id}x", **whose),
                        author=row.evaluator,
                    ),
                )
            )


def _mark_coaching(session: Any, marks: Marks) -> None:
    """Coach one advisor of each team."""
    first: dict[str, str] = {}
    for row in session.scalars(sa.select(Membership).where(Membership.ends_on.is_(None))):
        first.setdefault(row.team_name, row.advisor_id)
    for number, (team, advisor) in enumerate(sorted(first.items())):
        whose = {"teams": frozenset({team}), "advisors": frozenset({advisor})}
        day = LAST_DAY - timedelta(days=30)
        plan = CoachingPlan(
            advisor_id=advisor,
            team=team,
            local_day=day,
            goal=marks.add("coaching", f"Zqgoal{number}x", **whose),
            criteria=["record"],
            starts_on=day,
            opened_by="lead",
        )
        text = marks.add("coaching", f"Zqsession{number}x", **whose)
        plan.notes = [CoachingNote(text=text, author="lead")]
        session.add(plan)


def _mark_irritants(session: Any, marks: Marks) -> None:
    """Put an entry for each team on the action list, and one that names them all."""
    teams = session.scalars(sa.select(Team.name).order_by(Team.name)).all()
    session.add(
        Irritant(
            kind="repeats",
            dimension="queue",
            dimension_value="Commercial",
            filters=[["team", list(teams)]],
            opened_by="manager",
            teams=[IrritantTeam(team_name=team) for team in teams],
        )
    )
    for number, team in enumerate(teams):
        session.add(
            Irritant(
                kind="low_ratings",
                dimension="reason",
                dimension_value=f"Reason {number}",
                note=marks.add("action", f"Zqaction{number}x", teams=frozenset({team})),
                opened_by="manager",
                teams=[IrritantTeam(team_name=team)],
            )
        )


def _mark_playbacks(session: Any, marks: Marks) -> None:
    for row in session.scalars(Scoped(sa.select(Playback), Viewer.SYSTEM)):
        whose = frozenset({row.advisor_id})
        row.reason = marks.add("playback", f"Zqheard{row.id}x", advisors=whose)


def _mark_places(marks: Marks) -> None:
    """Note something on each team, and set it a target."""
    members: dict[str, set[str]] = {}
    with store.reading() as session:
        for row in session.scalars(sa.select(Membership).order_by(Membership.team_name)):
            members.setdefault(row.team_name, set()).add(row.advisor_id)
    for number, (team, advisors) in enumerate(members.items()):
        own = frozenset({team})
        marks.add("team", team, teams=own, advisors=frozenset(advisors))
        word = marks.add("note", f"Zqnote{number}x", teams=own)
        annotations.add(Viewer.SYSTEM, word, date(2026, 11, 3), dimension="team", name=team)
        targets.set_target(Viewer.SYSTEM, "answer_rate", "0.9", "team", team)


def _find_assigned(session: Any) -> dict[str, frozenset[str]]:
    """Find who was given each contact, evaluated it, or calibrates with it."""
    found: dict[str, set[str]] = {}
    for table in (DrawnContact, Evaluation):
        statement = sa.select(table.contact_id, table.evaluator).where(table.evaluator.is_not(None))
        for contact_id, username in session.execute(Scoped(statement, Viewer.SYSTEM)):
            found.setdefault(contact_id, set()).add(username)
    contacts = sa.select(CalibrationContact).options(joinedload(CalibrationContact.calibration))
    for row in session.scalars(Scoped(contacts, Viewer.SYSTEM)):
        found.setdefault(row.contact_id, set()).update(row.calibration.evaluators)
    return {key: frozenset(people) for key, people in found.items()}


def read_frames(app: AppTest) -> str:
    """Read everything that a page sent: texts, options of widgets, tables and figures."""
    messages = [node.proto for node in app._tree if getattr(node, "proto", None) is not None]
    sent = b"\n".join(message.SerializeToString() for message in messages)
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), sent.decode("utf-8", errors="replace"))
