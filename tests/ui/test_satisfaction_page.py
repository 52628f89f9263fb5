"""The page Satisfaction: what goes with it, how it stands a year apart, who answered,
and what is shown of few people.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders.centres import add_people, close_month, contact, land
from builders.shown_texts import as_read

from qa_core.access.roles import Role, Viewer
from qa_core.analysis import year_over_year
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period

EXECUTIVE = Viewer("rex", Role.EXECUTIVE)
MAY = Filters(Period(date(2026, 5, 1), date(2026, 5, 31)))


def rated(
    queue: str, n: int, satisfied: int, advisors: int = 8, month: str = "2026-05", **columns: Any
) -> list[dict[str, Any]]:
    """So many rated contacts of that queue, the first `satisfied` of them with a 5, the
    others with a 2; spread over advisors.
    """
    return [
        contact(
            f"{month}-{1 + position % 28:02d} 10:{position % 60:02d}",
            queue=queue,
            advisor_id=f"a{position % advisors}",
            team="North",
            survey_sent=True,
            csat=5.0 if position < satisfied else 2.0,
            csat_scale="1-5",
            nps=9.0 if position < satisfied else 3.0,
            **columns,
        )
        for position in range(n)
    ]


def land_only(*groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = [row for group in groups for row in group]
    land([{**row, "contact_id": f"c{number}"} for number, row in enumerate(rows)])
    return rows


def land_all(*groups: list[dict[str, Any]]) -> None:
    """Land these contacts, and publish their months: executives see them."""
    close_month(max(row["month"] for row in land_only(*groups)))


def found(viewer: Viewer, where: Filters = MAY) -> dict[tuple[str, Any], Any]:
    return {
        (driver.factor, driver.level): driver
        for driver in query.find_drivers(viewer, where).drivers
    }


def test_each_queue_is_held_against_the_others_by_its_ratings(centre: Path) -> None:
    land_only(rated("Billing", 100, 40), rated("Sales", 60, 48), rated("Moves", 40, 28))

    billing = found(Viewer.SYSTEM)["queue", "Billing"]

    assert (billing.n, billing.rate) == (100, 0.4)
    assert billing.difference == pytest.approx(40 / 100 - 76 / 100)
    assert billing.is_significant


def test_waits_talk_and_transfers_are_compared_by_band_and_an_unknown_one_is_not(
    centre: Path,
) -> None:
    land_only(
        rated("Billing", 40, 36, wait_seconds=9.9, transfers=0),
        rated("Billing", 40, 20, wait_seconds=10.0, transfers=1),
        rated("Billing", 40, 20, wait_seconds=300.0, transfers=3, talk_seconds=700.0),
        rated("Billing", 40, 20),
    )

    sizes = {key: driver.n for key, driver in found(Viewer.SYSTEM).items()}

    assert sizes == {
        ("wait", "short"): 40, ("wait", "some"): 40, ("wait", "very_long"): 40,
        ("transfers", "none"): 40, ("transfers", "one"): 40, ("transfers", "more"): 40,
        ("talk", "very_long"): 40,
    }  # fmt: skip


def test_a_customer_who_was_in_touch_again_within_the_window_counts_as_such(centre: Path) -> None:
    first = [
        row | {"customer_key": f"k{number}"} for number, row in enumerate(rated("Billing", 80, 40))
    ]
    again = [
        contact(
            row["local_start"] + timedelta(days=2),
            customer_key=row["customer_key"],
            queue="Billing",
        )
        for row in first[40:]
    ]
    later = [contact("2026-07-20 10:00", customer_key="other")]
    land_only(first, again, later)

    came = found(Viewer.SYSTEM)["came_back", "yes"]

    # The forty with a 2 came back, the forty with a 5 did not.
    assert (came.n, came.rate, came.difference) == (40, 0.0, -1.0)


def test_a_lead_compares_the_ratings_of_the_own_team_alone(centre: Path) -> None:
    from qa_core.access.roles import TeamSpan

    other = [row | {"team": "South"} for row in rated("Sales", 60, 60)]
    land_only(rated("Billing", 40, 20), rated("Moves", 40, 30), other)

    drivers = found(Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("North"),)))

    assert {level for _factor, level in drivers} == {"Billing", "Moves"}
    assert drivers["queue", "Billing"].difference == pytest.approx(20 / 40 - 30 / 40)


def test_an_executive_never_sees_a_level_of_few_advisors_nor_what_gives_it_away(
    centre: Path,
) -> None:
    land_all(
        rated("A", 200, 150),
        rated("B", 120, 60),
        rated("C", 160, 120),
        rated("Few", 40, 4, advisors=3),
    )

    seen, all_of_them = found(EXECUTIVE), found(Viewer.SYSTEM)

    assert ("queue", "Few") in all_of_them
    # B is held back with it: alone, Few would be the total less the others.
    assert {level for factor, level in seen if factor == "queue"} == {"A", "C"}


def test_an_executive_compares_dimensions_alone_for_only_these_are_published(centre: Path) -> None:
    quick, slow = {"wait_seconds": 5.0}, {"wait_seconds": 200.0}
    land_all(rated("A", 100, 80, **quick), rated("B", 100, 80, **slow))

    assert ("wait", "very_long") in found(Viewer.SYSTEM)
    assert {factor for factor, _level in found(EXECUTIVE)} == {"queue"}


def test_an_executive_gets_no_drivers_under_a_filter_and_none_of_part_of_a_month(
    centre: Path,
) -> None:
    land_all(rated("A", 200, 150), rated("B", 120, 60))

    narrowed = query.find_drivers(EXECUTIVE, Filters.of(MAY.period, {"queue": ("A",)}))
    assert narrowed.is_narrowed and not narrowed.drivers
    with pytest.raises(Refusal, match="complete calendar months"):
        query.find_drivers(EXECUTIVE, Filters(Period(date(2026, 5, 2), date(2026, 5, 31))))


def test_what_an_executive_sees_is_not_adjusted_for_other_factors(centre: Path) -> None:
    chat = {"channel": "chat"}
    land_all(
        rated("A", 60, 40),
        rated("B", 60, 30),
        rated("A", 60, 20, **chat),
        rated("B", 60, 50, **chat),
    )

    assert query.find_drivers(Viewer.SYSTEM, MAY).is_adjusted
    seen = query.find_drivers(EXECUTIVE, MAY)
    assert seen.drivers and not seen.is_adjusted


def test_who_may_not_see_satisfaction_gets_none_of_it(centre: Path) -> None:
    with pytest.raises(AccessDenied):
        query.find_drivers(Viewer("dora", Role.DPO))


def test_only_months_whose_year_before_lies_whole_in_the_data_are_compared() -> None:
    assert year_over_year.find_paired_months(date(2025, 5, 15), date(2026, 11, 23)) == Period(
        date(2026, 6, 1), date(2026, 10, 31)
    )
    assert year_over_year.find_paired_months(date(2024, 1, 1), date(2026, 12, 31)) == Period(
        date(2026, 1, 1), date(2026, 12, 31)
    )
    assert year_over_year.find_paired_months(date(2025, 12, 1), date(2026, 11, 23)) is None
    assert year_over_year.count_months(date(2025, 5, 15), date(2026, 11, 23)) == 17


def test_a_trend_is_laid_beside_the_same_weeks_or_months_of_the_year_before() -> None:
    assert year_over_year.find_year_before(
        "month", Period(date(2025, 11, 1), date(2026, 10, 31))
    ) == Period(date(2024, 11, 1), date(2025, 10, 31))
    assert year_over_year.find_year_before(
        "month", Period(date(2027, 3, 1), date(2028, 2, 29))
    ) == Period(date(2026, 3, 1), date(2027, 2, 28))
    assert year_over_year.find_year_before(
        "week", Period(date(2026, 6, 1), date(2026, 6, 14))
    ) == Period(date(2025, 6, 2), date(2025, 6, 15))


def months(years: int, hits: Any) -> list[tuple[str, float, float]]:
    return [
        (f"{2024 + year}-{month:02d}", hits(year, month), 500.0)
        for year in range(years)
        for month in range(1, 13)
    ]


def test_a_season_is_told_where_two_years_agree_on_it_and_never_from_fewer_months() -> None:
    summer = months(
        2,
        lambda year, month: (
            400.0 - 15 * year - (90 if month == 7 else 0) + (40 if month == 3 else 0)
        ),
    )

    season = year_over_year.find_season(summer)

    assert season.p_value < 0.001 and (season.highest, season.lowest) == (3, 7)
    assert year_over_year.find_season(summer[1:]) is None


def test_months_that_wobble_without_agreeing_are_no_season() -> None:
    wobble = months(2, lambda year, month: 350.0 + (40 if (month + year) % 2 else -40))

    assert year_over_year.find_season(wobble).p_value > 0.2


def test_the_page_says_what_goes_with_satisfaction_and_never_why(
    centre: Path, open_app, add_person
) -> None:
    land_all(
        rated("Billing", 120, 40),
        rated("Sales", 120, 100),
        rated("Moves", 120, 80),
        [
            contact(
                f"2026-05-{1 + day:02d} 11:00",
                queue="Sales",
                survey_sent=True,
                advisor_id=f"a{day % 8}",
                team="North",
            )
            for day in range(28)
        ],
    )
    app = open_app(add_person("max", "executive"), "satisfaction", period="1m", compare="year")

    assert not app.exception
    said = [as_read(text.value) for text in app.markdown]
    assert any(
        "“Queue: Billing” goes with satisfaction" in text and "lower" in text for text in said
    )
    assert not any("because" in text.lower() or "due to" in text.lower() for text in said)
    # 360 rated 220 satisfied, 28 silent: 220 / 388 and 248 / 388.
    assert any("from 57\u202f% to 64\u202f%" in text for text in said)
    assert any("no month with a year before it yet" in text for text in said)


@pytest.mark.parametrize("role", ["manager", "team_lead", "advisor"])
def test_the_page_opens_for_everybody_who_may_see_it_even_with_one_week_of_few_ratings(
    centre: Path, open_app, add_person, role: str
) -> None:
    add_people({"a0": "Diane"}, {"North": "Lyon"})
    land(
        [
            row | {"contact_id": f"c{number}"}
            for number, row in enumerate(rated("Billing", 7, 3, advisors=1))
        ]
    )
    bounds = {
        "manager": {"sites": ("Lyon",)},
        "team_lead": {"teams": ("North",)},
        "advisor": {"advisor_id": "a0"},
    }[role]

    app = open_app(add_person("max", role, **bounds), "satisfaction")

    assert not app.exception
    assert any(
        "Too few ratings to see what is linked to satisfaction" in text.value
        for text in app.markdown
    )


def test_the_address_says_the_breakdown(centre: Path, open_app, add_person) -> None:
    land_all(rated("Billing", 60, 40), rated("Sales", 40, 20, channel="email"))
    app = open_app(add_person("max", "executive"), "satisfaction", period="1m")

    def read_tables() -> list[list[str]]:
        return [list(table.value.iloc[:, 0]) for table in app.dataframe]

    assert read_tables() == [["Sales", "Billing"]]
    app.query_params["by"] = "channel"
    app.run()

    assert read_tables() == [["E-mail", "Phone"]]
