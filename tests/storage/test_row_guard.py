"""The row guard: a statement sees the rows of its viewer alone, even where it forgets to
ask for them.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa
from builders.centres import (
    add_people,
    contact,
    evaluation,
    interval,
    land,
    land_intervals,
    land_spend,
)

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.metrics.kpi import evaluation_table
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.facts.schema import ANSWERS, CONTACTS, EVERY_CONTACT, INTERVALS, SPEND
from qa_core.storage.records import store

NORD = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
EVERYTHING = sa.select(CONTACTS.c.contact_id).order_by(CONTACTS.c.contact_id)


def ids(viewer: Viewer) -> list[str]:
    """The contacts that a statement without any condition finds."""
    return engine.current().run(Scoped(EVERYTHING, viewer))["contact_id"].tolist()


@pytest.fixture
def two_teams(centre: Path) -> Path:
    """Four contacts: n1 and n2 of Nord, on 4 and 5 May, by a1 and a2; s1 of Sud by a3; and
    nobody's.
    """
    land(
        [
            contact("2026-05-04 09:30", "n1", team="Nord", advisor_id="a1"),
            contact("2026-05-05 00:00", "n2", team="Nord", advisor_id="a2"),
            contact("2026-05-04 11:00", "s1", team="Sud", advisor_id="a3"),
            contact("2026-05-04 12:00", "nobody's", outcome="abandoned"),
        ]
    )
    return centre


@pytest.mark.parametrize(
    ("viewer", "seen"),
    [
        (Viewer.SYSTEM, ["n1", "n2", "nobody's", "s1"]),
        (Viewer("rex", Role.EXECUTIVE), ["n1", "n2", "nobody's", "s1"]),
        (NORD, ["n1", "n2"]),
        (
            Viewer("max", Role.MANAGER, managed_teams=("Nord",), sees_unassigned=True),
            ["n1", "n2", "nobody's"],
        ),
        (Viewer("max", Role.MANAGER), []),
        (Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),)), ["n1", "n2"]),
        (Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord", date(2026, 5, 5)),)), ["n2"]),
        (
            Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord", None, date(2026, 5, 5)),)),
            ["n1"],
        ),
        (Viewer("lea", Role.TEAM_LEAD), []),
        (Viewer("ann", Role.ADVISOR, advisor_id="a1"), ["n1"]),
        (Viewer("ann", Role.ADVISOR), []),
        (Viewer("eve", Role.EVALUATOR), []),
        (Viewer("dan", Role.DPO), []),
        (Viewer("ada", Role.ADMIN), []),
        (Viewer("who", None), []),
    ],
    ids=str,
)
def test_a_statement_that_asks_for_everything_finds_the_viewers_contacts(
    two_teams: Path, viewer: Viewer, seen: list[str]
) -> None:
    assert ids(viewer) == seen


@pytest.mark.parametrize(
    "name",
    ["O'Brien", "100 % Nord", r"back\slash", r"\' OR true --", "$1", ":name", '"Nord"', "Évry ☎"],
)
def test_a_name_is_only_ever_a_name(centre: Path, name: str) -> None:
    land(
        [
            contact("2026-05-04 09:00", "theirs", team=name, advisor_id=name),
            contact("2026-05-04 09:00", "foreign", team="Sud", advisor_id="a3"),
        ]
    )

    assert ids(Viewer("max", Role.MANAGER, managed_teams=(name,))) == ["theirs"]
    assert ids(Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan(name, date(2026, 5, 1)),))) == [
        "theirs"
    ]
    assert ids(Viewer("ann", Role.ADVISOR, advisor_id=name)) == ["theirs"]


def test_evaluations_beside_the_lake_are_the_viewers_too(centre: Path) -> None:
    add_people({"a1": "Ann", "a3": "Zoé"})
    ours = contact("2026-05-04 09:00", "n1", team="Nord", advisor_id="a1")
    theirs = contact("2026-05-04 09:00", "s1", team="Sud", advisor_id="a3")
    with store.writing() as session:
        session.add_all(
            [evaluation(ours, 80.0, evaluator="eve"), evaluation(theirs, 60.0, evaluator="bo")]
        )
    with store.reading() as session:
        beside = {"answers": evaluation_table.load(session)}

    def seen(viewer: Viewer) -> list[str]:
        statement = sa.select(ANSWERS.c.contact_id)
        return engine.current().run(Scoped(statement, viewer), beside)["contact_id"].tolist()

    assert seen(NORD) == ["n1"]
    assert seen(Viewer("bo", Role.EVALUATOR)) == ["s1"]
    assert seen(Viewer("ann", Role.ADVISOR, advisor_id="a1")) == ["n1"]
    assert seen(Viewer("dan", Role.DPO)) == []


def test_totals_are_those_of_the_viewers_teams_and_no_advisors(centre: Path) -> None:
    land_intervals(
        [
            interval("2026-05-04", team="Nord", received=10),
            interval("2026-05-04", team="Sud", received=5),
        ]
    )
    statement = sa.select(sa.func.coalesce(sa.func.sum(INTERVALS.c.received), 0).label("n"))

    assert engine.current().run(Scoped(statement, NORD))["n"].tolist() == [10]
    ann = Viewer("ann", Role.ADVISOR, advisor_id="a1")
    assert engine.current().run(Scoped(statement, ann))["n"].tolist() == [0]


def test_spend_belongs_to_no_team_and_is_narrowed_by_what_asks_for_it(centre: Path) -> None:
    land_spend([("2026-05-04", "google", "spring", 12.5, "EUR")])

    frame = engine.current().run(Scoped(sa.select(SPEND.c.amount), NORD))

    assert frame["amount"].tolist() == [12.5]


def test_contacts_beyond_the_scope_are_in_reach_of_who_says_why_alone(two_teams: Path) -> None:
    statement = sa.select(EVERY_CONTACT.c.contact_id, EVERY_CONTACT.c.is_own)
    statement = statement.order_by(EVERY_CONTACT.c.contact_id)

    frame = engine.current().run(Scoped(statement, NORD, beyond="a test looks around"))

    assert frame.values.tolist() == [
        ["n1", True],
        ["n2", True],
        ["nobody's", False],
        ["s1", False],
    ]
    for query in (Scoped(statement, NORD), Unscoped(statement, "a test reads all rows")):
        with pytest.raises(duckdb.CatalogException):
            engine.current().run(query)


def test_looking_beyond_the_scope_leaves_the_contacts_themselves_within_it(
    two_teams: Path,
) -> None:
    pairs = sa.select(CONTACTS.c.contact_id, EVERY_CONTACT.c.contact_id.label("other"))
    statement = pairs.join_from(CONTACTS, EVERY_CONTACT, sa.true())

    frame = engine.current().run(Scoped(statement, NORD, beyond="a test looks around"))

    assert sorted(set(frame["contact_id"])) == ["n1", "n2"]
    assert sorted(set(frame["other"])) == ["n1", "n2", "nobody's", "s1"]


def test_without_a_scope_and_with_a_reason_a_statement_reads_every_row(two_teams: Path) -> None:
    frame = engine.current().run(Unscoped(EVERYTHING, "a test reads all rows"))

    assert frame["contact_id"].tolist() == ["n1", "n2", "nobody's", "s1"]


def test_a_bare_statement_is_not_run(two_teams: Path) -> None:
    with pytest.raises(TypeError):
        engine.current().run(EVERYTHING)


def test_a_table_given_beside_the_lake_is_narrowed_where_it_has_a_team_and_a_clock(
    centre: Path,
) -> None:
    start = contact("2026-05-04 09:00")["local_start"]
    rows = pa.table({"n": [1, 2], "team": ["Nord", "Sud"], "local_start": [start, start]})
    numbers = sa.table("numbers", sa.column("n", sa.Integer))

    def ask(beside: pa.Table) -> list[int]:
        query = Scoped(sa.select(numbers.c.n), NORD)
        return engine.current().run(query, {"numbers": beside})["n"].tolist()

    assert ask(rows) == [1]
    assert ask(rows.select(["n"])) == [1, 2]
