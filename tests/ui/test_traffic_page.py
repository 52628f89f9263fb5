"""Traffic: contacts, waits and missed callers by half-hour, also on the days on which
the clocks change, and what the page says of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest
from builders.centres import PARIS, add_people, close_month, contact, interval, land, land_intervals
from builders.shown_texts import text_of
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, Viewer
from qa_core.base.errors import AccessDenied, Misuse
from qa_core.metrics import query
from qa_core.metrics.kpis import half_hours
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.ui.frame import menu
from qa_core.ui.views.performance import traffic

SYSTEM, EXECUTIVE = Viewer.SYSTEM, Viewer("rex", Role.EXECUTIVE)
BACK, FORWARD = date(2026, 10, 25), date(2026, 3, 29)


def values(key: str, *by: str, where: Filters = Filters()) -> dict:
    frame = query.measure(SYSTEM, (key,), by, where)
    return {
        row[by[0]] if len(by) == 1 else tuple(row[name] for name in by): row["value"]
        for row in frame.to_dict("records")
    }


def test_a_half_hour_holds_what_began_in_it(centre: Path) -> None:
    land([contact(f"2026-05-04 {clock}") for clock in ("09:00", "09:29:59", "09:30", "10:00")])

    assert values("received", "half_hour") == {"09:00": 2, "09:30": 1, "10:00": 1}
    assert values("received", "weekday", "half_hour") == {
        (1, "09:00"): 2,
        (1, "09:30"): 1,
        (1, "10:00"): 1,
    }
    assert values(
        "received", "half_hour", where=Filters.of(values={"half_hour": ["09:30", "10:00"]})
    ) == {"09:30": 1, "10:00": 1}


@pytest.mark.parametrize("text", ["9:30", "09:15", "morning"])
def test_what_is_no_half_hour_is_refused(centre: Path, text: str) -> None:
    with pytest.raises(Misuse):
        query.measure(SYSTEM, ("received",), (), Filters.of(values={"half_hour": [text]}))


@pytest.mark.parametrize(
    ("dimension", "text"),
    [
        ("hour", "24"),
        ("hour", "-1"),
        ("hour", "9.5"),
        ("weekday", "0"),
        ("weekday", "8"),
        ("weekday", "Monday"),
    ],
)
def test_what_is_no_hour_and_no_weekday_is_refused_instead_of_finding_nothing(
    centre: Path, dimension: str, text: str
) -> None:
    with pytest.raises(Misuse):
        query.measure(SYSTEM, ("received",), (), Filters.of(values={dimension: [text]}))


def test_waits_of_a_half_hour_have_percentiles(centre: Path) -> None:
    land([contact("2026-05-04 09:10", wait_seconds=float(wait)) for wait in (10, 20, 30, 40)])

    row = query.measure(SYSTEM, ("average_speed_of_answer",), ("half_hour",)).iloc[0]

    assert (row["p50"], row["p90"], row["p95"]) == pytest.approx((25.0, 37.0, 38.5))


def test_totals_belong_to_a_half_hour_only_when_they_are_no_longer_than_one(centre: Path) -> None:
    land_intervals(
        [interval("2026-05-04 09:15", 15, received=1), interval("2026-05-05 09:30", 30, received=2)]
    )
    land_intervals(
        [interval("2026-05-06 09:00", 60, received=4), interval("2026-05-07", 1440, received=8)]
    )

    assert values("received", "half_hour") == {"09:00": 1, "09:30": 2}
    assert values("received", "hour") == {9: 7}


def test_executives_see_no_half_hours(centre: Path) -> None:
    where = Filters(Period(date(2026, 5, 1), date(2026, 5, 31)))
    with pytest.raises(AccessDenied):
        query.measure(EXECUTIVE, ("received",), ("half_hour",), where)


def test_a_missed_caller_counts_as_reached_by_a_call_back_or_a_new_try(centre: Path) -> None:
    def missed(customer: str | None, clock: str = "09:00") -> dict:
        return contact(f"2026-05-04 {clock}", outcome="abandoned", customer_key=customer)

    def called(customer: str, clock: str, outcome: str) -> dict:
        return contact(
            f"2026-05-04 {clock}", direction="outbound", outcome=outcome, customer_key=customer
        )

    land(
        [
            missed("called"),
            called("called", "09:20", "failed"),
            called("called", "10:00", "answered"),
            missed("again"),
            contact("2026-05-04 09:30", customer_key="again"),
            called("again", "11:00", "answered"),
            missed("in vain"),
            called("in vain", "12:00", "failed"),
            missed("nobody"),
            missed(
                "nobody", "09:10"
            ),  # one miss: the second try falls into the window of the first
            missed("late"),
            contact("2026-05-06 09:00", customer_key="late"),
            missed(None),
            contact("2026-05-06 08:00", outcome="abandoned", customer_key="open"),
        ]
    )

    rows = query.measure(SYSTEM, ("recovered_rate", "call_back_rate")).set_index("kpi")
    recovered = rows.loc["recovered_rate"]
    assert (recovered["numerator"], recovered["denominator"]) == (2, 6)
    assert rows.loc["call_back_rate", "numerator"] == 3


def test_the_hour_that_comes_twice_counts_twice_and_the_one_left_out_never() -> None:
    back = half_hours.count_half_hours([date(2026, 10, 18), BACK], PARIS)
    forward = half_hours.count_half_hours([FORWARD], PARIS)

    assert (back[7, "01:30"], back[7, "02:00"], back[7, "02:30"], back[7, "03:00"]) == (2, 3, 3, 2)
    assert sum(back.values()) == 48 + 50
    assert (7, "02:00") not in forward and (7, "02:30") not in forward
    assert sum(forward.values()) == 46


def test_half_hours_after_the_last_contact_have_not_come_yet() -> None:
    counted = half_hours.count_half_hours(
        [date(2026, 5, 4)], PARIS, datetime(2026, 5, 4, 10, 10, tzinfo=PARIS)
    )

    assert (counted.get((1, "10:00")), counted.get((1, "10:30"))) == (1, None)


def rates(*pairs: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "hour": range(9, 9 + len(pairs)),
            "n": [float(n) for _hits, n in pairs],
            "numerator": [float(hits) for hits, _n in pairs],
            "denominator": [float(n) for _hits, n in pairs],
            "value": [hits / n for hits, n in pairs],
            "low": [hits / n - 0.05 for hits, n in pairs],
            "high": [hits / n + 0.05 for hits, n in pairs],
        }
    )


def test_the_worst_hour_differs_from_the_others_by_more_than_chance_and_rests_on_enough() -> None:
    assert traffic.find_worst(rates((90, 100), (60, 100), (88, 100), (2, 10)), "up").hour == 10
    assert traffic.find_worst(rates((5, 100), (30, 100), (4, 100)), "down").hour == 10


def test_no_hour_is_the_worst_where_chance_explains_all() -> None:
    assert traffic.find_worst(rates((90, 100), (87, 100), (92, 100)), "up") is None
    assert traffic.find_worst(rates((1, 10), (9, 10)), "up") is None


def busy_centre() -> None:
    """Four weeks to 1 November 2026, Mondays to Fridays: 40 contacts at 09:00 and at
    10:30, half of those on Fridays at 10:30 abandoned; some at night on 25 October,
    when the clocks go back.
    """
    add_people({"a1": "Ann"}, {"Nord": "Lille"})
    rows = []
    for week in range(4):
        for day in range(5):
            for clock in ("09:00", "10:30"):
                for place in range(10):
                    is_missed = (day, clock) == (4, "10:30") and place % 2
                    start = datetime.fromisoformat(
                        f"2026-10-{5 + 7 * week + day:02d} {clock}:{place:02d}"
                    )
                    rows.append(
                        contact(
                            start,
                            team="Nord",
                            advisor_id="a1",
                            wait_seconds=15.0,
                            outcome="abandoned" if is_missed else "answered",
                        )
                    )
    night = contact("2026-10-25 02:10", team="Nord", advisor_id="a1", wait_seconds=15.0)
    rows += [
        night,
        night | {"started_at": datetime(2026, 10, 25, 1, 10), "contact_id": "second"},
        night | {"contact_id": "third"},
    ]
    land(rows)


@pytest.fixture
def open_traffic(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> Callable[..., AppTest]:
    def follow(role: str, bounds: dict, **query_params: str) -> AppTest:
        add_person("someone", role, language="en", **bounds)
        app = open_app("someone", "traffic", **query_params)
        assert not app.exception
        return app

    return follow


MANAGER = ("manager", {"sites": ("Lille",)})


def test_the_page_says_when_most_stay_unanswered(
    open_traffic: Callable[..., AppTest],
) -> None:
    busy_centre()

    said = text_of(open_traffic(*MANAGER, period="2026-10"))

    assert "Answer rate clearly worse: Friday at 10:30, 50.0" in said


def test_contacts_without_a_time_of_day_are_in_no_cell_and_the_page_says_how_many(
    open_traffic: Callable[..., AppTest],
) -> None:
    add_people({}, {"Nord": "Lille"})
    timed = [contact("2026-10-05 09:00", f"t{n}", team="Nord") for n in range(40)]
    days = [contact("2026-10-05", f"d{n}", team="Nord", time_missing=True) for n in range(50)]
    land(timed + days)
    assert values("received", "weekday", "hour") == {(1, 9): 40, (1, None): 50}

    said = text_of(open_traffic(*MANAGER, period="2026-10", measure="received"))

    assert "Busiest: Monday at 09:00, 40.0 contacts" in said
    assert "50 contacts have no half-hour in their files and are in no cell." in said


def test_a_period_of_days_alone_has_no_map_of_the_week(
    open_traffic: Callable[..., AppTest],
) -> None:
    add_people({}, {"Nord": "Lille"})
    land([contact("2026-10-05", f"d{n}", team="Nord", time_missing=True) for n in range(50)])

    said = text_of(open_traffic(*MANAGER, period="2026-10"))

    assert "No data by half-hour or hour" in said
    assert "50 contacts have no half-hour in their files and are in no cell." in said


def test_the_measure_stands_in_the_address_and_the_doubled_half_hour_is_no_double_traffic(
    open_traffic: Callable[..., AppTest],
) -> None:
    busy_centre()

    app = open_traffic(*MANAGER, period="2026-10", measure="received", by="weekday")

    # Ten on each Monday, while the three of Sunday night came in a half-hour that was
    # there twice.
    assert "Busiest: Monday at 09:00, 10.0 contacts" in text_of(app)
    assert (
        traffic.Clock("half_hour", times=half_hours.count_half_hours([BACK], PARIS)).count(
            "02:00", 7
        )
        == 2
    )
    assert dict(app.query_params) == {"period": "2026-10", "measure": "received", "by": "weekday"}


def test_what_an_address_says_that_is_no_measure_is_passed_over(
    open_traffic: Callable[..., AppTest],
) -> None:
    busy_centre()

    app = open_traffic(*MANAGER, period="2026-10", measure="mood")

    assert "Answer rate clearly worse" in text_of(app)
    assert "measure" not in app.query_params


def test_a_team_lead_whose_missed_contacts_belong_to_no_team_reads_no_rates_of_them(
    open_traffic: Callable[..., AppTest],
) -> None:
    add_people({"a1": "Ann"}, {"Nord": "Lille"})
    land(
        [
            contact("2026-10-05 09:00", team="Nord", advisor_id="a1", wait_seconds=9.0),
            contact("2026-10-05 09:10", outcome="abandoned"),
        ]
    )

    app = open_traffic("team_lead", {"teams": ("Nord",)}, period="2026-10")

    def read_tiles() -> dict[str, str]:
        return {metric.label: metric.value for metric in app.metric}

    why = "Missed contacts have no team, so they are outside your scope."
    assert read_tiles() == {
        "Contacts received": "1",
        "Service level": ":gray[–]",
        "Abandon rate": ":gray[–]",
        "Speed of answer": "9\xa0s",
    }
    assert why in text_of(app)
    assert "Only answered contacts are counted: the missed ones have no team." in text_of(app)
    assert all("Answered" not in frame.value.columns for frame in app.dataframe)
    app.switch_page(menu.find_page("overview").path).run()
    assert (read_tiles()["Contacts received"], read_tiles()["Answer rate"]) == ("1", ":gray[–]")
    assert why in text_of(app)
    assert "100" not in text_of(app)


def test_executives_read_why_they_see_no_half_hours(open_traffic: Callable[..., AppTest]) -> None:
    busy_centre()
    close_month("2026-10")

    said = text_of(open_traffic("executive", {}, period="1m"))

    assert "Months and channels only" in said
    assert "Answer rate clearly worse" not in said


def test_totals_by_the_day_are_in_no_cell_and_the_page_says_so(
    open_traffic: Callable[..., AppTest],
) -> None:
    add_people({"a1": "Ann"}, {"Nord": "Lille"})
    land_intervals([interval("2026-10-05", team="Nord", received=50, answered=45)])

    assert "No data by half-hour or hour" in text_of(open_traffic(*MANAGER, period="2026-10"))


def test_a_team_whose_waits_nobody_knows_has_no_map_of_the_week(
    centre: Path, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    add_people({"a": "Ann"}, {"Nord": "Lille"})
    land([contact("2026-05-04 09:00", advisor_id="a", team="Nord")])
    add_person("lea", "team_lead", teams=("Nord",))

    app = open_app("lea", "traffic", period="all")

    assert not app.exception
    assert "Too few contacts to compare times" in text_of(app)


def test_a_list_of_contacts_of_both_directions_says_so(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    # The Overview counts one contact received.
    land(
        [
            contact("2026-05-04 10:00", "in"),
            contact("2026-05-04 11:00", "out", direction="outbound"),
        ]
    )
    add_people({}, {"North": "Lyon"})
    add_person("max", "manager", sites=("Lyon",), sees_unassigned=True)

    whole, received = (
        [*app.markdown, *app.caption]
        for app in (open_app("max", "contacts"), open_app("max", "contacts", behind="received"))
    )

    both = "All contacts, inbound and outbound"
    assert {"##### 2 contacts", both} <= {one.value for one in whole}
    shown = {one.value for one in received}
    assert "##### 1 contact" in shown and both not in shown
