"""Explanations: what is left out and what is counted make up everything, for every KPI;
and nothing is told that the figures hide.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders.centres import (
    add_people,
    close_month,
    contact,
    evaluation,
    interval,
    land,
    land_intervals,
    land_spend,
)
from builders.long_seeds import leave_to_long
from builders.plain_count import pairs_of
from builders.random_centre import (
    ADVISORS,
    CRITICAL,
    GRID,
    TEAMS,
    choose_settings,
    make_contacts,
    make_evaluations,
    make_rounds,
)
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis import explanations
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre import settings as declared_settings
from qa_core.cli.app import run
from qa_core.metrics import kpis, query
from qa_core.metrics.kpis import FactTable
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import ScorecardVersion
from qa_core.ui.frame import menu

SYSTEM = Viewer.SYSTEM
EXECUTIVE = Viewer("rex", Role.EXECUTIVE)


def left_out(explanation: query.Explanation) -> dict[str, int]:
    return {line.code: line.n for line in explanation.excluded if line.n}


def test_each_contact_is_left_out_for_the_first_reason_or_counted(centre: Path) -> None:
    land(
        [
            contact("2026-05-04 10:00", wait_seconds=10.0),  # met
            contact("2026-05-04 10:01", wait_seconds=20.0),  # met
            contact("2026-05-04 10:02", wait_seconds=45.0),
            contact("2026-05-04 10:03"),  # answered, wait unknown
            contact("2026-05-04 10:04", outcome="abandoned", wait_seconds=4.0),  # short
            contact("2026-05-04 10:05", outcome="abandoned", wait_seconds=12.0),  # early
            contact("2026-05-04 10:06", outcome="abandoned", wait_seconds=90.0),
            contact("2026-05-04 10:07", outcome="voicemail"),
            contact("2026-05-04 21:00", outcome="closed"),
            contact(
                "2026-05-04 21:01", outcome="closed", direction="outbound"
            ),  # for its direction, which comes first
            contact("2026-05-04 11:00", direction="internal"),
        ]
    )
    explained = query.explain(SYSTEM, "service_level")
    assert explained.universe == 11
    assert left_out(explained) == {
        "other_direction": 2,
        "outside_hours": 1,
        "not_queued": 1,
        "wait_unknown": 1,
        "short_abandon": 1,
    }
    assert explained.counted == 5 == explained.row.n
    assert (explained.row.numerator, explained.row.denominator) == (2, 5)
    assert {
        variant.value: (variant.row.numerator, variant.row.denominator)
        for variant in explained.variants
    } == {
        "short_abandons_excluded": (2, 5),
        "early_abandons_credited": (4, 6),
        "abandons_ignored": (2, 3),
        "abandons_penalised": (2, 6),
        "late_abandons_penalised": (2, 4),
        "short_abandons_credited": (3, 6),
    }
    assert [variant.value for variant in explained.variants if variant.is_in_force] == [
        "short_abandons_excluded"
    ]
    assert (
        left_out(
            query.explain(
                SYSTEM, "service_level", overrides={"service_level_formula": "abandons_ignored"}
            )
        )["abandoned"]
        == 3
    )


def test_filters_and_scope_bound_what_is_explained(centre: Path) -> None:
    places = (("Nord", "a"), ("Nord", "b"), ("Sud", "a"), ("Sud", "a"))
    land(
        [
            contact(f"2026-05-04 1{hour}:00", team=team, queue=queue)
            for hour, (team, queue) in enumerate(places)
        ]
    )
    lead = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Sud"),))
    assert query.explain(lead, "received").universe == 2
    assert query.explain(SYSTEM, "received", Filters.of(values={"queue": ["b"]})).universe == 1
    with pytest.raises(AccessDenied):
        query.explain(Viewer("eve", Role.EVALUATOR, display_name="Eve"), "received")


def test_callers_who_try_again_are_one_miss_and_customers_count_once(centre: Path) -> None:
    rows = [
        ("2026-05-04 10:00", "k1"),
        ("2026-05-04 10:30", "k1"),
        ("2026-05-04 11:00", None),
        ("2026-05-08 10:00", "k2"),
    ]
    land([contact(start, outcome="abandoned", customer_key=key) for start, key in rows])
    missed = query.explain(SYSTEM, "recovered_rate")
    assert (missed.universe, left_out(missed), missed.counted) == (
        4,
        {"repeated_miss": 1, "unknown_identity": 1},
        2,
    )
    customers = query.explain(SYSTEM, "repeat_caller_rate")
    assert (customers.universe, left_out(customers), customers.counted) == (
        4,
        {"unknown_identity": 1, "same_customer": 1},
        2,
    )


def test_totals_by_interval_are_told_apart(centre: Path) -> None:
    land(
        [
            contact("2026-05-04 10:00", queue="a"),
            contact("2026-05-04 11:00", queue="a", direction="outbound"),
        ]
    )
    land_intervals([interval("2026-05-05 00:00", queue="a", received=7, answered=5)])
    explained = query.explain(SYSTEM, "received")
    assert (explained.counted, explained.from_totals, explained.row.n, explained.universe) == (
        1,
        7,
        8,
        9,
    )
    assert [n for _, n in explanations.build_rows(explained)] == [9, 1, 8, 7]


def test_a_setting_is_told_with_each_value_of_the_period_and_since_when(centre: Path) -> None:
    land([contact("2026-05-04 10:00"), contact("2026-06-04 10:00")])
    with store.writing() as session:
        declared_settings.set_value(session, SYSTEM, "short_abandon_seconds", "8", date(2026, 6, 1))
        declared_settings.set_value(
            session, SYSTEM, "service_level_seconds", "30", date(2026, 5, 20)
        )
    told = [(entry.value, entry.since) for entry in query.explain(SYSTEM, "abandon_rate").settings]
    assert told == [(5, None), (8, date(2026, 6, 1))]
    june = Filters(Period(date(2026, 6, 1), date(2026, 6, 30)))
    told = {
        entry.name: (entry.value, entry.since)
        for entry in query.explain(SYSTEM, "service_level", june).settings
    }
    assert told["service_level_seconds"] == (30, date(2026, 5, 20))
    assert told["short_abandon_seconds"] == (8, date(2026, 6, 1))
    assert [
        variant.value for variant in query.explain(SYSTEM, "first_contact_resolution").variants
    ] == [1, 3, 7, 14, 30]


@pytest.mark.parametrize("seed", leave_to_long([1, 2, 3], but=[1]))
def test_what_is_left_out_and_what_is_counted_make_up_everything_for_every_kpi(
    centre: Path, seed: int
) -> None:
    draw = random.Random(seed)
    contacts = [
        row | ({"direction": "internal"} if draw.random() < 0.1 else {})
        for row in make_contacts(draw, 120)
    ]
    land(contacts)
    land_spend(
        [
            (
                f"2026-03-{day}",
                draw.choice(("google", "bing")),
                "spring",
                10.0,
                draw.choice(("EUR", "CHF")),
            )
            for day in range(10, 30)
        ]
    )
    choose_settings(draw)
    evaluations = make_evaluations(draw, contacts)
    add_people(ADVISORS, TEAMS)
    criteria = [{"key": key, "points": 1.0, "critical": name} for key, name in CRITICAL.items()]
    with store.writing() as session:
        session.add(
            ScorecardVersion(
                id=GRID,
                key="service",
                title="Service",
                content={"section": [{"name": "All", "criterion": criteria}]},
            )
        )
        session.flush()
        session.add_all(evaluations)
    period = draw.choice((Period(), Period(date(2026, 3, 15), date(2026, 4, 12))))
    inside = [
        row
        for row in contacts
        if (period.first_day or date.min)
        <= row["local_start"].date()
        <= (period.last_day or date.max)
    ]
    by_id = {row["contact_id"]: row for row in inside}
    published = [one for one in evaluations if one.state == "published" and one.contact_id in by_id]
    missed = [
        row
        for row in inside
        if row["direction"] in ("inbound", None)
        and row["outcome"] not in ("answered", "closed", None)
    ]
    everything = {
        FactTable.MISSED: len(missed),
        FactTable.EVALUATION_ANSWERS: len(published),
        FactTable.ADVISORS: len({one.advisor_id for one in published}),
    }
    marked = [
        one
        for found in make_rounds(draw, contacts)
        if found.is_closed
        for one in found.marked
        if one.row["contact_id"] in by_id
    ]
    everything |= {"alignment": sum(len(pairs_of(one)) for one in marked), "agreement": 0}
    assert len(kpis.ALL) > 40
    for kpi in kpis.ALL:
        explained = query.explain(SYSTEM, kpi.key, Filters(period))
        measured = query.measure(SYSTEM, (kpi.key,), where=Filters(period))
        assert explained.counted == (
            measured["n"].sum() if kpi.key == "spend" else measured["n"].iloc[0]
        ), kpi.key
        if kpi.key != "spend":
            assert explained.universe == everything.get(
                kpi.key, everything.get(kpi.subject, len(inside))
            ), kpi.key
        assert all(line.n >= 0 for line in explained.excluded), kpi.key
        assert explained.universe == explained.counted + sum(
            line.n for line in explained.excluded
        ), kpi.key
        if explained.row.value is not None:
            assert explained.row.value == pytest.approx(measured["value"].iloc[0]), kpi.key
    for criterion in {one.criterion for one in marked}:
        explained = query.explain(
            SYSTEM, "agreement", Filters.of(period, {"criterion": [criterion]})
        )
        of_criterion = [
            sum(points is not None for points in one.marks.values()) >= 2
            for one in marked
            if one.criterion == criterion
        ]
        assert (explained.universe, explained.counted) == (len(of_criterion), sum(of_criterion))


def of_queue(queue: str, advisors: int, each: int, **columns: Any) -> list[dict[str, Any]]:
    return [
        contact(
            f"2026-05-{4 + position % 20:02d} 10:00",
            queue=queue,
            advisor_id=f"a{advisor}",
            talk_seconds=60.0,
            **columns,
        )
        for advisor in range(advisors)
        for position in range(each)
    ]


def number(*groups: list[dict[str, Any]]) -> None:
    land(
        [
            {**row, "contact_id": f"c{place}"}
            for place, row in enumerate(row for group in groups for row in group)
        ]
    )
    close_month("2026-05")


def test_an_executive_is_told_the_value_but_no_reason_for_what_is_left_out(centre: Path) -> None:
    number(
        of_queue("a", 8, 10),
        of_queue("b", 8, 10),
        of_queue("a", 8, 3, direction="outbound"),
        of_queue("b", 3, 1, direction="outbound"),
    )
    for values, n in (({}, 160), ({"queue": ["a"]}, 80)):
        told = query.explain(EXECUTIVE, "average_talk_time", Filters.of(values=values))
        assert (told.row.n, told.is_hidden) == (n, True)
        assert (told.universe, told.counted, told.excluded) == (None, None, ())
        assert explanations.build_rows(told) == []
        assert all(source.rows is None for source in told.sources)


def test_a_hidden_value_has_no_explanation_in_numbers(centre: Path) -> None:
    number(of_queue("a", 3, 10), of_queue("a", 3, 10, direction="outbound"))
    told = query.explain(EXECUTIVE, "service_level")
    assert told.row.status == "suppressed"
    assert (told.universe, told.excluded, told.variants) == (None, (), ())


def test_an_executive_asks_for_whole_months_here_too(centre: Path) -> None:
    number(of_queue("a", 8, 10))
    with pytest.raises(Refusal, match="complete calendar months"):
        query.explain(EXECUTIVE, "received", Filters(Period(date(2026, 5, 2), date(2026, 5, 31))))


def test_every_kpi_can_be_explained_before_anything_was_imported(centre: Path) -> None:
    for kpi in kpis.ALL:
        explained = query.explain(SYSTEM, kpi.key)
        assert (explained.universe, explained.counted, explained.row.status) == (0, 0, "no_data"), (
            kpi.key
        )


def test_the_command_line_explains_where_it_is_asked_to(
    centre: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land([contact("2026-05-04 10:00"), contact("2026-05-04 11:00", outcome="closed")])
    assert run(["kpi", "received", "--explain", "--json"]) == 0
    [explained] = json.loads(capsys.readouterr().out)["explanation"]
    assert (explained["kpi"], explained["universe"], explained["counted"]) == ("received", 2, 1)
    assert explained["excluded"] == [
        {"code": "other_direction", "n": 0},
        {"code": "outside_hours", "n": 1},
    ]
    assert run(["kpi", "received", "--explain"]) == 0
    assert "− Outside opening hours" in capsys.readouterr().out
    assert run(["kpi", "received", "--json"]) == 0
    assert "explanation" not in json.loads(capsys.readouterr().out)


@pytest.fixture
def rows_of_a_centre(centre: Path) -> None:
    land(
        [
            contact(f"2026-05-{day:02d} 10:00", queue=queue, team="Nord", wait_seconds=10.0)
            for day in range(1, 29)
            for queue in ("a", "b")
        ]
    )


def follow(app: AppTest, **address: str) -> AppTest:
    """Go to the explanation as a link does, with what it says."""
    app.switch_page(menu.find_page("explain").path)
    for name, value in address.items():
        app.query_params[name] = value
    return app.run()


def words(app: AppTest) -> str:
    return " ".join(
        element.value for element in (*app.markdown, *app.caption, *app.title, *app.header)
    )


def test_a_tile_leads_to_its_explanation_under_the_same_filters(
    rows_of_a_centre: None, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    add_people(teams={"Nord": "Lille"})
    add_person("mia", "manager", sites=("Lille",))
    app = open_app("mia", "overview")
    links = [
        link.proto
        for link in app.get("page_link")
        if link.proto.page == "explain" and "kpi=service_level" in link.proto.query_string
    ]
    assert links and "period=28d" in links[0].query_string
    app = follow(app, kpi="service_level", queue="a", period="28d")
    assert not app.exception
    assert app.title[0].value == "Service level"
    assert app.metric[0].value == "100.0\u202f%"
    assert "28 / 28" in words(app)
    everything = "**28** · 100.0\u202f%"
    assert [bar.proto.text for bar in app.get("progress")] == [
        f"All contacts, inbound and outbound · {everything}",
        f"= Counted contacts · {everything}",
    ]
    assert app.session_state["queue"] == ["a"]


def test_a_number_of_somebody_else_s_page_is_refused_in_words(
    rows_of_a_centre: None, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    add_person("eve", "evaluator")
    app = follow(open_app("eve", "scores"), kpi="received")
    assert not app.exception
    assert not app.metric
    app = follow(app, kpi="evaluations")
    assert not app.exception
    assert app.metric[0].value == ":gray[no data]"


def test_evaluations_without_a_score_are_left_out_of_the_mean(centre: Path) -> None:
    rows = [contact(f"2026-05-04 1{hour}:00", f"c{hour}", advisor_id="a1") for hour in range(3)]
    land(rows)
    add_people({"a1": "Ann"})
    with store.writing() as session:
        session.add_all(
            [evaluation(rows[0], 80.0), evaluation(rows[1], 60.0), evaluation(rows[2], None)]
        )
    explained = query.explain(SYSTEM, "evaluation_score")
    assert (explained.universe, left_out(explained), explained.counted, explained.row.value) == (
        3,
        {"no_score": 1},
        2,
        70.0,
    )


def test_evaluations_are_explained_under_a_filter_by_their_contact(centre: Path) -> None:
    rows = [
        contact(f"2026-05-04 1{hour}:00", f"c{hour}", advisor_id="a1", channel=channel)
        for hour, channel in enumerate(("phone", "phone", "email"))
    ]
    land(rows)
    add_people({"a1": "Ann"})
    with store.writing() as session:
        session.add_all(
            [evaluation(row, score) for row, score in zip(rows, (80.0, None, 60.0), strict=True)]
        )
    explained = query.explain(SYSTEM, "evaluation_score", Filters.of(values={"channel": ["phone"]}))
    assert (explained.universe, left_out(explained), explained.row.value) == (
        2,
        {"no_score": 1},
        80.0,
    )


def test_before_anything_was_imported_the_page_says_so(
    centre: Path, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    add_person("mia", "executive")
    app = follow(open_app("mia", "overview"), kpi="service_level")
    assert not app.exception
    assert "No data yet" in words(app)
    assert app.title[0].value == "Service level"
