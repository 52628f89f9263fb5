"""What each KPI counts: published examples, and the edge cases that make two dashboards
disagree.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from builders.centres import add_people, contact, evaluation, land

from qa_core.access.roles import GRANTS, Role, Viewer
from qa_core.base.errors import AccessDenied, Misuse
from qa_core.centre import settings as declared_settings
from qa_core.metrics import kpis, query
from qa_core.metrics.kpis import dimensions
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import ScorecardVersion

SERVICE_LEVEL = {
    # ICMI and Call Centre Helper: 1,000 answered, 860 of them within 20 s; 60
    # abandoned, 20 within 20 s, 10 of these within 5 s
    "early_abandons_credited": 0.8301886792,
    "abandons_ignored": 0.86,
    "abandons_penalised": 0.8113207547,
    "late_abandons_penalised": 0.8269230769,
    "short_abandons_credited": 0.820754717,
    "short_abandons_excluded": 0.819047619,
}


def measure_one(key: str, **overrides: str) -> Any:
    """The single row of a KPI over everything."""
    (row,) = query.measure(Viewer.SYSTEM, (key,), overrides=overrides).itertuples()
    return row


def many(n: int, **columns: Any) -> list[dict[str, Any]]:
    return [contact("2026-05-04 10:00", **columns) for _ in range(n)]


def test_every_kpi_is_declared_once_with_words_a_permission_and_known_dimensions() -> None:
    assert len(kpis.BY_KEY) == len(kpis.ALL)
    for kpi in kpis.ALL:
        assert kpi.title and kpi.meaning and kpi.formula, kpi.key
        assert kpi.better in ("up", "down", "neither"), kpi.key
        assert set(kpi.dimensions) <= set(dimensions.BY_KEY), kpi.key
        assert set(kpi.settings) <= set(declared_settings.BY_NAME), kpi.key
        assert any(kpi.needs in granted for granted in GRANTS.values()), kpi.key


def test_the_glossary_speaks_of_every_kpi_in_plain_types() -> None:
    entry = kpis.get_kpi("answer_rate").as_json()
    assert list(entry) == [
        "key",
        "title",
        "meaning",
        "formula",
        "kind",
        "unit",
        "better",
        "needs",
        "dimensions",
    ]
    assert (entry["kind"], entry["unit"], entry["better"]) == ("ratio", "rate", "up")


def test_an_unknown_kpi_is_misuse_and_names_the_known_ones() -> None:
    with pytest.raises(Misuse) as refusal:
        kpis.get_kpi("aht")
    assert refusal.value.code == "unknown_kpi"
    assert "average_handle_time" in str(refusal.value)


def test_the_six_service_levels_of_the_published_example(centre: Path) -> None:
    land(
        many(860, wait_seconds=20.0)
        + many(140, wait_seconds=20.5)
        + many(10, outcome="abandoned", wait_seconds=5.0)
        + many(10, outcome="abandoned", wait_seconds=12.0)
        + many(40, outcome="abandoned", wait_seconds=60.0)
    )
    for formula, expected in SERVICE_LEVEL.items():
        assert measure_one("service_level", service_level_formula=formula).value == pytest.approx(
            expected, abs=1e-9
        )


def test_the_service_level_says_which_waits_it_did_not_know(centre: Path) -> None:
    land(
        many(6, wait_seconds=10.0)
        + many(3, wait_seconds=None)
        + many(2, outcome="unanswered", wait_seconds=None)
        + many(1, outcome="abandoned", wait_seconds=2.0)
    )
    row = measure_one("service_level")
    # 6 answered with a wait and 2 abandoned without; the short abandon is left out: 6 /
    # 8
    assert (row.value, row.n, row.notes) == (0.75, 8, ("waits_missing:5", "unanswered:2"))


def test_no_wait_anywhere_is_no_data_and_never_nought_or_a_hundred(centre: Path) -> None:
    land(many(40, wait_seconds=None) + many(4, outcome="abandoned", wait_seconds=None))
    row = measure_one("service_level")
    assert (row.status, row.value != row.value) == ("no_data", True)


def test_abandoned_leaves_short_abandons_out_of_both_sums(centre: Path) -> None:
    land(
        many(16)
        + many(2, outcome="abandoned", wait_seconds=5.0)
        + many(3, outcome="abandoned", wait_seconds=5.1)
        + many(1, outcome="unanswered", wait_seconds=None)
        + many(2, outcome="closed")
    )
    row = measure_one("abandon_rate")
    assert (row.numerator, row.denominator, row.notes) == (4, 20, ("unanswered:1",))
    assert measure_one("received").value == 22
    assert measure_one("missed").value == 6


def test_without_any_outcome_nobody_says_how_many_were_answered(centre: Path) -> None:
    land(many(4, outcome=None))
    assert measure_one("received").value == 4
    assert [
        measure_one(key).status for key in ("answered", "missed", "answer_rate", "abandon_rate")
    ] == ["no_data"] * 4


def test_answered_of_ten_who_all_hung_up_is_nought_but_of_nobody_no_data(centre: Path) -> None:
    land(many(10, outcome="abandoned"))
    assert (measure_one("answered").value, measure_one("answered").status) == (0, "small_sample")
    empty = query.measure(
        Viewer.SYSTEM,
        ("received", "answered", "answer_rate"),
        where=Filters.of(values={"queue": ["none"]}),
    )
    assert list(empty["status"]) == ["no_data"] * 3
    assert empty["value"].isna().all()


def test_outbound_and_internal_contacts_are_not_received_but_those_without_direction_are(
    centre: Path,
) -> None:
    land(
        many(3)
        + many(2, direction=None)
        + many(4, direction="outbound")
        + many(5, direction="internal")
    )
    assert measure_one("received").value == 5


def test_a_wait_of_nought_counts_and_a_missing_one_leaves_both_sums(centre: Path) -> None:
    land(
        many(1, wait_seconds=0.0)
        + many(1, wait_seconds=30.0)
        + many(1, wait_seconds=None)
        + many(5, outcome="abandoned", wait_seconds=99.0)
    )
    row = measure_one("average_speed_of_answer")
    assert (row.value, row.n, row.p50, row.notes) == (15.0, 2, 15.0, ("waits_missing:1",))
    assert (row.p90, row.p95) == (pytest.approx(27.0), pytest.approx(28.5))


def test_a_component_that_a_source_never_gives_is_left_out_and_named(centre: Path) -> None:
    land(
        many(2, source_system="old", talk_seconds=100.0, wrap_seconds=20.0)
        + many(1, source_system="new", talk_seconds=200.0, hold_seconds=30.0, wrap_seconds=10.0)
        + many(1, source_system="new", talk_seconds=500.0, hold_seconds=None, wrap_seconds=10.0)
    )
    row = measure_one("average_handle_time")
    assert (row.numerator, row.n, row.notes) == (
        120 + 120 + 240,
        3,
        ("component_missing:hold", "handle_time_unknown:1"),
    )


def test_a_blank_part_is_nought_where_its_source_seldom_gives_it(
    centre: Path,
) -> None:
    holds = zip((100.0, 200.0, 300.0, 400.0), (None, None, None, 20.0), strict=True)
    seldom = [row for talk, hold in holds for row in many(1, talk_seconds=talk, hold_seconds=hold)]
    land(seldom)
    row = measure_one("average_handle_time")
    assert (row.value, row.n) == (255.0, 4)


def test_a_blank_part_of_a_source_that_mostly_gives_it_leaves_the_row_out(centre: Path) -> None:
    holds = zip((100.0, 200.0, 300.0, 400.0), (10.0, 20.0, 30.0, None), strict=True)
    land([row for talk, hold in holds for row in many(1, talk_seconds=talk, hold_seconds=hold)])
    row = measure_one("average_handle_time")
    assert (row.value, row.n) == (220.0, 3) and "handle_time_unknown:1" in row.notes


def test_an_unknown_outcome_counts_as_received_and_hides_rates_beyond_one_in_a_hundred(
    centre: Path,
) -> None:
    land(many(90) + many(10, outcome="abandoned") + many(1, outcome=None))
    assert measure_one("received").value == 101
    assert (measure_one("answer_rate").value, measure_one("answer_rate").notes) == (
        0.9,
        ("outcome_unknown:1",),
    )
    assert measure_one("missed").value == 10


def test_rates_have_no_data_where_many_outcomes_are_unknown(centre: Path) -> None:
    land(many(90) + many(5, outcome="abandoned") + many(5, outcome=None))
    assert [measure_one(key).status for key in ("answer_rate", "abandon_rate")] == ["no_data"] * 2
    assert measure_one("answered").value == 90 and measure_one("missed").value == 5


def test_a_source_without_any_handling_time_is_not_handled_in_nought_seconds(centre: Path) -> None:
    land(many(5))
    row = measure_one("average_handle_time")
    assert (row.status, row.notes) == (
        "no_data",
        ("component_missing:talk", "component_missing:hold", "component_missing:wrap"),
    )


def test_satisfaction_takes_the_upper_quarter_of_each_scale(centre: Path) -> None:
    land(
        many(1, csat=4.0, csat_scale="1-5")
        + many(1, csat=3.0, csat_scale="1-5")
        + many(1, csat=8.0, csat_scale="1-10")
        + many(1, csat=7.0, csat_scale="1-10")
        + many(1, csat=75.0, csat_scale="0-100")
    )
    assert (measure_one("csat").numerator, measure_one("csat").n) == (3, 5)
    # 4, 3, 1 + 4·7/9, 1 + 4·6/9, 1 + 4·0.75
    assert measure_one("csat_mean").value == pytest.approx(
        (4 + 3 + 1 + 28 / 9 + 1 + 24 / 9 + 4) / 5
    )


def test_three_promoters_one_passive_and_one_detractor_are_plus_forty(centre: Path) -> None:
    land([contact("2026-05-04 10:00", nps=mark) for mark in (9.0, 10.0, 10.0, 8.0, 0.0)])
    row = measure_one("nps")
    assert (row.value, row.numerator, row.denominator, row.n) == (40.0, 2, 5, 5)
    assert -100 <= row.low < 40 < row.high <= 100


def test_resolution_by_survey_of_280_in_400(centre: Path) -> None:
    # SQM: 280 of 400 say yes, in one contact
    land(
        many(280, survey_resolved=True, survey_contacts=1)
        + many(60, survey_resolved=True, survey_contacts=2)
        + many(60, survey_resolved=False, survey_contacts=1)
        + many(9, survey_resolved=True)
    )
    row = measure_one("first_contact_resolution_surveyed")
    assert (row.value, row.n) == (0.7, 400)


def test_declared_resolution_is_of_the_answered_with_a_declaration(centre: Path) -> None:
    land(
        many(3, declared_resolved=True)
        + many(1, declared_resolved=False)
        + many(4)
        + many(2, outcome="abandoned", declared_resolved=False)
    )
    assert (
        measure_one("first_contact_resolution_declared").value,
        measure_one("first_contact_resolution_declared").n,
    ) == (0.75, 4)


def test_the_response_rate_knows_only_surveys_that_were_sent(centre: Path) -> None:
    land(
        many(3, survey_sent=True, csat=5.0, csat_scale="1-5")
        + many(1, survey_sent=True, nps=0.0)
        + many(4, survey_sent=True)
        + many(5, survey_sent=None, csat=1.0, csat_scale="1-5")
    )
    assert (measure_one("response_rate").value, measure_one("response_rate").n) == (0.5, 8)


def test_surveys_not_known_to_be_sent_give_no_response_rate(centre: Path) -> None:
    land(many(3, csat=5.0, csat_scale="1-5"))
    assert measure_one("response_rate").status == "no_data"


def test_a_missing_number_of_transfers_is_not_none(centre: Path) -> None:
    land(many(1, transfers=2) + many(1, transfers=0) + many(2, transfers=None))
    assert (measure_one("transfer_rate").value, measure_one("transfer_rate").n) == (0.5, 2)


def first_contacts() -> list[dict[str, Any]]:
    """Thirty days, 1 to 30 June at noon, framed by strangers; the window is seven days."""
    return [
        contact("2026-06-01 12:00", "first", customer_key="frame1"),
        contact("2026-06-30 12:00", "last", customer_key="frame2"),
        # ann: resolved. bob: back after exactly seven days, inclusive. dan: back a
        # second later, which is outside.
        contact("2026-06-10 12:00", "ann", customer_key="ann"),
        contact("2026-06-10 12:00", "bob1", customer_key="bob"),
        contact("2026-06-17 12:00", "bob2", customer_key="bob"),
        contact("2026-06-10 12:00", "dan1", customer_key="dan"),
        contact("2026-06-17 12:00:01", "dan2", customer_key="dan"),
        # eve: two tries abandoned before, and a call-back by the centre: all resolved
        # at first contact.
        contact("2026-06-10 11:58", "eve0", customer_key="eve", outcome="abandoned"),
        contact("2026-06-10 12:00", "eve1", customer_key="eve"),
        contact("2026-06-11 12:00", "eve2", customer_key="eve", direction="outbound"),
        # fay: young, so pending. Two strangers.
        contact("2026-06-25 12:00", "fay", customer_key="fay"),
        contact("2026-06-12 12:00", "x1"),
        contact("2026-06-12 13:00", "x2"),
    ]


def test_first_contact_resolution_by_repeat(centre: Path) -> None:
    land(first_contacts())
    row = measure_one("first_contact_resolution")
    # Counted: ann, bob1, dan1, dan2, eve1 (bob2 follows bob1). Not resolved: bob1.
    # Pending: the two frames and fay.
    assert (row.numerator, row.denominator, row.pending, row.unknown_identity) == (4, 5, 3, 2)


def test_the_window_moves_what_is_a_repeat_and_what_is_complete(centre: Path) -> None:
    land(first_contacts())
    row = measure_one("first_contact_resolution", first_contact_days="3")
    # Now bob2 is a first contact again, and fay is complete: ann, bob1, bob2, dan1,
    # dan2, eve1, fay
    assert (row.numerator, row.denominator, row.pending) == (7, 7, 2)


def test_a_lake_younger_than_two_windows_is_pending_not_resolved(centre: Path) -> None:
    land(
        [
            contact("2026-06-01 12:00", customer_key="a"),
            contact("2026-06-08 12:00", customer_key="b"),
        ]
    )
    row = measure_one("first_contact_resolution")
    assert (row.status, row.value != row.value, row.pending) == ("pending", True, 2)


def test_nobody_known_is_no_data_and_the_unknown_are_counted(centre: Path) -> None:
    land(many(12))
    row = measure_one("first_contact_resolution")
    assert (row.status, row.pending, row.unknown_identity) == ("no_data", 0, 12)


def test_another_reason_is_no_repeat_but_a_missing_one_is(centre: Path) -> None:
    frame = [contact("2026-05-01 12:00"), contact("2026-07-30 12:00")]
    first = contact("2026-06-10 12:00", "one", customer_key="ann", reason="invoice")
    land([*frame, first, contact("2026-06-11 12:00", "two", customer_key="ann", reason="delivery")])
    assert measure_one("first_contact_resolution").value == 1.0
    land([contact("2026-06-12 12:00", "three", customer_key="ann", reason=None)], "second")
    resolved = query.measure(
        Viewer.SYSTEM,
        ("first_contact_resolution",),
        where=Filters.of(values={"reason": ["invoice"]}),
    )
    assert list(resolved["value"]) == [0.0]


def test_several_misses_of_a_caller_within_the_window_are_one(centre: Path) -> None:
    land(
        [
            contact("2026-06-10 09:00", customer_key="ann", outcome="abandoned"),
            contact("2026-06-10 09:05", customer_key="ann", outcome="abandoned"),
            contact("2026-06-10 15:00", customer_key="ann", direction="outbound"),
            contact("2026-06-10 09:00", customer_key="bob", outcome="timeout"),
            contact("2026-06-10 09:00", outcome="abandoned"),
        ]
    )
    row = measure_one("recovered_rate")
    assert (row.numerator, row.denominator, row.unknown_identity) == (1, 2, 1)


def test_a_customer_is_counted_once_however_often_they_come(centre: Path) -> None:
    land(
        [contact(f"2026-06-{day:02d} 12:00", customer_key="ann") for day in (1, 3, 5)]
        + [contact("2026-06-01 12:00", customer_key="bob")]
    )
    row = measure_one("repeat_caller_rate")
    assert (row.numerator, row.denominator) == (1, 2)


def test_each_contact_is_judged_by_the_settings_of_its_day(centre: Path) -> None:
    land(
        [
            contact("2026-05-10 10:00", wait_seconds=30.0),
            contact("2026-05-20 10:00", wait_seconds=30.0),
            contact("2026-05-20 11:00", wait_seconds=70.0),
        ]
    )
    with store.writing() as session:
        declared_settings.set_value(session, Viewer.SYSTEM, "service_level_seconds", "60")
        declared_settings.set_value(
            session, Viewer.SYSTEM, "service_level_seconds", "20", date(2026, 5, 15)
        )
    assert measure_one("service_level").numerator == 1
    assert measure_one("service_level", service_level_seconds="70").numerator == 3


def test_a_period_that_spans_a_change_adds_up_what_each_rule_counts(centre: Path) -> None:
    # Before 15 May windows are 7 days and misses recovered within 24 hours, from then
    # on 3 days and 2 hours.
    frame = [contact("2026-04-01 12:00"), contact("2026-06-30 12:00")]
    early = [
        contact("2026-05-04 12:00", customer_key="ann"),
        contact("2026-05-09 12:00", customer_key="ann"),
    ]
    late = [
        contact("2026-05-18 12:00", customer_key="bob"),
        contact("2026-05-23 12:00", customer_key="bob"),
    ]
    missed = [
        contact(f"2026-05-{day} 09:00", customer_key=f"dan{day}", outcome="abandoned")
        for day in (10, 20)
    ]
    reached = [
        contact(f"2026-05-{day} 14:00", customer_key=f"dan{day}", direction="outbound")
        for day in (10, 20)
    ]
    land([*frame, *early, *late, *missed, *reached])
    with store.writing() as session:
        declared_settings.set_value(
            session, Viewer.SYSTEM, "first_contact_days", "3", date(2026, 5, 15)
        )
        declared_settings.set_value(
            session, Viewer.SYSTEM, "recovery_hours", "2", date(2026, 5, 15)
        )
    # ann comes back after five days, within the window of her day; bob after five days
    # too, outside that of his: two first contacts, both resolved.
    assert (
        measure_one("first_contact_resolution").numerator,
        measure_one("first_contact_resolution").denominator,
    ) == (2, 3)
    assert (
        measure_one("repeat_caller_rate").numerator,
        measure_one("repeat_caller_rate").denominator,
    ) == (1, 4)
    assert (measure_one("recovered_rate").numerator, measure_one("recovered_rate").denominator) == (
        1,
        2,
    )
    assert measure_one("recovered_rate", recovery_hours="24").numerator == 2
    assert measure_one("first_contact_resolution", first_contact_days="7").denominator == 2


def test_changes_tell_charts_where_to_start_anew(centre: Path) -> None:
    with store.writing() as session:
        for value, day in (
            ("30", None),
            ("20", date(2026, 5, 15)),
            ("20", date(2026, 6, 1)),
            ("60", date(2026, 7, 1)),
        ):
            declared_settings.set_value(session, Viewer.SYSTEM, "service_level_seconds", value, day)
        declared_settings.set_value(
            session, Viewer.SYSTEM, "first_contact_days", "3", date(2026, 7, 1)
        )
        for version, day in ((1, 1), (2, 20)):
            session.add(
                ScorecardVersion(
                    key="service",
                    version=version,
                    title="Service",
                    content={},
                    published_at=datetime(2026, 6, day, 22, 30, tzinfo=UTC),
                )
            )
    found = query.find_changes(Viewer.SYSTEM, Period(date(2026, 5, 1), date(2026, 6, 30)))
    # 22:30 UTC on 20 June is the 21st in Paris; on 1 June nothing changed but the
    # entry.
    assert [
        (change.day, change.name, change.before, change.after, change.is_grid) for change in found
    ] == [
        (date(2026, 5, 15), "service_level_seconds", 30, 20, False),
        (date(2026, 6, 21), "service", 1, 2, True),
    ]
    assert found[0].kpis == ("service_level",)
    assert {"evaluation_score", "advisor_mean_score", "critical_accuracy_customer"} <= set(
        found[1].kpis
    )
    assert [
        change.name
        for change in query.find_changes(
            Viewer.SYSTEM, kpis=("first_contact_resolution", "answer_rate")
        )
    ] == ["first_contact_days"]
    assert query.find_changes(Viewer("eve", Role.EVALUATOR), Period(date(2026, 7, 1))) == ()
    with pytest.raises(AccessDenied):
        query.find_changes(Viewer("dan", Role.DPO))


def test_a_missed_caller_may_be_called_back_without_being_reached(centre: Path) -> None:
    land(
        [
            contact("2026-06-10 09:00", customer_key="ann", outcome="abandoned"),
            contact("2026-06-10 10:00", customer_key="ann", direction="outbound", outcome="failed"),
            contact("2026-06-10 09:00", customer_key="bob", outcome="abandoned"),
            contact("2026-06-11 09:00:01", customer_key="bob", direction="outbound"),
            contact("2026-06-10 09:00", customer_key="eve", outcome="abandoned"),
            contact("2026-06-10 09:10", customer_key="eve"),
            contact("2026-06-10 09:00", outcome="abandoned"),
        ]
    )
    row = measure_one(
        "call_back_rate"
    )  # bob's came a second too late, and eve got through by herself
    assert (row.numerator, row.denominator, row.unknown_identity) == (1, 3, 1)
    assert (measure_one("recovered_rate").numerator, measure_one("recovered_rate").denominator) == (
        1,
        3,
    )


def test_a_call_back_after_the_end_of_the_period_still_counts_for_the_miss_within(
    centre: Path,
) -> None:
    land(
        [
            contact("2026-05-31 23:30", customer_key="ann", outcome="abandoned"),
            contact("2026-06-01 08:00", customer_key="ann", direction="outbound"),
        ]
    )
    (row,) = query.measure(
        Viewer.SYSTEM,
        ("call_back_rate",),
        where=Filters(Period(date(2026, 5, 1), date(2026, 5, 31))),
    ).itertuples()
    assert (row.numerator, row.denominator) == (1, 1)


def test_first_time_and_returning_callers_by_source(centre: Path) -> None:
    land(
        [
            contact("2026-04-30 12:00", customer_key="ann", outcome="abandoned"),
            contact("2026-05-04 12:00", customer_key="ann", source="google"),
            contact("2026-05-05 12:00", customer_key="ann", source="google"),
            contact("2026-05-04 12:00", customer_key="bob", source="google"),
            contact("2026-05-06 12:00", customer_key="bob", source="bing"),
            contact("2026-05-04 12:00", source="bing"),
        ]
    )
    may = Filters(Period(date(2026, 5, 1), date(2026, 5, 31)))
    rows = query.to_json(
        query.measure(Viewer.SYSTEM, ("first_time_callers", "returning_callers"), ("source",), may),
        ("source",),
    )
    assert [
        (
            row["by"]["source"],
            row["kpi"],
            row["value"],
            row["n"],
            row["denominator"],
            row["unknown_identity"],
        )
        for row in rows
    ] == [
        ("bing", "first_time_callers", 0, 0, None, 1),
        ("bing", "returning_callers", 1, 1, None, 1),
        ("google", "first_time_callers", 1, 1, None, 0),
        ("google", "returning_callers", 1, 1, None, 0),  # ann, once
    ]
    land(many(3), "strangers")
    nobody = query.measure(
        Viewer.SYSTEM,
        ("first_time_callers",),
        where=Filters.of(values={"source": [None], "day": ["2026-05-04"]}),
    )
    assert list(nobody["status"]) == ["no_data"]


def test_talk_time_is_the_sum_of_conversations_over_those_that_are_known(centre: Path) -> None:
    land(
        many(2, talk_seconds=90.0)
        + many(1, talk_seconds=None)
        + many(1, talk_seconds=7.0, outcome="voicemail")
    )
    row = measure_one("talk_time")
    assert (row.value, row.numerator, row.n, row.denominator != row.denominator) == (
        180.0,
        180.0,
        2,
        True,
    )
    assert measure_one("average_talk_time").value == 90.0


def test_the_silent_could_move_satisfaction_between_two_bounds(centre: Path) -> None:
    land(
        many(3, survey_sent=True, csat=5.0, csat_scale="1-5")
        + many(1, survey_sent=True, csat=1.0, csat_scale="1-5")
        + many(4, survey_sent=True)
        + many(
            2, survey_sent=True, nps=9.0
        )  # answered, but not this question: neither rated nor silent
        + many(7)
    )
    assert [
        measure_one(key).value for key in ("csat_if_silent_unhappy", "csat", "csat_if_silent_happy")
    ] == [3 / 8, 3 / 4, 7 / 8]


def test_without_surveys_known_to_be_sent_nobody_knows_who_was_silent(centre: Path) -> None:
    land(many(3, csat=5.0, csat_scale="1-5"))
    assert [
        measure_one(key).status for key in ("csat_if_silent_unhappy", "csat_if_silent_happy")
    ] == ["no_data", "no_data"]


def test_a_critical_error_counts_against_its_class_alone_and_only_where_the_class_applies(
    centre: Path,
) -> None:
    criteria = [
        {"key": "identity", "critical": "compliance"},
        {"key": "consent", "critical": "compliance"},
        {"key": "answer", "critical": "customer"},
        {"key": "tone"},
    ]
    of = contact("2026-05-04 10:00", "c1")
    marks = [  # identity, consent, answer, tone
        (1.0, 1.0, 0.0, 0.0),
        (0.0, 1.0, 1.0, 1.0),
        (None, 0.5, None, 0.0),
        (None, None, 1.0, 1.0),
    ]
    with store.writing() as session:
        session.add(
            ScorecardVersion(
                id=1,
                key="service",
                title="Service",
                content={"section": [{"name": "All", "criterion": criteria}]},
            )
        )
        session.flush()
        for given in marks:
            answers = {
                ("All", entry["key"]): (mark, 0.0 if mark is None else 1.0)
                for entry, mark in zip(criteria, given, strict=True)
            }
            session.add(evaluation(of, 50.0, answers, grid_id=1))
        session.add(evaluation(of, 50.0, {("All", "identity"): (0.0, 1.0)}))  # of no known grid
    rows = query.measure(
        Viewer.SYSTEM,
        [f"critical_accuracy_{name}" for name in ("customer", "business", "compliance")],
    )
    assert list(zip(rows["numerator"], rows["n"], rows["status"], strict=True))[::2] == [
        (2, 3, "small_sample"),
        (2, 3, "small_sample"),
    ]
    assert rows["status"][1] == "no_data"  # no criterion is critical for the business
    by = query.measure(Viewer.SYSTEM, ("critical_accuracy_compliance",), ("criterion",)).set_index(
        "criterion"
    )
    assert (by.loc["identity", "value"], by.loc["consent", "value"], by.loc["tone", "status"]) == (
        0.5,
        1.0,
        "no_data",
    )


def test_the_mean_of_advisors_counts_each_once_and_the_mean_of_evaluations_does_not(
    centre: Path,
) -> None:
    add_people({"a1": "Ann", "a2": "Bob"})
    ann, bob = (
        contact("2026-05-04 10:00", advisor, advisor_id=advisor) for advisor in ("a1", "a2")
    )
    with store.writing() as session:
        session.add_all(
            [
                evaluation(ann, 90.0),
                evaluation(ann, 80.0),
                evaluation(ann, 100.0),
                evaluation(ann, None),
                evaluation(bob, 50.0),
            ]
        )
    score, of_advisors = query.measure(
        Viewer.SYSTEM, ("evaluation_score", "advisor_mean_score")
    ).itertuples()
    assert (score.value, score.n) == (80.0, 4)
    assert (of_advisors.value, of_advisors.n, of_advisors.low < 70 < of_advisors.high) == (
        70.0,
        2,
        True,
    )
