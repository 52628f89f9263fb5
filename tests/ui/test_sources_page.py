"""Sources: what became of a campaign's contacts step by step, what they cost, who is
new, and which number carried which campaign when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders.centres import add_people, contact, evaluation, land, land_spend, publish
from builders.import_files import bring
from builders.shown_texts import text_of
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis import exports, tracking_numbers
from qa_core.base.errors import AccessDenied
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.ui.views.tracking import source_steps
from qa_core.ui.widgets import sections, tables

SYSTEM = Viewer.SYSTEM
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
SPRING = {
    "campaign": "Spring",
    "source": "google",
    "medium": "cpc",
    "tracking_number": "+33199000001",
    "team": "Nord",
    "advisor_id": "a1",
}
SUMMER = SPRING | {"campaign": "Summer", "source": "bing"}
OTHER = {"team": "Nord", "advisor_id": "a1"}
MISSED = {"outcome": "abandoned", "advisor_id": None}


@pytest.fixture
def campaigns(centre: Path, start_from: Callable[..., Any]) -> Path:
    """Spring: two answered, three missed (Carl is called back and reached, Dora is not,
    one withheld); Summer: Anne comes again; one without a campaign.
    """
    start_from(land_campaigns)
    return centre


def land_campaigns() -> None:
    answered = contact(
        "2026-03-02 10:00",
        "c1",
        customer_key="anne",
        declared_resolved=True,
        csat=5.0,
        csat_scale="1-5",
        **SPRING,
    )
    land(
        [
            contact("2026-01-05 09:00", "before", **OTHER),
            answered,
            contact(
                "2026-03-02 11:00",
                "c2",
                customer_key="bert",
                declared_resolved=False,
                csat=2.0,
                csat_scale="1-5",
                **SPRING,
            ),
            contact("2026-03-03 09:00", "m1", customer_key="carl", **SPRING | MISSED),
            contact("2026-03-03 10:00", "back", customer_key="carl", direction="outbound", **OTHER),
            contact("2026-03-03 09:30", "m2", customer_key="dora", **SPRING | MISSED),
            contact("2026-03-03 09:40", "m3", **SPRING | MISSED),
            contact("2026-03-20 10:00", "c3", customer_key="anne", **SUMMER),
            contact(
                "2026-03-21 10:00",
                "u1",
                customer_key="emil",
                tracking_number="+33199000001",
                **OTHER,
            ),
            contact("2026-05-30 09:00", "after", **OTHER),
        ]
    )
    land_spend(
        [
            ("2026-03-02", "google", "Spring", 50.0, "EUR"),
            ("2026-03-03", "google", "Spring", 20.0, "USD"),
            ("2026-03-20", "bing", "Summer", 3.0, "EUR"),
        ]
    )
    add_people(advisors={"a1": "Ada"}, teams={"Nord": "Lille", "Sud": "Nice"})
    with store.writing() as session:
        session.add(evaluation(answered, 80.0))


def read_rows(
    dimension: str = "campaign", viewer: Viewer = SYSTEM, where: Filters = Filters(MARCH)
) -> dict[Any, dict[str, Any]]:
    rows: dict[Any, dict[str, Any]] = {}
    for kpis in (source_steps.COUNTED, source_steps.OF_MISSES, source_steps.OF_EVALUATIONS):
        for value, row in tables.index_rows(
            query.measure(viewer, kpis, (dimension,), where), dimension
        ).items():
            rows.setdefault(value, {}).update(row)
    return rows


def walk(rows: Mapping[str, Any]) -> dict[str, float | None]:
    counts = {step: source_steps.read_count(rows, step) for step in source_steps.COUNTS}
    return counts | {step: source_steps.read_share(rows, step) for step in source_steps.SHARES}


def test_each_step_is_a_share_of_its_own_base(campaigns: Path) -> None:
    assert walk(read_rows()["Spring"]) == {
        "received": 5,
        "answered": 2 / 5,
        "missed": 3,
        "missed_callers": 2,
        "call_back_rate": 1 / 2,
        "recovered_rate": 1 / 2,
        "first_contact_resolution": 2 / 2,
        "first_contact_resolution_declared": 1 / 2,
        "csat": 1 / 2,
        "ratings": 2,
        "evaluations": 1,
    }


def test_a_step_without_anything_is_no_data_and_not_zero(campaigns: Path) -> None:
    path = walk(read_rows()["Summer"])

    assert path["missed"] == 0
    for step in ("missed_callers", "call_back_rate", "recovered_rate", "csat", "ratings"):
        assert path[step] is None


def test_where_missed_contacts_belong_to_nobody_seen_nothing_is_said_of_them(
    centre: Path,
) -> None:
    nobodys = SPRING | MISSED | {"team": None}
    land([contact("2026-03-02 10:00", **SPRING), contact("2026-03-02 11:00", **nobodys)])
    lead = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))

    path = walk(read_rows(viewer=lead)["Spring"])

    assert path["received"] == 1
    for step in ("answered", "missed", "missed_callers", "recovered_rate"):
        assert path[step] is None


def test_what_is_hidden_from_an_executive_is_hidden_in_the_path(campaigns: Path) -> None:
    publish()
    rows = read_rows(viewer=Viewer("rex", Role.EXECUTIVE))

    assert set(walk(rows["Spring"]).values()) == {None}


def test_first_time_callers_look_back_before_the_period_and_beyond_the_campaign(
    campaigns: Path,
) -> None:
    def callers(where: Filters) -> tuple[float, float]:
        return tuple(
            query.measure(SYSTEM, ("first_time_callers", "returning_callers"), (), where)["value"]
        )

    assert callers(Filters(MARCH)) == (5, 1)
    assert callers(Filters.of(MARCH, {"campaign": ["Summer"]})) == (0, 1)
    assert callers(Filters(Period(date(2026, 3, 10), date(2026, 3, 31)))) == (1, 1)
    assert callers(Filters(Period(date(2026, 3, 1), date(2026, 3, 10)))) == (4, 0)


def open_as_manager(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], **address: str
) -> AppTest:
    username = add_person("max", "manager", sites=("Lille",))
    app = open_app(username, "sources", **{"period": "all", **address})
    assert not app.exception and not app.error
    return app


def find_table(app: AppTest, head: str) -> list[dict[str, Any]]:
    return next(frame.value for frame in app.dataframe if head in frame.value.columns).to_dict(
        "records"
    )


def test_the_page_shows_the_steps_of_each_campaign_and_of_those_without(
    campaigns: Path, open_app, add_person
) -> None:
    app = open_as_manager(open_app, add_person, path="yes")

    lines = {line["Campaign"]: line for line in find_table(app, "Missed callers")}
    assert list(lines) == ["Spring", "Summer", "Not known"]
    lines["Spring"] |= find_table(app, "Score")[0]
    assert {
        key: lines["Spring"][key]
        for key in (
            "Contacts",
            "Answered",
            "Missed",
            "Missed callers",
            "Called back",
            "Reached",
            "Ratings",
            "Score",
        )
    } == {
        "Contacts": 5,
        "Answered": 40.0,
        "Missed": 3,
        "Missed callers": 2,
        "Called back": 50.0,
        "Reached": 50.0,
        "Ratings": 2,
        "Score": 80.0,
    }
    assert "the source of 6 of 9 contacts is known" in text_of(app)
    assert "1 missed contact came from a withheld or shared number" in text_of(app)


def test_amounts_of_two_currencies_stand_on_lines_of_their_own(
    campaigns: Path, open_app, add_person
) -> None:
    app = open_as_manager(open_app, add_person, costs="yes")

    lines = [
        (line["Campaign"], line["Currency"], line["Spend"], line["Per answered"])
        for line in find_table(app, "Spend")
    ]
    assert lines[-1][0] == "Not attributed"
    assert lines[:3] == [
        ("Spring", "EUR", 50.0, 25.0),
        ("Spring", "USD", 20.0, 10.0),
        ("Summer", "EUR", 3.0, 3.0),
    ]
    # 53 EUR and 20 USD over three answered contacts.
    tile = next(metric for metric in app.metric if metric.label == "Cost per answered contact")
    assert tile.value == "€17.67"
    assert "US$6.67" in text_of(app).replace("\u00a0", " ")


def test_a_link_about_a_kpi_opens_the_section_that_shows_it(
    campaigns: Path, open_app, add_person
) -> None:
    app = open_as_manager(open_app, add_person, **sections.find_address("returning_callers"))

    lines = {line["Campaign"]: line for line in find_table(app, "Returning")}
    assert (lines["Spring"]["First time"], lines["Summer"]["Returning"]) == (4, 1)
    assert "Customers of closed hours are counted too." in text_of(app)


def test_how_sources_were_found_adds_up_to_all_contacts(
    campaigns: Path, open_app, add_person
) -> None:
    app = open_as_manager(open_app, add_person, attribution="yes")

    assert {line["How"]: line["Contacts"] for line in find_table(app, "How")} == {
        "From the contact's own file": 6,
        "Not known": 3,
    }


@pytest.mark.parametrize(
    ("username", "role", "bounds"),
    [("lea", "team_lead", {"teams": ("Nord",)}), ("rex", "executive", {})],
)
def test_the_page_opens_for_who_sees_a_part_or_large_cells_alone(
    campaigns: Path, open_app, add_person, username: str, role: str, bounds: dict[str, Any]
) -> None:
    address = dict.fromkeys(("path", "costs", "callers", "attribution", "numbers"), "yes")
    app = open_app(add_person(username, role, **bounds), "sources", period="all", **address)

    assert not app.exception and not app.error
    assert ("+33199000001" in str([frame.value for frame in app.dataframe])) == (
        role == "team_lead"
    )


def test_the_page_opens_on_an_empty_store(open_app, add_person) -> None:
    app = open_app(add_person("max", "manager", sites=()), "sources")

    assert not app.exception
    assert "No data yet" in text_of(app)


ASSIGNED = """tracking_number,source,medium,campaign,from,to
+33199000001,google,cpc,Spring,2026-03-01,2026-03-15
+33199000001,bing,cpc,Summer,2026-03-16,2026-03-20
+33199000009,flyer,,Nobody,2026-03-01,
"""
DIALLED = """contact_id,started_at,tracking_number,team,campaign,source
a,2026-03-02 10:00,+33199000001,Nord,,
b,2026-03-15 23:59,+33199000001,Nord,,
c,2026-03-16 00:00,+33199000001,Nord,,
d,2026-03-25 10:00,+33199000001,Nord,,
e,2026-02-10 10:00,+33199000002,Nord,Radio,radio
f,2026-03-10 10:00,+33199000002,Nord,,
g,2026-03-11 10:00,+33199000003,Nord,,
h,2026-03-11 10:00,+33199000004,Sud,Secret,meta
"""


@pytest.fixture
def dialled(centre: Path, tmp_path: Path) -> Path:
    bring(tmp_path, "contacts", DIALLED)
    bring(tmp_path, "tracking", ASSIGNED)
    return centre


def test_a_reused_number_carries_each_campaign_on_its_days(dialled: Path) -> None:
    found = [
        (one.number[-1], one.campaign, one.first_day, one.last_day, one.is_assigned, one.contacts)
        for one in tracking_numbers.find_spans(SYSTEM, MARCH)
    ]

    assert found == [
        ("1", "Spring", date(2026, 3, 1), date(2026, 3, 15), True, 2),
        ("1", "Summer", date(2026, 3, 16), date(2026, 3, 20), True, 1),
        ("2", "Radio", date(2026, 2, 10), date(2026, 2, 10), False, 0),
        ("4", "Secret", date(2026, 3, 11), date(2026, 3, 11), False, 1),
        ("9", "Nobody", date(2026, 3, 1), None, True, 0),
    ]


def test_a_number_that_only_others_were_called_on_is_not_told(dialled: Path) -> None:
    lead = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))

    assert {one.number[-1] for one in tracking_numbers.find_spans(lead, MARCH)} == {"1", "2", "9"}
    with pytest.raises(AccessDenied):
        tracking_numbers.find_spans(Viewer("rex", Role.EXECUTIVE), MARCH)


def test_the_campaigns_of_numbers_leave_as_a_file(dialled: Path) -> None:
    text = exports.build_numbers(SYSTEM, **exports.build_number_parameters(MARCH)).content.decode(
        "utf-8-sig"
    )

    assert "'+33199000001,google,cpc,Spring,2026-03-01,2026-03-15,assigned,2" in text.splitlines()


def test_a_section_asks_the_lake_only_once_it_is_open(
    campaigns: Path, open_app, add_person, asked: list[str]
) -> None:
    app = open_as_manager(open_app, add_person)

    for section in ("path", "callers", "attribution", "numbers"):
        # What a page asked for is remembered: a statement that runs now did not run before.
        asked.clear()
        app.query_params[section] = "yes"
        app.run()
        assert not app.exception and asked, section

    app.session_state["section_numbers"] = False
    app.run()
    assert "numbers" not in app.query_params and app.query_params["callers"] == "yes"
