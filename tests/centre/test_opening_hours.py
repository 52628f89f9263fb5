"""Opening hours and public holidays: contacts that nobody answered while their site was
closed count as closed, past ones too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders.import_files import bring, find_contacts, find_facts
from builders.shown_texts import as_read
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, Viewer
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.centre.rules import opening_hours
from qa_core.centre.rules.opening_hours import OpeningSpan
from qa_core.ingest.load import recovery
from qa_core.metrics import query

SYSTEM = Viewer.SYSTEM
TEAMS = """advisor_id,name,team,site
L1,Lea,North,Lyon
S1,Sam,South,Metz
"""
# 2026-03-02 is a Monday, 2026-04-03 Good Friday (a holiday in Alsace-Moselle only),
# 2026-05-01 a holiday everywhere in France.
CALLS = """contact_id,started_at,team,outcome,direction
in hours,2026-03-02 09:00,North,abandoned,inbound
before,2026-03-02 08:59,North,abandoned,inbound
at the end,2026-03-02 18:00,North,unanswered,inbound
answered late,2026-03-02 20:00,North,answered,inbound
outbound late,2026-03-02 20:00,North,unanswered,outbound
voicemail late,2026-03-02 20:00,North,voicemail,inbound
sunday,2026-03-01 10:00,North,abandoned,inbound
good friday,2026-04-03 10:00,North,abandoned,inbound
may day,2026-05-01 10:00,North,abandoned,inbound
no team late,2026-03-02 20:00,,abandoned,inbound
no team,2026-03-02 10:00,,abandoned,inbound
other site late,2026-03-02 20:00,South,abandoned,inbound
"""
WEEK = opening_hours.parse_hours(["mon-fri=09:00-18:00"])
CLOSED = ["at the end", "before", "may day", "no team late", "sunday"]


def set_opening(*args: Any, **options: Any) -> int:
    """Set when a site is open and apply it, as page and command line do. Returns how
    many contacts changed.
    """
    opening_hours.set_opening(SYSTEM, *args, **options)
    return recovery.apply_due_rules()


def find_closed() -> list[str]:
    return [contact for (contact,) in find_contacts(where="outcome = 'closed'")]


@pytest.fixture
def folder(start_from: Callable[..., Any], tmp_path: Path) -> Path:
    start_from(bring_teams, tmp_path)
    return tmp_path


def bring_teams(folder: Path) -> None:
    bring(folder, "advisors", TEAMS)


def test_without_hours_nothing_is_closed(folder: Path) -> None:
    bring(folder, "contacts", CALLS)

    assert find_closed() == []


def test_contacts_outside_hours_are_closed_at_import_and_leave_what_was_received(
    folder: Path,
) -> None:
    set_opening("Lyon", WEEK)

    report = bring(folder, "contacts", CALLS)

    assert find_closed() == CLOSED
    said = "not answered, outside opening hours"
    assert [item.params for item in report.decisions if item.decision == said] == [
        (("distinct", 2), ("seen", 5))
    ]
    assert query.measure(SYSTEM, ("received",))["value"].tolist() == [11 - len(CLOSED)]


def test_past_contacts_follow_when_hours_change_and_read_as_before_without_them(
    folder: Path,
) -> None:
    bring(folder, "contacts", CALLS)
    facts = find_facts()

    assert set_opening("Lyon", WEEK) == 5
    assert find_closed() == CLOSED
    assert (
        set_opening("Lyon", opening_hours.parse_hours(["mon-sun=08:00-24:00"]), calendar="none")
        == 5
    )
    assert find_closed() == []
    assert find_facts() == facts
    set_opening("Lyon", WEEK)
    set_opening("Lyon", ())
    assert find_facts() == facts


def test_the_same_file_again_changes_nothing(folder: Path) -> None:
    set_opening("Lyon", WEEK)
    bring(folder, "contacts", CALLS)

    report = bring(folder, "contacts", CALLS + "\n")

    assert (report.tally.updated, report.tally.unchanged) == (0, 12)


def test_alsace_moselle_keeps_good_friday(folder: Path) -> None:
    bring(folder, "contacts", CALLS)

    set_opening("Lyon", WEEK, calendar="alsace-moselle")

    assert find_closed() == sorted([*CLOSED, "good friday"])
    assert opening_hours.find_holidays("FR", "57", 2026).keys() - opening_hours.find_holidays(
        "FR", None, 2026
    ).keys() == {date(2026, 4, 3), date(2026, 12, 26)}


def test_a_site_may_be_open_on_public_holidays_and_closed_on_days_of_its_own(folder: Path) -> None:
    bring(folder, "contacts", CALLS)

    set_opening("Lyon", WEEK, calendar="none", closed_days=[date(2026, 3, 2)])

    assert find_closed() == [
        "at the end",
        "before",
        "in hours",
        "no team",
        "no team late",
        "sunday",
    ]


def test_hours_hold_from_their_day(folder: Path) -> None:
    bring(folder, "contacts", CALLS)
    set_opening("Lyon", WEEK, calendar="none")

    set_opening(
        "Lyon", opening_hours.parse_hours(["mon-fri=14:00-18:00"]), starts_on=date(2026, 4, 1)
    )

    assert find_closed() == [
        "at the end",
        "before",
        "good friday",
        "may day",
        "no team late",
        "sunday",
    ]


def test_hours_that_begin_one_day_say_nothing_of_the_days_before(folder: Path) -> None:
    bring(folder, "contacts", CALLS)

    set_opening(
        "Lyon",
        opening_hours.parse_hours(["mon-fri=14:00-18:00"]),
        starts_on=date(2026, 4, 1),
        calendar="none",
    )

    assert find_closed() == ["good friday", "may day"]


def test_where_the_site_is_not_known_a_contact_is_closed_only_while_every_site_is(
    folder: Path,
) -> None:
    bring(folder, "contacts", CALLS)
    set_opening("Lyon", WEEK)

    set_opening("Metz", opening_hours.parse_hours(["mon-fri=09:00-22:00"]))

    assert "no team late" not in find_closed()
    assert "other site late" not in find_closed()


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("mon=09:00-18:00", (OpeningSpan(1, "09:00", "18:00"),)),
        ("sat-sun=9h-12h30", (OpeningSpan(6, "09:00", "12:30"), OpeningSpan(7, "09:00", "12:30"))),
        (
            "sun-mon=8-12,14-24",
            (
                OpeningSpan(1, "08:00", "12:00"),
                OpeningSpan(1, "14:00", "24:00"),
                OpeningSpan(7, "08:00", "12:00"),
                OpeningSpan(7, "14:00", "24:00"),
            ),
        ),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, spans: tuple[OpeningSpan, ...]) -> None:
    assert opening_hours.parse_hours([text]) == spans


@pytest.mark.parametrize(
    "text", ["monday=9-18", "mon", "mon=18-9", "mon=25:00-26:00", "mon=09:00", "mon=9-9", "=9-18"]
)
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(Misuse) as refusal:
        opening_hours.parse_hours([text])
    assert refusal.value.code == "bad_hours"


def test_a_site_or_calendar_that_nobody_knows_is_refused(folder: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        opening_hours.set_opening(SYSTEM, "Nantes", WEEK)
    assert refusal.value.code == "unknown_site"
    for calendar in ("Atlantis", "FR-99"):
        with pytest.raises(Misuse) as misuse:
            opening_hours.set_opening(SYSTEM, "Lyon", WEEK, calendar=calendar)
        assert misuse.value.code == "unknown_calendar"


def test_only_administrators_set_hours(folder: Path) -> None:
    for role in set(Role) - {Role.ADMIN}:
        with pytest.raises(AccessDenied):
            opening_hours.set_opening(Viewer("someone", role), "Lyon", WEEK)
        with pytest.raises(AccessDenied):
            opening_hours.find_sites(Viewer("someone", role))


def test_an_administrator_sets_hours_on_the_page(
    folder: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    bring(folder, "contacts", CALLS)
    add_person("root", "admin")
    app = open_app("root", "opening_hours")
    for field in app.text_input[:5]:
        field.set_value("09:00 - 18:00")

    next(button for button in app.button if button.label == "Save").click().run()

    assert not app.exception
    assert as_read(app.success[0].value) == "Done: 5 past contacts updated."
    assert find_closed() == CLOSED
    [lyon] = [site for site in opening_hours.find_sites(SYSTEM) if site["site"] == "Lyon"]
    assert {(row["opens_at"], row["closes_at"]) for row in lyon["hours"]} == {("09:00", "18:00")}
