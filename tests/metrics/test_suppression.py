"""Executives: what few people stand behind is hidden, and nothing that is shown, taken
together, gives it back.
"""

from __future__ import annotations

import itertools
import random
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from builders.centres import add_people, contact, evaluation, land, land_spend
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS, Role, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics import query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.metrics.query import linked_dimensions
from qa_core.metrics.query.suppression import ALL, Published, Weight, agree
from qa_core.storage.records import store

EXECUTIVE = Viewer("rex", Role.EXECUTIVE)


def of_queue(queue: str, advisors: int, each: int, month: int = 5) -> list[dict[str, Any]]:
    """`each` rated contacts of so many advisors in that queue."""
    return [
        contact(
            f"2026-{month:02d}-{4 + position % 20:02d} 10:00",
            queue=queue,
            advisor_id=f"a{advisor}",
            csat=1.0 + position % 5,
            csat_scale="1-5",
        )
        for advisor in range(advisors)
        for position in range(each)
    ]


def land_all(*groups: list[dict[str, Any]]) -> None:
    land(
        [
            {**row, "contact_id": f"c{number}"}
            for number, row in enumerate(itertools.chain.from_iterable(groups))
        ]
    )


def shown(kpi: str, *by: str, where: Filters = Filters()) -> dict[Any, str]:
    frame = query.measure(EXECUTIVE, (kpi,), by, where)
    return {
        (tuple(row[name] for name in by) if len(by) > 1 else row[by[0]] if by else None): row[
            "status"
        ]
        for row in frame.to_dict("records")
    }


def test_a_cell_of_few_advisors_or_few_contacts_is_hidden_with_all_its_numbers(
    centre: Path,
) -> None:
    land_all(
        of_queue("large", 8, 10),
        of_queue("other", 8, 10),
        of_queue("third", 7, 10),
        of_queue("few people", 4, 30),
        of_queue("few contacts", 6, 1),
    )
    frame = query.measure(EXECUTIVE, ("csat",), ("queue",)).set_index("queue")
    assert dict(frame["status"]) == {
        "large": "ok",
        "other": "ok",
        "third": "ok",
        "few people": "suppressed",
        "few contacts": "suppressed",
    }
    hidden = frame.loc["few people"]
    assert hidden.drop(["kpi", "status", "notes"]).isna().all()
    assert hidden["notes"] == ()


def test_a_single_hidden_cell_takes_another_with_it(centre: Path) -> None:
    # Alone, "small" would be the total less the others.
    land_all(
        of_queue("a", 8, 20), of_queue("b", 8, 10), of_queue("c", 8, 15), of_queue("small", 2, 6)
    )
    assert shown("csat", "queue") == {
        "a": "ok",
        "b": "suppressed",
        "c": "ok",
        "small": "suppressed",
    }


def test_a_filter_shows_no_more_than_the_cut(centre: Path) -> None:
    land_all(
        of_queue("a", 8, 20), of_queue("b", 8, 10), of_queue("c", 8, 15), of_queue("small", 2, 6)
    )
    for queues, status in (
        (["a"], "ok"),
        (["b"], "suppressed"),
        (["small"], "suppressed"),
        (["a", "c"], "ok"),
        (["a", "b", "c"], "suppressed"),
        (["small", "a"], "suppressed"),
    ):
        assert shown("csat", where=Filters.of(values={"queue": queues})) == {None: status}, queues
    assert shown("csat") == {None: "ok"}


def test_a_period_cannot_cut_out_a_small_month(centre: Path) -> None:
    land_all(
        of_queue("a", 8, 20, month=3),
        of_queue("a", 8, 10, month=4),
        of_queue("a", 2, 3, month=5),
        of_queue("a", 8, 15, month=6),
    )
    assert shown("csat", "month") == {
        "2026-03": "ok",
        "2026-04": "suppressed",
        "2026-05": "suppressed",
        "2026-06": "ok",
    }

    def spring(first, last):
        return Filters(Period(date(2026, first, 1), date(2026, last + 1, 1) - timedelta(days=1)))

    assert shown("csat", where=spring(3, 6)) == {None: "ok"}
    assert shown("csat", where=spring(4, 5)) == {
        None: "ok"
    }  # both hidden months together: what the total less the others gives anyway
    assert shown("csat", where=spring(3, 4)) == {None: "suppressed"}
    assert shown("csat", where=spring(5, 6)) == {None: "suppressed"}


def test_periods_are_whole_months(centre: Path) -> None:
    land_all(of_queue("a", 8, 20))
    for period in (
        Period(date(2026, 5, 2), date(2026, 5, 31)),
        Period(date(2026, 5, 1), date(2026, 5, 30)),
        Period(first_day=date(2026, 5, 15)),
    ):
        with pytest.raises(AccessDenied):
            query.measure(EXECUTIVE, ("csat",), where=Filters(period))
        with pytest.raises(AccessDenied):
            query.measure(
                EXECUTIVE,
                ("csat",),
                where=Filters(Period(date(2026, 4, 1), date(2026, 4, 30))),
                compare=period,
            )


def test_scores_are_hidden_by_the_advisors_evaluated(centre: Path) -> None:
    rows = of_queue("a", 8, 3)
    land_all(rows)
    add_people({f"a{advisor}": f"Name {advisor}" for advisor in range(8)})
    with store.writing() as session:
        session.add_all(
            evaluation({**row, "contact_id": f"c{number}"}, 80.0)
            for number, row in enumerate(rows)
            if row["advisor_id"] in ("a1", "a2", "a3", "a4")
        )
    assert shown("evaluation_score") == {None: "suppressed"}
    assert shown("received") == {None: "small_sample"}


def test_what_was_missed_is_shown_where_enough_advisors_work(centre: Path) -> None:
    lost = [
        contact(
            "2026-05-06 10:00", queue="a", outcome="abandoned", wait_seconds=float(30 + position)
        )
        for position in range(40)
    ]
    land_all(of_queue("a", 8, 10), lost)
    assert shown("missed") == {None: "ok"}
    assert shown("average_time_to_abandon") == {None: "ok"}


def test_filters_offer_an_executive_no_value_that_is_hidden(centre: Path) -> None:
    land_all(of_queue("a", 8, 20), of_queue("b", 8, 10), of_queue("small", 2, 6))
    assert query.find_values(EXECUTIVE, "queue") == [("a", 160)]
    with pytest.raises(AccessDenied):
        query.find_values(EXECUTIVE, "team")


def test_two_dimensions_at_once_are_not_shown_but_a_dimension_by_month_is(centre: Path) -> None:
    land_all(of_queue("a", 8, 20), of_queue("b", 8, 20))
    assert shown("csat", "queue", "month") == {("a", "2026-05"): "ok", ("b", "2026-05"): "ok"}
    assert set(shown("csat", "queue", "channel").values()) == {"suppressed"}
    assert set(
        shown("csat", "queue", where=Filters.of(values={"channel": ["phone"]})).values()
    ) == {"suppressed"}


def weigh(draw: random.Random) -> dict[tuple[str, str], Weight]:
    size = draw.choice((2, 3, 4)), draw.choice((2, 3, 4))
    fill = draw.choice((0.5, 0.9))
    return {
        (f"v{value}", f"2026-{month + 1:02d}"): Weight(
            draw.choice((1, 3, 8, 12, 20, 40)), draw.getrandbits(9) | draw.getrandbits(9) | 1
        )
        for value in range(size[0])
        for month in range(size[1])
        if draw.random() < fill
    }


@given(st.integers(0, 2**32))
@settings(max_examples=100)
def test_no_sum_or_difference_of_published_cells_gives_a_small_one(seed: int) -> None:
    """The attacker knows every published sum as a linear equation over the cells, and
    eliminates.
    """
    cells = weigh(random.Random(seed))
    published = Published(cells)
    months = sorted({month for _, month in cells})
    values = [ALL, *sorted({value for value, _ in cells})]
    ranges = [
        (None, None),
        *((first, last) for first in months for last in months if first <= last),
    ]
    equations, small = [], []
    for value in values:
        for first, last in ranges:
            inside = [
                cell
                for cell in cells
                if value in (ALL, cell[0]) and (first is None or first <= cell[1] <= last)
            ]
            row = [int(cell in inside) for cell in cells]
            weight = sum((cells[cell] for cell in inside), Weight())
            if inside and published.shows(value, first, last):
                assert (
                    weight.n >= MINIMUM_CONTACTS and weight.advisors.bit_count() >= MINIMUM_ADVISORS
                )
                equations.append(row)
            elif inside and not weight.is_safe:
                small.append(row)
    rank = len(reduced(equations))
    for row in small:
        assert len(reduced([*equations, row])) > rank, f"{row} follows from what is shown"


def reduced(rows: list[list[int]]) -> list[list[Fraction]]:
    """A basis of the rows, by elimination in exact fractions."""
    basis: list[list[Fraction]] = []
    for row in rows:
        rest = [Fraction(value) for value in row]
        for known in basis:
            lead = next(place for place, value in enumerate(known) if value)
            if rest[lead]:
                rest = [a - rest[lead] * b / known[lead] for a, b in zip(rest, known, strict=True)]
        if any(rest):
            basis.append(rest)
    return basis


def test_the_attacker_of_these_tests_does_find_what_one_hidden_cell_leaves_open() -> None:
    assert len(reduced([[1, 1, 1], [1, 0, 0], [0, 1, 0]])) == len(
        reduced([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    )


def called_back(queue: str, advisors: int, each: int, day: int) -> list[dict[str, Any]]:
    """Contacts of known customers on one day of May, each of another customer."""
    return [
        contact(
            f"2026-05-{day:02d} 10:00",
            queue=queue,
            advisor_id=f"a{advisor}",
            customer_key=f"{queue}{advisor}-{position}-{day}",
        )
        for advisor in range(advisors)
        for position in range(each)
    ]


def test_what_still_waits_for_its_window_tells_no_small_queue(centre: Path) -> None:
    # Three contacts of one advisor, all of the last day: nothing to judge yet, but as
    # many as "received" hides.
    earliest = called_back("a", 1, 1, 1)
    land_all(
        earliest,
        called_back("a", 8, 10, 14),
        called_back("b", 8, 10, 14),
        called_back("a", 8, 2, 29),
        called_back("b", 6, 2, 29),
        called_back("late", 1, 3, 29),
    )
    assert shown("received", "queue")["late"] == "suppressed"
    frame = query.measure(EXECUTIVE, ("first_contact_resolution",), ("queue",)).set_index("queue")
    assert (
        frame.loc["late", "status"] == "suppressed"
        and frame.loc["late"].drop(["kpi", "status", "notes"]).isna().all()
    )
    # 17 + 12 + 3 wait in all: the count of one of the others has to go with it.
    assert dict(frame["n"].dropna()) == {"a": 80, "b": 80}
    assert dict(frame["pending"].dropna()) == {"a": 17}
    whole = query.measure(EXECUTIVE, ("first_contact_resolution",)).iloc[0]
    assert (whole["n"], whole["pending"]) == (160, 32)


def test_settings_of_a_question_are_those_that_pages_set_side_by_side(centre: Path) -> None:
    land_all(of_queue("a", 8, 20))
    query.measure(EXECUTIVE, ("first_contact_resolution",), overrides={"first_contact_days": "14"})
    query.measure(
        EXECUTIVE, ("service_level",), overrides={"service_level_formula": "abandons_ignored"}
    )
    for name, text in (
        ("first_contact_days", "13"),
        ("service_level_seconds", "19"),
        ("short_abandon_seconds", "4.99"),
        ("recovery_hours", "23"),
    ):
        with pytest.raises(AccessDenied):
            query.measure(EXECUTIVE, ("received",), overrides={name: text})
        query.measure(Viewer.SYSTEM, ("received",), overrides={name: text})


def test_the_total_of_a_source_gives_back_none_of_its_campaigns(centre: Path) -> None:
    def of_campaign(source: str, campaign: str, advisors: int, each: int) -> list[dict[str, Any]]:
        return [
            {**row, "source": source, "campaign": campaign} for row in of_queue("a", advisors, each)
        ]

    # Google less "autumn" would be "tiny": the smallest campaign of all, "summer", does
    # not help there.
    land_all(
        of_campaign("Bing", "summer", 8, 5),
        of_campaign("Bing", "winter", 8, 30),
        of_campaign("Google", "autumn", 8, 20),
        of_campaign("Google", "tiny", 2, 6),
    )
    assert shown("csat", "source") == {"Bing": "ok", "Google": "ok"}
    assert shown("csat", "campaign") == {
        "autumn": "suppressed",
        "summer": "ok",
        "tiny": "suppressed",
        "winter": "ok",
    }
    assert shown("csat", "campaign", "month") == {
        ("autumn", "2026-05"): "suppressed",
        ("summer", "2026-05"): "ok",
        ("tiny", "2026-05"): "suppressed",
        ("winter", "2026-05"): "ok",
    }


def test_what_covers_a_small_medium_is_not_told_by_the_campaign_that_is_all_of_it(
    centre: Path,
) -> None:
    def of_medium(medium: str, campaign: str, advisors: int, each: int) -> list[dict[str, Any]]:
        return [
            {**row, "medium": medium, "campaign": campaign} for row in of_queue("a", advisors, each)
        ]

    # "offline" is of two people; "referral" covers it, so its one campaign, of more
    # people than any other small one, may not be shown either.
    land_all(
        of_medium("cpc", "spring", 8, 30),
        of_medium("cpc", "summer", 8, 20),
        of_medium("referral", "compared", 8, 4),
        of_medium("offline", "radio", 1, 2),
        of_medium("offline", "tram", 2, 2),
        of_medium("email", "loyal", 6, 2),
        of_medium("email", "news", 6, 1),
    )
    assert shown("csat", "medium") == {
        "cpc": "ok",
        "email": "suppressed",
        "offline": "suppressed",
        "referral": "ok",
    }
    hidden = {
        campaign for campaign, status in shown("csat", "campaign").items() if status == "suppressed"
    }
    assert hidden == {"loyal", "news", "radio", "tram"}


CAMPAIGNS = {
    "spring": ("Google", "cpc"),
    "summer": ("Google", "cpc"),
    "compared": ("Panel", "referral"),
    "radio": ("Radio", "offline"),
}
CAMPAIGNS |= {"tram": ("Posters", "offline"), "loyal": ("Letter", "email"), "none": ("-", "-")}


@given(st.integers(0, 2**32))
@settings(max_examples=60)
def test_no_difference_between_dimensions_gives_a_small_value(seed: int) -> None:
    """The attacker knows which campaigns belong to which source and medium, and
    eliminates over all that is shown of the three.
    """
    draw = random.Random(seed)
    months = ("2026-03",)
    size = {campaign: draw.choice((3, 12, 40)) for campaign in CAMPAIGNS}
    atoms = {
        (campaign, month): Weight(
            draw.randint(1, size[campaign]), draw.getrandbits(9) | draw.getrandbits(9) | 1
        )
        for campaign in CAMPAIGNS
        for month in months
        if draw.random() < 0.8
    }
    value_of = {
        "campaign": lambda campaign: campaign,
        "source": lambda campaign: CAMPAIGNS[campaign][0],
        "medium": lambda campaign: CAMPAIGNS[campaign][1],
    }
    links = [
        (
            one,
            mine,
            other,
            frozenset(
                value_of[other](campaign)
                for campaign in CAMPAIGNS
                if value_of[one](campaign) in mine
            ),
        )
        for one, other in itertools.permutations(value_of, 2)
        for mine in linked_dimensions.connected(
            *([value_of[name](campaign) for campaign in CAMPAIGNS] for name in (one, other))
        )
    ]
    tables = {}
    for name, value in value_of.items():
        cells: dict[tuple[str, str], Weight] = {}
        for (campaign, month), weight in atoms.items():
            cells[value(campaign), month] = cells.get((value(campaign), month), Weight()) + weight
        tables[name] = Published(cells, {mine for one, mine, *_ in links if one == name})
    agree(tables, links)
    shown, small = [], []
    for name, table in tables.items():
        for value in (ALL, *table.values):
            for first, last in (
                (None, None),
                *((first, last) for first in months for last in months if first <= last),
            ):
                inside = [
                    value in (ALL, value_of[name](campaign))
                    and (first is None or first <= month <= last)
                    for campaign, month in atoms
                ]
                weight = sum(
                    (
                        one
                        for one, is_inside in zip(atoms.values(), inside, strict=True)
                        if is_inside
                    ),
                    Weight(),
                )
                if any(inside) and table.shows(value, first, last):
                    shown.append([int(is_inside) for is_inside in inside])
                elif any(inside) and not weight.is_safe:
                    small.append([int(is_inside) for is_inside in inside])
    basis = reduced(shown)
    for row in small:
        assert len(reduced([*basis, row])) > len(basis), f"{row} follows from what is shown"


def test_sources_say_no_sum_of_what_is_partly_hidden_from_an_executive_and_list_hidden_lines_last(
    centre: Path, open_app, add_person
) -> None:
    spread = {
        "Spring": (8, 10),
        "Summer": (8, 12),
        "Autumn": (7, 10),
        "Few": (2, 6),
        "Fewer": (2, 5),
    }
    land_all(
        *(
            [row | {"campaign": name} for row in of_queue("one", *size)]
            for name, size in spread.items()
        ),
        of_queue("one", 6, 4, month=6),
    )

    app = open_app(add_person("rex", "executive"), "sources", period="all")

    assert not app.exception
    assert not [text.value for text in (*app.caption, *app.markdown) if "nan" in text.value.lower()]
    lines = next(frame.value for frame in app.dataframe if "Contacts" in frame.value)
    assert (
        list(lines["Contacts"].isna()) == sorted(lines["Contacts"].isna())
        and lines["Contacts"].isna().any()
    )


def test_which_combinations_of_two_dimensions_occur_is_not_told(centre: Path) -> None:
    # All about invoices are in queue "a" but one: invoices less "a" is the mark of one
    # person, for whoever knows that there is no other combination.
    rows = of_queue("a", 8, 20), of_queue("b", 8, 20), of_queue("b", 1, 1)
    reasons = "invoice", "delivery", "invoice"
    land_all(
        *(
            [{**row, "reason": reason} for row in group]
            for group, reason in zip(rows, reasons, strict=True)
        )
    )
    assert shown("csat", "queue", "reason") == {
        (queue, reason): "suppressed" for queue in "ab" for reason in ("delivery", "invoice")
    }
    assert shown("csat", "queue", "reason", where=Filters.of(values={"queue": ["a"]})) == {
        ("a", "delivery"): "suppressed",
        ("a", "invoice"): "suppressed",
    }
    assert shown("csat", "queue", where=Filters.of(values={"reason": ["delivery"]})) == {
        "a": "suppressed",
        "b": "suppressed",
    }
    assert shown("csat", where=Filters.of(values={"reason": ["delivery"], "queue": ["a"]})) == {
        None: "suppressed"
    }
    assert set(shown("csat", "queue", "reason", "month")) == {
        (queue, reason, "2026-05") for queue in "ab" for reason in ("delivery", "invoice")
    }
    with pytest.raises(AccessDenied):
        shown("csat", "queue", "reason", "channel")


def test_of_two_dimensions_of_spend_only_what_was_spent_is_told(centre: Path) -> None:
    land_all(
        [{**row, "source": "Google", "campaign": "spring"} for row in of_queue("a", 8, 20)],
        [{**of_queue("a", 1, 1)[0], "source": "Bing"}],
    )
    land_spend([("2026-05-04", "Google", "spring", 90.0, "EUR")])
    frame = query.measure(EXECUTIVE, ("spend", "cost_per_contact"), ("source", "campaign"))
    assert [(row.source, row.campaign, row.kpi, row.status) for row in frame.itertuples()] == [
        ("Google", "spring", "spend", "small_sample"),
        ("Google", "spring", "cost_per_contact", "suppressed"),
    ]
