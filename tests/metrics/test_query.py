"""The door to the facts: the shape of answers, what each role gets, and what is
refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from builders.centres import PARIS, add_people, close_month, contact, evaluation, land, land_spend

from qa_core.access.roles import Permission, Role, TeamSpan, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store

SYSTEM = Viewer.SYSTEM
MANAGER = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
LEAD = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord", date(2026, 5, 5)),))
ADVISOR = Viewer("ann", Role.ADVISOR, advisor_id="a1")
EVALUATOR = Viewer("eve", Role.EVALUATOR)
EXECUTIVE = Viewer("rex", Role.EXECUTIVE)


@pytest.fixture
def two_teams(centre: Path, start_from: Callable[..., Any]) -> Path:
    start_from(land_two_teams)
    return centre


def land_two_teams() -> None:
    """Six contacts in two teams: 4 May (Monday) a1 in Nord; 5 May a1 and a2 in Nord; 11
    May (Monday) a3 in Sud, twice, and one that nobody answered.
    """
    add_people({"a1": "Ann", "a2": "Bob", "a3": "Ann"}, {"Nord": "Lille", "Sud": "Nice"})
    land(
        [
            contact(
                "2026-05-04 09:30",
                "n1",
                team="Nord",
                advisor_id="a1",
                queue="care",
                customer_key="customer-one",
                wait_seconds=10.0,
                csat=5.0,
                csat_scale="1-5",
            ),
            contact(
                "2026-05-05 10:00",
                "n2",
                team="Nord",
                advisor_id="a1",
                queue="care",
                customer_key="customer-two",
                wait_seconds=30.0,
            ),
            contact(
                "2026-05-05 11:00",
                "n3",
                team="Nord",
                advisor_id="a2",
                queue=None,
                wait_seconds=20.0,
                survey_comment="thank you",
            ),
            contact(
                "2026-05-11 09:00",
                "s1",
                team="Sud",
                advisor_id="a3",
                queue="sales",
                source="google",
                wait_seconds=5.0,
            ),
            contact(
                "2026-05-11 10:00",
                "s2",
                team="Sud",
                advisor_id="a3",
                queue="sales",
                source="bing",
                declared_resolved=True,
            ),
            contact(
                "2026-05-11 23:59",
                "s3",
                queue="sales",
                outcome="abandoned",
                wait_seconds=50.0,
                source="bing",
            ),
        ]
    )


def values(
    kpi: str, *by: str, viewer: Viewer = SYSTEM, where: Filters = Filters()
) -> dict[Any, Any]:
    """Group → value of one KPI."""
    rows = query.to_json(query.measure(viewer, (kpi,), by, where), by)
    return {
        tuple(row["by"].values()) if len(by) > 1 else next(iter(row["by"].values()), None): row[
            "value"
        ]
        for row in rows
    }


def test_without_a_cut_there_is_one_row_in_the_shape_of_the_contract(two_teams: Path) -> None:
    (row,) = query.to_json(query.measure(SYSTEM, ("answer_rate",)))
    assert {**row, "low": round(row["low"], 4), "high": round(row["high"], 4)} == {
        "by": {},
        "kpi": "answer_rate",
        "value": 5 / 6,
        "numerator": 5,
        "denominator": 6,
        "n": 6,
        "low": 0.4365,
        "high": 0.9699,
        "status": "small_sample",
    }


def test_a_total_is_its_own_n_and_has_no_interval(two_teams: Path) -> None:
    (row,) = query.to_json(query.measure(SYSTEM, ("received",)))
    assert row == {
        "by": {},
        "kpi": "received",
        "value": 6,
        "numerator": 6,
        "denominator": None,
        "n": 6,
        "low": None,
        "high": None,
        "status": "small_sample",
    }


def test_the_average_times_carry_their_percentiles_and_first_contact_its_left_out(
    two_teams: Path,
) -> None:
    speed, resolution = query.to_json(
        query.measure(SYSTEM, ("average_speed_of_answer", "first_contact_resolution"))
    )
    assert speed["percentiles"] == {
        "p50": 15.0,
        "p90": pytest.approx(27.0),
        "p95": pytest.approx(28.5),
    }
    assert speed["notes"] == ["waits_missing:1"]
    assert (resolution["status"], resolution["pending"], resolution["unknown_identity"]) == (
        "pending",
        2,
        3,
    )
    assert "percentiles" not in resolution and "notes" not in resolution


def test_what_is_measured_can_be_written_as_json(two_teams: Path) -> None:
    keys = (
        "received",
        "service_level",
        "average_handle_time",
        "nps",
        "first_contact_resolution",
        "cost_per_contact",
        "evaluation_score",
    )
    json.dumps(query.to_json(query.measure(SYSTEM, keys, ("week",)), ("week",)), allow_nan=False)


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ("day", {"2026-05-04": 1, "2026-05-05": 2, "2026-05-11": 3}),
        ("week", {"2026-05-04": 3, "2026-05-11": 3}),
        ("month", {"2026-05": 6}),
        ("weekday", {1: 4, 2: 2}),
        ("hour", {9: 2, 10: 2, 11: 1, 23: 1}),
        ("queue", {"care": 2, "sales": 3, None: 1}),
        ("team", {"Nord": 3, "Sud": 2, None: 1}),
        ("site", {"Lille": 3, "Nice": 2, None: 1}),
        ("advisor", {"Ann (a1)": 2, "Ann (a3)": 2, "Bob": 1, None: 1}),
    ],
)
def test_each_cut_has_the_values_of_the_contract_in_order_with_the_missing_last(
    two_teams: Path, dimension: str, expected: dict[Any, int]
) -> None:
    found = values("received", dimension)
    assert list(found.items()) == list(expected.items())


def test_several_cuts_cross_and_empty_groups_are_absent(two_teams: Path) -> None:
    assert values("received", "week", "queue") == {
        ("2026-05-04", "care"): 2,
        ("2026-05-04", None): 1,
        ("2026-05-11", "sales"): 3,
    }


def test_rows_are_sorted_by_group_and_then_by_the_kpis_as_asked(two_teams: Path) -> None:
    frame = query.measure(SYSTEM, ("received", "answered"), ("week",))
    assert list(zip(frame["week"].map(str), frame["kpi"], strict=True)) == [
        ("2026-05-04", "received"),
        ("2026-05-04", "answered"),
        ("2026-05-11", "received"),
        ("2026-05-11", "answered"),
    ]


def test_both_days_of_a_period_are_in_it_by_the_centre_s_clock(two_teams: Path) -> None:
    assert values("received", where=Filters(Period(date(2026, 5, 5), date(2026, 5, 11)))) == {
        None: 5
    }
    assert values("received", where=Filters(Period(last_day=date(2026, 5, 4)))) == {None: 1}
    assert values("received", where=Filters(Period(date(2026, 5, 12), date(2026, 5, 31)))) == {
        None: None
    }


def test_values_of_one_filter_are_alternatives_and_filters_must_all_hold(two_teams: Path) -> None:
    assert values("received", where=Filters.of(values={"queue": ["care", "sales"]})) == {None: 5}
    assert values("received", where=Filters.of(values={"queue": [None]})) == {None: 1}
    assert values(
        "received",
        where=Filters.of(values={"queue": ["care", None], "team": ["Nord"], "hour": ["9", "11"]}),
    ) == {None: 2}
    assert values("received", where=Filters.of(values={"site": ["Nice", None]})) == {None: 3}
    assert values(
        "received",
        where=Filters.of(values={"week": ["2026-05-11"], "weekday": ["1"], "month": ["2026-05"]}),
    ) == {None: 3}


def test_people_are_meant_by_label_by_id_or_by_a_name_that_several_share(two_teams: Path) -> None:
    assert values("received", where=Filters.of(values={"advisor": ["Ann (a3)"]})) == {None: 2}
    assert values("received", where=Filters.of(values={"advisor": ["a2"]})) == {None: 1}
    assert values("received", where=Filters.of(values={"advisor": ["Ann"]})) == {None: 4}


def test_a_value_that_a_dimension_cannot_have_is_misuse(two_teams: Path) -> None:
    for dimension, value in (("day", "yesterday"), ("hour", "noon"), ("month", "May")):
        with pytest.raises(Misuse):
            query.measure(SYSTEM, ("received",), where=Filters.of(values={dimension: [value]}))


def test_unknown_names_are_misuse_and_impossible_cuts_are_refused(two_teams: Path) -> None:
    for kpis, by, overrides in (
        (("nonsense",), (), {}),
        (("received",), ("colour",), {}),
        (("received",), (), {"colour": "1"}),
        (("received",), (), {"first_contact_days": "99"}),
    ):
        with pytest.raises(Misuse):
            query.measure(SYSTEM, kpis, by, overrides=overrides)
    for kpi, dimension in (
        ("cost_per_contact", "queue"),
        ("cost_per_contact", "hour"),
        ("received", "criterion"),
        ("evaluation_pass_rate", "section"),
    ):
        for by, where in (((dimension,), Filters()), ((), Filters.of(values={dimension: ["x"]}))):
            with pytest.raises(Refusal) as refusal:
                query.measure(SYSTEM, (kpi,), by, where)
            assert (type(refusal.value), refusal.value.code) == (Refusal, "cannot_cut")


def test_an_empty_lake_has_one_no_data_row_per_kpi_and_no_groups(centre: Path) -> None:
    from qa_core.metrics import kpis

    frame = query.measure(SYSTEM, tuple(kpis.BY_KEY))
    assert len(frame) == len(kpis.ALL)
    assert set(frame["status"]) == {"no_data"}
    assert frame["value"].isna().all()
    assert query.measure(SYSTEM, ("received", "evaluation_score"), ("week",)).empty
    assert query.to_json(query.measure(SYSTEM, ("received",), ("week",)), ("week",)) == []
    assert query.data_through(SYSTEM) is None
    assert query.count_contacts(SYSTEM) == 0
    assert query.find_contacts(SYSTEM).empty
    assert query.find_values(SYSTEM, "queue") == []


def test_the_data_reach_to_the_last_contact_by_the_centre_s_clock(two_teams: Path) -> None:
    assert query.data_through(LEAD) == datetime(2026, 5, 11, 23, 59, tzinfo=PARIS)
    assert query.data_span(LEAD) == (date(2026, 5, 4), date(2026, 5, 11))


def test_a_contact_dated_in_the_future_does_not_move_every_period(
    two_teams: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.find_drill_file().touch()
    monkeypatch.setenv("QA_CLOCK", "2026-05-08T12:00")
    assert query.data_span(LEAD) == (date(2026, 5, 4), date(2026, 5, 8))
    assert query.data_through(LEAD).date() == date(2026, 5, 8)
    # A file whose days are all later is looked at as it is.
    monkeypatch.setenv("QA_CLOCK", "2026-04-30T12:00")
    assert query.data_span(LEAD) == (date(2026, 5, 4), date(2026, 5, 11))


def test_a_comparison_puts_the_value_before_beside_the_value(two_teams: Path) -> None:
    week = Filters(Period(date(2026, 5, 11), date(2026, 5, 17)))
    before = Period(date(2026, 5, 4), date(2026, 5, 10))
    (row,) = query.measure(SYSTEM, ("answer_rate",), where=week, compare=before).itertuples()
    assert (row.value, row.value_before, row.n_before, row.status_before) == (
        2 / 3,
        1.0,
        3,
        "small_sample",
    )
    assert row.delta == pytest.approx(-1 / 3)
    days = query.measure(SYSTEM, ("received",), ("day",), week, before)
    assert list(zip(days["day"], days["value"], days["value_before"], strict=True)) == [
        (date(2026, 5, 11), 3, 1)
    ]
    nothing = query.measure(
        SYSTEM, ("received",), where=week, compare=Period(date(2025, 5, 1), date(2025, 5, 31))
    )
    assert (nothing["status_before"].item(), nothing["delta"].isna().item()) == ("no_data", True)


# Fan-out: one contact, two evaluations with two answers each.
#
#   contact  evaluation  score  criterion  earned / possible
#   n1       1             80   greets     2 / 2
#                               sums_up    1 / 2
#   n1       2             60   greets     1 / 2
#                               sums_up    na
@pytest.fixture
def evaluated(two_teams: Path) -> Path:
    of = contact("2026-05-04 09:30", "n1", team="Nord", advisor_id="a1")
    with store.writing() as session:
        session.add(
            evaluation(
                of,
                80.0,
                {("Welcome", "greets"): (2.0, 2.0), ("Close", "sums_up"): (1.0, 2.0)},
                outcome="pass",
            )
        )
        session.add(
            evaluation(
                of,
                60.0,
                {("Welcome", "greets"): (1.0, 2.0), ("Close", "sums_up"): (None, 0.0)},
                outcome="fail",
                evaluator="bea",
            )
        )
        session.add(
            evaluation(contact("2026-05-11 09:00", "s1", team="Sud", advisor_id="a3"), 90.0)
        )
        session.add(
            evaluation(
                contact("2026-05-11 09:00", "s1", team="Sud", advisor_id="a3"), 10.0, state="draft"
            )
        )
    return two_teams


def test_two_evaluations_of_a_contact_leave_it_one_contact_and_count_once_each(
    evaluated: Path,
) -> None:
    frame = query.measure(SYSTEM, ("received", "evaluation_score", "evaluations"), ("advisor",))
    found = {(row.advisor, row.kpi): (row.value, row.n) for row in frame.itertuples()}
    assert found["Ann (a1)", "received"] == (2, 2)
    assert found["Ann (a1)", "evaluation_score"] == (
        70.0,
        2,
    )  # (80 + 60) / 2, not weighted by answers
    assert found["Ann (a3)", "evaluation_score"] == (90.0, 1)  # the draft is not there
    assert found["Bob", "evaluations"][1] == 0


def test_scores_are_cut_by_criterion_section_grid_and_evaluator(evaluated: Path) -> None:
    assert values("evaluation_score", "criterion") == {"greets": 75.0, "sums_up": 50.0}
    assert values("evaluation_score", "section") == {"Close": 50.0, "Welcome": 75.0}
    assert values("evaluation_score", "grid") == {"Service": pytest.approx(230 / 3)}
    assert values("evaluation_score", "evaluator") == {"bea": 60.0, "eve": 85.0}
    assert values("evaluation_score", where=Filters.of(values={"criterion": ["greets"]})) == {
        None: 75.0
    }


def test_scores_are_cut_by_what_only_the_contact_knows(evaluated: Path) -> None:
    assert values("evaluation_score", "queue") == {"care": 70.0, "sales": 90.0}
    assert values("evaluation_score", "hour") == {9: pytest.approx(230 / 3)}
    assert values("evaluation_score", where=Filters.of(values={"queue": ["sales"]})) == {None: 90.0}


def test_the_mean_of_advisors_is_in_no_table_that_an_executive_sees(centre: Path) -> None:
    add_people({f"a{number}": f"Advisor {number}" for number in range(9)})
    land([contact("2026-05-04 10:00")])
    with store.writing() as session:
        for queue, advisors in (("care", 5), ("sales", 4)):
            for number in range(advisors):
                of = contact(
                    "2026-05-04 10:00",
                    queue + str(number),
                    advisor_id=f"a{number + (0 if queue == 'care' else 5)}",
                )
                session.add_all(
                    evaluation(of, 10.0 * number, grid_name=queue)
                    for _ in range(2 if queue == "care" else 3)
                )
    close_month("2026-05")
    (whole,) = query.measure(SYSTEM, ("advisor_mean_score",)).itertuples()
    assert (whole.value, whole.n) == (
        pytest.approx((0 + 10 + 20 + 30 + 40 + 0 + 10 + 20 + 30) / 9),
        9,
    )
    for by in ((), ("grid",)):
        rows = query.measure(EXECUTIVE, ("advisor_mean_score",), by)
        assert set(rows["status"]) == {"suppressed"} and rows["value"].isna().all()


def test_a_new_evaluation_is_seen_at_once(evaluated: Path) -> None:
    with store.writing() as session:
        session.add(
            evaluation(contact("2026-05-05 11:00", "n3", team="Nord", advisor_id="a2"), 30.0)
        )
    assert values("evaluations") == {None: 4}


def test_costs_join_money_and_contacts_on_what_both_share(two_teams: Path) -> None:
    land_spend(
        [
            ("2026-05-11", "google", "spring", 12.0, "EUR"),
            ("2026-05-11", "bing", None, 8.0, "EUR"),
            ("2026-05-04", "press", None, 5.0, "EUR"),
        ]
    )
    assert values("cost_per_contact") == {None: 25 / 3}
    assert values("cost_per_contact", "source") == {"bing": 4.0, "google": 12.0, "press": None}
    assert values("cost_per_answered", "source") == {"bing": 8.0, "google": 12.0, "press": None}
    assert values("cost_per_resolved") == {None: 25.0}
    assert values("cost_per_contact", "week") == {"2026-05-04": None, "2026-05-11": 20 / 3}
    assert values("spend", "source") == {"bing": 8.0, "google": 12.0, "press": 5.0}


def test_two_currencies_are_never_added_up(two_teams: Path) -> None:
    land_spend(
        [("2026-05-11", "google", None, 12.0, "EUR"), ("2026-05-11", "bing", None, 9.0, "USD")]
    )
    rows = query.to_json(query.measure(SYSTEM, ("received", "cost_per_contact")))
    assert [(row["kpi"], row["by"], row["value"]) for row in rows] == [
        ("received", {}, 6),
        ("cost_per_contact", {"currency": "EUR"}, 4.0),
        ("cost_per_contact", {"currency": "USD"}, 3.0),
    ]
    assert all(
        "currency" not in row["by"]
        for row in query.to_json(
            query.measure(
                SYSTEM, ("cost_per_contact",), where=Filters.of(values={"source": ["bing"]})
            )
        )
    )


def test_the_last_days_of_spend_are_provisional(two_teams: Path) -> None:
    land_spend(
        [("2026-05-11", "google", None, 12.0, "EUR"), ("2026-05-04", "google", None, 12.0, "EUR")]
    )
    rows = query.to_json(query.measure(SYSTEM, ("cost_per_contact", "spend")))
    assert [row["notes"] for row in rows] == [["provisional_spend"]] * 2
    assert (
        "notes"
        not in query.to_json(
            query.measure(SYSTEM, ("spend",), where=Filters(Period(last_day=date(2026, 5, 8))))
        )[0]
    )


def test_a_manager_sees_a_cost_only_where_all_its_contacts_are_theirs(two_teams: Path) -> None:
    land_spend(
        [("2026-05-11", "google", None, 12.0, "EUR"), ("2026-05-11", "bing", None, 8.0, "EUR")]
    )
    south = Viewer("sue", Role.MANAGER, managed_teams=("Sud",))
    rows = {
        row["by"]["source"]: row
        for row in query.to_json(
            query.measure(south, ("cost_per_contact",), ("source",)), ("source",)
        )
    }
    assert rows["google"]["value"] == 12.0
    assert (rows["bing"]["value"], rows["bing"]["n"], rows["bing"]["notes"]) == (
        None,
        1,
        ["spend_beyond_scope"],
    )
    assert query.measure(MANAGER, ("cost_per_contact", "spend"), ("source",)).empty
    assert query.measure(MANAGER, ("cost_per_contact", "spend"))["value"].isna().all()


def test_each_role_counts_its_own_rows(evaluated: Path) -> None:
    assert values("received", viewer=MANAGER) == {None: 3}
    assert values("received", viewer=LEAD) == {None: 2}  # from 5 May on
    assert values("received", viewer=ADVISOR) == {None: 2}
    assert values("received", "advisor", viewer=MANAGER) == {"Ann (a1)": 2, "Bob": 1}
    assert values("evaluations", viewer=EVALUATOR) == {None: 2}
    assert values("evaluation_score", viewer=ADVISOR) == {None: 70.0}
    assert values("evaluations", viewer=LEAD) == {None: None}


def test_a_filter_cannot_reach_beyond_the_scope(two_teams: Path) -> None:
    assert values("received", viewer=MANAGER, where=Filters.of(values={"team": ["Sud", None]})) == {
        None: None
    }
    assert values("received", viewer=LEAD, where=Filters.of(values={"advisor": ["Ann"]})) == {
        None: 1
    }


@pytest.mark.parametrize(
    ("viewer", "kpi", "dimension"),
    [
        (Viewer("dan", Role.DPO), "received", None),
        (Viewer("adm", Role.ADMIN), "received", None),
        (Viewer("x", None), "received", None),
        (Viewer("x", "boss"), "received", None),  # type: ignore[arg-type]
        (EVALUATOR, "received", None),
        (ADVISOR, "attribution_rate", None),
        (ADVISOR, "received", "team"),
        (ADVISOR, "evaluation_score", "evaluator"),
        (ADVISOR, "received", "advisor"),
        (LEAD, "evaluation_score", "evaluator"),
        (EXECUTIVE, "received", "advisor"),
        (EXECUTIVE, "received", "team"),
        (EXECUTIVE, "received", "day"),
        (EXECUTIVE, "evaluation_score", "evaluator"),
        (EXECUTIVE, "evaluation_score", "criterion"),
    ],
)
def test_what_a_role_may_not_see_is_denied_inside_the_call(
    two_teams: Path, viewer: Viewer, kpi: str, dimension: str | None
) -> None:
    questions = (
        [((dimension,), Filters()), ((), Filters.of(values={dimension: ["x"]}))]
        if dimension
        else [((), Filters())]
    )
    for by, where in questions:
        with pytest.raises(AccessDenied):
            query.measure(viewer, (kpi,), by, where)


@pytest.mark.parametrize(
    "viewer",
    [Viewer("dan", Role.DPO), Viewer("adm", Role.ADMIN), Viewer("x", None), EVALUATOR, EXECUTIVE],
)
def test_contacts_are_denied_to_whoever_may_not_see_them(two_teams: Path, viewer: Viewer) -> None:
    for ask in (
        lambda: query.find_contacts(viewer),
        lambda: query.count_contacts(viewer),
        lambda: query.get_contact(viewer, "generic", "n1"),
    ):
        with pytest.raises(AccessDenied):
            ask()


def test_lists_hold_the_viewer_s_contacts_newest_first(two_teams: Path) -> None:
    assert list(query.find_contacts(MANAGER)["contact_id"]) == ["n3", "n2", "n1"]
    assert list(query.find_contacts(MANAGER, order="oldest", limit=1, offset=1)["contact_id"]) == [
        "n2"
    ]
    assert list(
        query.find_contacts(SYSTEM, Filters.of(values={"queue": ["sales"]}), order="longest_wait")[
            "contact_id"
        ]
    ) == ["s3", "s1", "s2"]
    assert (
        query.count_contacts(MANAGER),
        query.count_contacts(LEAD),
        query.count_contacts(ADVISOR),
    ) == (3, 2, 2)
    with pytest.raises(Misuse):
        query.find_contacts(SYSTEM, order="by_name")


def test_a_list_can_hold_only_the_contacts_that_a_kpi_counts(two_teams: Path) -> None:
    assert list(query.find_contacts(SYSTEM, behind="average_speed_of_answer")["contact_id"]) == [
        "s1",
        "n3",
        "n2",
        "n1",
    ]
    assert query.count_contacts(SYSTEM, behind="csat") == 1


def test_a_role_s_list_has_no_column_that_the_role_may_not_see(two_teams: Path) -> None:
    assert list(query.find_contacts(MANAGER)["customer"]) == [None, "•• wo", "•• ne"]
    for viewer in (LEAD, ADVISOR):
        assert "customer" not in query.find_contacts(viewer)
    for viewer in (MANAGER, LEAD, ADVISOR):
        assert not {"customer_key", "batch_id", "advisor_id"} & set(query.find_contacts(viewer))
        assert viewer.can(Permission.SEE_TRACKING) == ("source" in query.find_contacts(viewer))
    with pytest.raises(AccessDenied):
        query.find_contacts(LEAD, columns=("contact_id", "customer"))
    with pytest.raises(AccessDenied):
        query.find_contacts(MANAGER, columns=("customer_key",))


def test_a_contact_out_of_scope_and_one_that_does_not_exist_look_alike(two_teams: Path) -> None:
    refusals = []
    for contact_id in ("s1", "nothing"):
        with pytest.raises(AccessDenied) as refusal:
            query.get_contact(MANAGER, "generic", contact_id)
        refusals.append((refusal.value.code, str(refusal.value)))
    assert refusals[0] == refusals[1]
    with pytest.raises(AccessDenied):
        query.get_contact(LEAD, "generic", "n1")  # before they led the team


def test_one_contact_in_full_has_its_evaluations_without_the_evaluator_for_a_lead(
    evaluated: Path,
) -> None:
    found = query.get_contact(MANAGER, "generic", "n1")
    assert (found["advisor"], found["customer"], found["csat"], found["queue"]) == (
        "Ann (a1)",
        "•• ne",
        5.0,
        "care",
    )
    assert [(entry["score"], entry["evaluator"]) for entry in found["evaluations"]] == [
        (80.0, "eve"),
        (60.0, "bea"),
    ]
    own = query.get_contact(ADVISOR, "generic", "n1")
    assert [sorted(entry) for entry in own["evaluations"]] == [
        ["calculated_score", "evaluated_at", "grid", "id", "outcome", "score"]
    ] * 2


def test_filters_offer_only_values_of_the_viewer_s_own_contacts(two_teams: Path) -> None:
    assert query.find_values(SYSTEM, "queue") == [("sales", 3), ("care", 2), (None, 1)]
    assert query.find_values(MANAGER, "queue") == [("care", 2), (None, 1)]
    assert query.find_values(MANAGER, "advisor") == [("Ann (a1)", 2), ("Bob", 1)]
    assert query.find_values(LEAD, "team") == [("Nord", 2)]
    assert query.find_values(LEAD, "declared") == [(None, 2)]
    with pytest.raises(AccessDenied):
        query.find_values(ADVISOR, "advisor")
    with pytest.raises(AccessDenied):
        query.find_values(Viewer("dan", Role.DPO), "queue")
