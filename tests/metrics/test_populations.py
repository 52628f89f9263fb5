"""Figures whose population a viewer does not see: missed contacts without a team, and
earlier periods of which most days are missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders.centres import add_people, contact, interval, land, land_intervals

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.base.errors import Refusal
from qa_core.centre.settings import SERVICE_LEVEL_FORMULAS
from qa_core.metrics import kpis, query
from qa_core.metrics.kpis.dimensions import Filters, Period

MANAGER = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
SEES_ALL = Viewer("maxi", Role.MANAGER, managed_teams=("Nord",), sees_unassigned=True)
LEAD = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
NEW_LEAD = Viewer("leo", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord", date(2026, 5, 5)),))
ADVISOR = Viewer("ann", Role.ADVISOR, advisor_id="a1")
EXECUTIVE = Viewer("rex", Role.EXECUTIVE)
CONCERNED = (MANAGER, LEAD, NEW_LEAD, ADVISOR)
NEEDING = (
    "answer_rate",
    "abandon_rate",
    "missed",
    "recovered_rate",
    "call_back_rate",
    "average_time_to_abandon",
    "service_level",
)
NUMBERS = ("value", "numerator", "denominator", "n", "low", "high", "pending", "p50")


def land_missed(team: str | None, count: int = 1, day: str = "2026-05-06", **more: Any) -> None:
    """Land 40 answered contacts of Nord and so many missed ones of that team on a day."""
    answered = {"team": "Nord", "advisor_id": "a1", "wait_seconds": 8.0}
    rows = [contact(f"{day} 09:00", f"a{day}{more}{i}", **answered | more) for i in range(40)]
    missed = {"outcome": "abandoned", "wait_seconds": 30.0, "team": team}
    rows += [contact(f"{day} 09:00", f"m{day}{more}{i}", **missed | more) for i in range(count)]
    land(rows)


def read(viewer: Viewer, *keys: str, **asked: Any) -> list[Any]:
    return list(query.measure(viewer, keys, **asked).itertuples())


def values(viewer: Viewer, key: str, by: str, **asked: Any) -> dict[Any, Any]:
    rows = read(viewer, key, by=(by,), **asked)
    return {getattr(row, by): None if row.value != row.value else row.value for row in rows}


@pytest.mark.parametrize("viewer", CONCERNED, ids=lambda viewer: viewer.username)
def test_who_sees_no_missed_contact_reads_no_number_of_them(centre: Path, viewer: Viewer) -> None:
    land_missed(None, 10)

    for row in read(viewer, *NEEDING):
        assert (row.status, row.notes) == ("no_data", ("missed_out_of_scope",)), row.kpi
        assert all(getattr(row, name) != getattr(row, name) for name in NUMBERS), row.kpi
    (received,) = read(viewer, "received")
    assert (received.value, received.status, received.notes) == (40, "ok", ("answered_only",))
    (answered, wait) = read(viewer, "answered", "average_speed_of_answer")
    assert (answered.value, wait.value, answered.notes, wait.notes) == (40, 8.0, (), ())


def test_who_sees_contacts_without_a_team_reads_the_rates(centre: Path) -> None:
    land_missed(None, 10)

    for viewer in (SEES_ALL, Viewer.SYSTEM):
        rate, missed, received = read(viewer, "answer_rate", "missed", "received")
        assert (rate.value, missed.value, received.value) == (0.8, 10, 50)
        assert rate.notes == missed.notes == received.notes == ()


def test_who_sees_all_reads_which_figures_of_a_team_count_answered_contacts_alone(
    centre: Path,
) -> None:
    add_people({}, {"Nord": "Lille"})
    land_missed(None, 10)
    keys, alone = ("answer_rate", "missed", "received", "answered"), ("answered_only",)

    for viewer in (SEES_ALL, Viewer.SYSTEM):
        for by in ("team", "site"):
            rows = read(viewer, *keys, by=(by,))
            of_teams = {row.kpi: row.notes for row in rows if getattr(row, by) is not None}
            assert of_teams == dict.fromkeys(keys[:3], alone) | {"answered": ()}
            assert {row.notes for row in rows if getattr(row, by) is None} == {()}
        named = read(viewer, *keys, where=Filters.of(values={"team": ["Nord"]}))
        assert [(row.value, row.notes) for row in named[:2]] == [(1.0, alone), (0, alone)]
        both = read(viewer, "answer_rate", where=Filters.of(values={"team": ["Nord", None]}))
        assert [(row.value, row.notes) for row in both] == [(0.8, ())]


def test_a_rate_by_what_missed_contacts_lack_says_that_answered_ones_alone_are_counted(
    centre: Path,
) -> None:
    land_missed("Nord", 10)

    for viewer in (Viewer.SYSTEM, LEAD):
        ann, nobody = read(viewer, "answer_rate", by=("advisor",))
        assert (ann.value, ann.notes) == (1.0, ("missed_without_value",))
        assert (nobody.value, nobody.notes) == (0.0, ())
    land_missed("Nord", 10, "2026-05-07", reason="Bill")
    [may] = read(SEES_ALL, "answer_rate", where=Filters.of(values={"reason": ["Bill"]}))
    assert (may.value, may.notes) == (0.8, ("missed_without_value",))
    day = Period(date(2026, 5, 7), date(2026, 5, 7))
    [bill] = read(SEES_ALL, "answer_rate", by=("reason",), where=Filters(day))
    assert (bill.value, bill.notes) == (0.8, ())


def test_missed_contacts_of_all_teams_beside_answered_ones_of_own_are_noted(centre: Path) -> None:
    land_missed(None, 10)
    land_missed(None, 10, "2026-06-06")
    other = {"team": "Sud", "advisor_id": "a2"}
    land([contact("2026-06-06 10:00", f"s{i}", **other) for i in range(40)])
    none = replace(SEES_ALL, managed_teams=())

    keys, noted = ("answer_rate", "received", "answered"), ("missed_of_all",)
    rate, received, answered = read(SEES_ALL, *keys)
    assert (rate.value, rate.notes) == (0.8, noted)  # the whole centre: 120 of 140
    assert (received.value, received.notes, answered.notes) == (100, noted, ())
    assert values(SEES_ALL, "answer_rate", "month") == {"2026-05": 0.8, "2026-06": 0.8}
    months = read(SEES_ALL, "answer_rate", by=("month",))
    assert [row.notes for row in months] == [(), noted]
    rate, received, _ = read(none, *keys)
    assert (rate.status, rate.notes, received.value) == ("no_data", noted, 20)
    assert query.find_out_of_scope(none, keys) == ["answer_rate"]
    assert query.find_out_of_scope(SEES_ALL, keys) == []
    assert [(row.value, row.notes) for row in read(none, "missed")] == [(20, noted)]
    assert query.explain(none, "answer_rate").is_hidden
    both = replace(SEES_ALL, managed_teams=("Nord", "Sud"))
    assert [(row.value, row.notes) for row in read(both, "received")] == [(140, ())]
    land_missed("Sud", 2000, "2026-07-06")  # 20 of 2,020 have no team: their source names teams
    assert read(SEES_ALL, "answer_rate")[0].notes == ()


def test_where_missed_contacts_carry_their_team_the_rates_stand(centre: Path) -> None:
    land_missed("Nord", 10)

    for viewer in (MANAGER, LEAD, NEW_LEAD):
        rate, received = read(viewer, "answer_rate", "received")
        assert (rate.value, received.value, received.notes) == (0.8, 50, ())


def test_one_in_a_hundred_without_a_team_is_borne_and_more_is_not(centre: Path) -> None:
    land_missed("Nord", 99)
    land_missed(None, 1, queue="other")

    assert read(LEAD, "missed")[0].value == 99
    land_missed(None, 2, queue="third")  # 3 of 102
    assert read(LEAD, "missed")[0].status == "no_data"


def test_each_row_of_an_answer_is_decided_by_its_own_time_queue_and_channel(centre: Path) -> None:
    land_missed("Nord", 10, "2026-04-06", queue="sales")
    land_missed(None, 10, "2026-05-06", queue="care", channel="chat")

    assert values(LEAD, "answer_rate", "month") == {"2026-04": 0.8, "2026-05": None}
    assert values(LEAD, "answer_rate", "queue") == {"sales": 0.8, "care": None}
    assert values(LEAD, "answer_rate", "channel") == {"phone": 0.8, "chat": None}
    assert values(LEAD, "answer_rate", "team") == {"Nord": None}
    assert read(LEAD, "answer_rate", where=Filters.of(values={"queue": ["sales"]}))[0].value == 0.8
    cuts = query.measure_cuts(LEAD, ("answer_rate", "received"), (("queue",), ("month",), ()))
    for by, frame in zip((("queue",), ("month",), ()), cuts, strict=True):
        assert frame.equals(query.measure(LEAD, ("answer_rate", "received"), by))


def test_a_service_level_that_ignores_abandons_stands(centre: Path) -> None:
    land_missed(None, 10)

    rows = query.measure_under(
        LEAD, "service_level", "service_level_formula", SERVICE_LEVEL_FORMULAS
    )
    found = dict(zip(SERVICE_LEVEL_FORMULAS, rows["value"].tolist(), strict=True))
    assert found.pop("abandons_ignored") == 1.0
    assert all(value != value for value in found.values())
    overrides = {"service_level_formula": "abandons_ignored"}
    assert read(LEAD, "service_level", overrides=overrides)[0].value == 1.0
    with pytest.raises(Refusal, match="only managers see other values"):
        query.measure_under(
            EXECUTIVE, "service_level", "service_level_formula", SERVICE_LEVEL_FORMULAS
        )


def test_intervals_that_name_their_team_say_what_it_missed(centre: Path) -> None:
    add_people({}, {"Nord": "Lille"})
    land_intervals([interval("2026-05-04", team="Nord", received=50, answered=40)])
    assert read(LEAD, "answer_rate")[0].value == 0.8

    land_intervals([interval("2026-05-05", received=50, answered=40)])
    assert read(LEAD, "answer_rate")[0].status == "no_data"
    assert values(LEAD, "answer_rate", "day") == {date(2026, 5, 4): 0.8}


def test_what_is_made_of_missed_contacts_elsewhere_is_not_said_either(centre: Path) -> None:
    land_missed(None, 10)
    land_missed("Nord", 3, "2026-05-07", customer_key="carl")

    for key in NEEDING:
        one = query.explain(LEAD, key)
        assert (one.universe, one.counted, one.excluded, one.is_hidden) == (None, None, (), True)
    variants = {one.value: one.row.value for one in query.explain(LEAD, "service_level").variants}
    assert variants.pop("abandons_ignored") == 1.0
    assert set(variants.values()) == {None}
    assert query.find_out_of_scope(LEAD, tuple(kpis.BY_KEY)) == [
        kpi.key for kpi in kpis.ALL if kpi.key in NEEDING
    ]
    assert query.find_out_of_scope(SEES_ALL, tuple(kpis.BY_KEY)) == []


OCTOBER = Period(date(2026, 10, 5), date(2026, 11, 1))
SEPTEMBER = Period(date(2026, 9, 7), date(2026, 10, 4))


def land_days(days: Iterable[date], team: str | None = "Nord") -> None:
    clock = [datetime.combine(day, datetime.min.time()).replace(hour=9) for day in days]
    land([contact(at, f"{at:%m%d}", team=team, csat=5.0, csat_scale="1-5") for at in clock])


def workdays(period: Period) -> list[date]:
    days = [period.first_day + timedelta(days=place) for place in range(period.days)]
    return [day for day in days if day.isoweekday() <= 5]


@pytest.mark.parametrize(("found", "is_incomplete"), [(20, False), (10, False), (9, True)])
def test_a_period_with_few_days_of_data_is_not_compared_with(
    centre: Path, found: int, is_incomplete: bool
) -> None:
    # The centre began in September, and is closed at weekends: 20 days should be there.
    land_days([*workdays(SEPTEMBER)[-found:], *workdays(OCTOBER)])

    row, score = read(
        Viewer.SYSTEM, "received", "evaluations", where=Filters(OCTOBER), compare=SEPTEMBER
    )

    assert row.value == 20
    if is_incomplete:
        assert row.notes == ("before_incomplete",) and row.status_before == "no_data"
        assert all(one != one for one in (row.value_before, row.n_before, row.delta))
    else:
        assert (row.value_before, row.delta, row.notes) == (found, 20 - found, ())
    assert score.notes == ()  # evaluations have days of their own


def test_a_closed_weekend_is_no_gap(centre: Path) -> None:
    land_days([*workdays(SEPTEMBER), *workdays(OCTOBER)])
    saturdays = [Period(date(2026, 10, day), date(2026, 10, day + 1)) for day in (17, 10)]

    (row,) = read(Viewer.SYSTEM, "received", where=Filters(saturdays[0]), compare=saturdays[1])

    assert row.notes == ()
