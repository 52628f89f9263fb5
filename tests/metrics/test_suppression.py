"""Executives: they see published tables by whole months, in which what few people are
behind is hidden, and nothing that is shown, taken together, gives it back.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import attacker, postgresql
from builders.centres import add_people, contact, evaluation, land, land_spend
from builders.long_seeds import count_seeds, leave_to_long
from builders.published import EXECUTIVE, MAY, land_all, land_two_queues, of_queue, shown
from builders.shown_texts import as_read

from qa_core.access.roles import EXECUTIVE_DIMENSIONS, GRANTS, MINIMUM_CONTACTS, Role, Viewer
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.metrics import query
from qa_core.metrics.kpi import editions, published_tables
from qa_core.metrics.kpi.published_families import KIND_OF, family_of
from qa_core.metrics.kpis import ALL
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.upkeep import subjects


def of_campaign(source: str, campaign: str, advisors: int, each: int) -> list[dict[str, Any]]:
    """Contacts of one queue that came from that campaign."""
    return [
        {**row, "source": source, "campaign": campaign} for row in of_queue("a", advisors, each)
    ]


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


def test_two_figures_do_not_differ_by_the_few_contacts_that_a_machine_passed_on(
    centre: Path,
) -> None:
    # 37 that a machine took, less the 30 that it handled alone, are the 7 of two advisors.
    groups = {
        "person": [*of_queue("a", 8, 20), *of_queue("b", 8, 17)],
        "machine": [{**row, "advisor_id": None} for row in of_queue("a", 1, 30)],
        "machine_then_person": [*of_queue("a", 2, 3), *of_queue("a", 1, 1)],
    }
    rows = [{**row, "handled_by": name} for name, group in groups.items() for row in group]
    land_all([{**row, "customer_key": f"k{number}"} for number, row in enumerate(rows)])
    assert shown("answered", "handled_by")["machine"] == "ok"
    assert shown("answered", "handled_by")["machine_then_person"] == "suppressed"

    numbers = {0.0: "nothing"}
    for name in (None, *EXECUTIVE_DIMENSIONS - {"month"}):
        some = [kpi for kpi in ALL if kpi.needs in GRANTS[Role.EXECUTIVE]]
        keys = [kpi.key for kpi in some if name is None or name in kpi.dimensions]
        frame = query.measure(EXECUTIVE, keys, (name,) if name else ())
        for column in ("n", "numerator"):
            named = zip(frame[column], frame["kpi"], strict=True)
            numbers |= {number: f"{kpi} {column} by {name}" for number, kpi in named}
    assert [(numbers[one], numbers[one + 7]) for one in numbers if one + 7 in numbers] == []


def test_missed_contacts_hide_neither_the_total_nor_what_counts_the_answered_alone(
    centre: Path,
) -> None:
    # Nobody took 20 contacts: they are hidden by handler, as is what would give them back.
    answered = [row | {"handled_by": "person"} for row in of_queue("a", 8, 20)]
    missed = [
        contact(f"2026-05-{4 + number:02d} 11:00", queue="a", outcome="abandoned")
        for number in range(20)
    ]
    land_all(answered, missed)
    assert shown("received") == shown("answered") == {None: "ok"}
    assert shown("received", "handled_by") == {"person": "suppressed", None: "suppressed"}
    assert shown("answered", "handled_by")["person"] == "ok"


def land_four_queues() -> None:
    land_all(
        of_queue("a", 8, 20), of_queue("b", 8, 10), of_queue("c", 8, 15), of_queue("small", 2, 6)
    )


def test_a_single_hidden_cell_takes_the_smallest_other_with_it(
    start_from: Callable[..., None],
) -> None:
    # Alone, "small" would be the total less the others.
    start_from(land_four_queues)
    assert shown("csat", "queue") == {
        "a": "ok",
        "b": "suppressed",
        "c": "ok",
        "small": "suppressed",
    }


def test_a_site_less_two_of_its_three_queues_does_not_give_the_third(centre: Path) -> None:
    rows = {"one": of_queue("one", 8, 20), "two": of_queue("two", 8, 10)}
    rows |= {"three": of_queue("three", 2, 6), "elsewhere": of_queue("elsewhere", 8, 30)}
    add_people({}, {"North": "Lille", "South": "Lyon"})
    land_all(
        *(
            [{**row, "team": "South" if name == "elsewhere" else "North"} for row in group]
            for name, group in rows.items()
        )
    )
    assert shown("received", "site") == {"Lille": "ok", "Lyon": "ok"}
    assert shown("received", "queue") == {
        "one": "ok",
        "two": "suppressed",
        "three": "suppressed",
        "elsewhere": "ok",
    }


def test_a_source_less_its_other_campaign_does_not_give_the_small_one(centre: Path) -> None:
    # 39 contacts of a source less the 30 of its other campaign are the hidden 9.
    land_all(
        of_campaign("Mail", "loyal", 6, 5),
        of_campaign("Mail", "news", 3, 3),
        of_campaign("Google", "spring", 8, 30),
        of_campaign("Google", "summer", 8, 20),
    )
    assert shown("received", "source") == {"Google": "ok", "Mail": "ok"}
    assert shown("received", "campaign") == {
        "loyal": "suppressed",
        "news": "suppressed",
        "spring": "ok",
        "summer": "ok",
    }


def test_a_filter_reads_one_line_of_a_table(start_from: Callable[..., None]) -> None:
    start_from(land_four_queues)
    for queue, status in {"a": "ok", "b": "suppressed", "small": "suppressed"}.items():
        assert shown("csat", where=Filters.of(values={"queue": [queue]})) == {None: status}
    assert shown("csat", "queue", where=Filters.of(values={"queue": ["a"]})) == {"a": "ok"}
    with pytest.raises(Refusal, match="one value at a time"):
        shown("csat", where=Filters.of(values={"queue": ["a", "c"]}))
    assert shown("csat") == {None: "ok"}


def test_two_cuts_or_a_cut_under_a_filter_are_refused_with_the_choices(
    start_from: Callable[..., None],
) -> None:
    start_from(land_two_queues)
    assert shown("csat", "queue", "month") == {("a", "2026-05"): "ok", ("b", "2026-05"): "ok"}
    with pytest.raises(Refusal, match="one breakdown or one filter at a time") as refused:
        shown("csat", "queue", "channel")
    assert refused.value.options == ("--by channel", "--by queue")
    with pytest.raises(Refusal, match="one breakdown or one filter at a time"):
        shown("csat", "queue", where=Filters.of(values={"channel": ["phone"]}))
    with pytest.raises(Refusal, match="one breakdown or one filter at a time"):
        shown("csat", where=Filters.of(values={"channel": ["phone"], "queue": ["a"]}))
    by_queue = Filters.of(MAY.period, {"queue": ["a"]})
    offered = [query.may_cut(EXECUTIVE, where, "channel") for where in (MAY, by_queue)]
    assert offered == [True, False]


def test_a_longer_period_shows_what_is_shown_in_each_of_its_months(centre: Path) -> None:
    land_all(
        of_queue("a", 8, 10, month=4),
        of_queue("a", 8, 20, month=5),
        of_queue("a", 2, 3, month=6),
    )
    assert shown("csat", "month") == {
        "2026-04": "ok",
        "2026-05": "ok",
        "2026-06": "suppressed",
    }

    def over(first: int, last: int) -> Filters:
        return Filters(Period(date(2026, first, 1), date(2026, last + 1, 1) - timedelta(days=1)))

    assert shown("csat", where=over(4, 5)) == {None: "ok"}
    assert shown("csat", where=over(5, 6)) == {None: "suppressed"}
    assert shown("csat", where=over(4, 6)) == {None: "suppressed"}
    compared = query.measure(EXECUTIVE, ("csat",), where=over(5, 5), compare=over(6, 6).period)
    assert list(compared["status_before"]) == ["suppressed"] and compared["delta"].isna().all()


def test_periods_are_whole_months_that_are_over(start_from: Callable[..., None]) -> None:
    start_from(land_two_queues)
    for period in (
        Period(date(2026, 5, 2), date(2026, 5, 31)),
        Period(date(2026, 5, 1), date(2026, 5, 30)),
        Period(first_day=date(2026, 5, 15)),
        Period(date(2026, 5, 1), date(2026, 6, 30)),  # June has one day of data
    ):
        with pytest.raises(Refusal, match="complete calendar months") as refused:
            query.measure(EXECUTIVE, ("csat",), where=Filters(period))
        assert refused.value.options == ("--from 2026-05-01 --to 2026-05-31",)
        with pytest.raises(Refusal, match="complete calendar months"):
            query.measure(EXECUTIVE, ("csat",), where=MAY, compare=period)
    with pytest.raises(AccessDenied):
        query.measure(EXECUTIVE, ("csat",), ("week",))
    assert query.measure(EXECUTIVE, ("received",))["n"].tolist() == [320]


def test_scores_are_hidden_by_the_advisors_evaluated(centre: Path) -> None:
    rows = of_queue("a", 8, 3)
    add_people({f"a{advisor}": f"Name {advisor}" for advisor in range(8)})
    with store.writing() as session:
        session.add_all(
            evaluation({**row, "contact_id": f"c{number}"}, 80.0)
            for number, row in enumerate(rows)
            if row["advisor_id"] in ("a1", "a2", "a3", "a4")
        )
    land_all(rows)
    assert shown("evaluation_score") == {None: "suppressed"}
    assert shown("received") == {None: "small_sample"}


def test_what_was_missed_is_shown_where_enough_advisors_work(centre: Path) -> None:
    lost = [
        contact(
            "2026-05-06 10:00", queue="a", outcome="abandoned", wait_seconds=float(30 + position)
        )
        for position in range(40)
    ]
    land_all([{**row, "wait_seconds": 12.0} for row in of_queue("a", 8, 10)], lost)
    assert shown("missed") == {None: "ok"}
    assert shown("average_time_to_abandon") == {None: "ok"}


def test_every_kpi_that_executives_may_see_is_published_with_three_exceptions() -> None:
    # Single advisors' means and what was listened to are not theirs to see; spend is
    # nobody's, and always shown.
    granted = {kpi.key for kpi in ALL if kpi.needs in GRANTS[Role.EXECUTIVE]}
    unpublished = {key for key in granted if family_of(key) not in KIND_OF}

    assert unpublished == {"advisor_mean_score", "listened_rate", "spend"}


def test_filters_offer_an_executive_no_value_that_is_hidden(
    start_from: Callable[..., None],
) -> None:
    start_from(land_four_queues)
    assert query.find_values(EXECUTIVE, "queue") == [("a", 160), ("c", 120)]
    with pytest.raises(AccessDenied):
        query.find_values(EXECUTIVE, "team")


def test_neither_percentiles_nor_counts_of_what_waits_nor_other_settings_are_shown(
    centre: Path,
) -> None:
    land_all(
        [
            {**row, "talk_seconds": 60.0 + number, "customer_key": f"k{number}"}
            for number, row in enumerate(of_queue("a", 8, 20))
        ]
    )
    frame = query.measure(EXECUTIVE, ("average_talk_time", "first_contact_resolution"))
    assert frame["status"].tolist() == ["ok", "ok"]
    assert frame[["p50", "p90", "p95", "pending", "unknown_identity"]].isna().all(axis=None)
    with pytest.raises(Refusal, match="settings in force"):
        query.measure(EXECUTIVE, ("service_level",), overrides={"service_level_seconds": "19"})
    explained = query.explain(EXECUTIVE, "first_contact_resolution", MAY)
    assert (explained.universe, explained.excluded, explained.variants) == (None, (), ())


def test_the_share_with_a_known_source_is_published_by_source_alone(centre: Path) -> None:
    # By queue it would be two cuts: by queue, and with or without a source.
    land_all(of_campaign("Google", "spring", 8, 20), of_queue("b", 8, 20))
    assert shown("attribution_rate") == {None: "ok"}
    assert shown("attribution_rate", "source") == {"Google": "ok", None: "ok"}
    assert set(shown("attribution_rate", "queue").values()) == {"suppressed"}
    assert shown("received", "queue") == {"a": "ok", "b": "ok"}


def test_of_two_dimensions_of_spend_not_even_what_was_spent_is_shown(centre: Path) -> None:
    land_spend([("2026-05-04", "Google", "spring", 90.0, "EUR")])
    land_all(of_campaign("Google", "spring", 8, 20), of_campaign("Bing", "winter", 1, 1))
    assert shown("spend", "campaign") == {"spring": "small_sample", "winter": "no_data"}
    assert shown("cost_per_contact", "campaign") == {"spring": "suppressed", "winter": "suppressed"}
    with pytest.raises(Refusal, match="one breakdown or one filter"):
        query.measure(EXECUTIVE, ("spend",), ("source", "campaign"))


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

    app = open_app(add_person("rex", "executive"), "sources", period="3m", callers="yes")

    assert not app.exception
    assert not [text.value for text in (*app.caption, *app.markdown) if "nan" in text.value.lower()]
    assert "##### New and returning callers: choose one month" in [
        as_read(text.value) for text in app.markdown
    ]
    # Autumn is hidden too: the sum of the two small ones has the same two advisors behind it.
    lines = next(frame.value for frame in app.dataframe if "Contacts" in frame.value)
    assert lines["Campaign"].tolist() == [
        *("Summer", "Spring", "Autumn"),
        *("Few", "Fewer"),
        "Not known",
    ]
    assert lines["Contacts"].isna().tolist() == [False, False, True, True, True, False]


def land_three_queues() -> None:
    land_all(of_queue("a", 5, 2), of_queue("b", 8, 20), of_queue("c", 8, 20))


@pytest.mark.parametrize("what", ["late", "restricted", "undone"])
def test_an_edition_stays_as_published_whatever_comes_later(
    start_from: Callable[..., None], what: str
) -> None:
    start_from(land_three_queues)
    before = query.measure(EXECUTIVE, ("received", "csat"), ("queue",), MAY)
    assert before["n"].sum() == 2 * (10 + 160 + 160)

    if what == "late":
        land([contact("2026-05-20 10:00", "late", queue="d", advisor_id="a1")], "more")
    elif what == "restricted":
        subjects.restrict(Viewer.SYSTEM, contact=("generic", "c1"))
    else:
        lake.undo("first")
    now = query.measure(Viewer.SYSTEM, ("received",), (), MAY)["n"].iloc[0]
    assert now == {"late": 331, "restricted": 329, "undone": 0}[what]
    assert editions.publish_due() == []
    after = query.measure(EXECUTIVE, ("received", "csat"), ("queue",), MAY)
    assert after.equals(before)


def find_all_leaks(rows: list[dict[str, Any]]) -> Iterator[str]:
    """What an attacker who asks for every table of that centre finds out."""
    answers = attacker.ask(attacker.KPIS, attacker.OF_CONTACTS)
    yield from (f"small, but shown: {line}" for line in answers.small_shown)
    yield from attacker.find_leaks(answers)
    yield from attacker.find_leaks(answers, is_strong=True)
    yield from attacker.find_leaks_of_customers(rows)
    yield from attacker.find_small_sums(answers)
    yield from attacker.find_fixed(answers)


def find_changes(before: attacker.Answers, rows: list[dict[str, Any]]) -> Iterator[str]:
    """What the second editions of that centre say, beside the first ones, of few contacts."""
    after = attacker.ask(attacker.KPIS, attacker.OF_CONTACTS)
    old = {(line.month, line.kpi, line.dimension, line.value): line for line in before.lines}
    for line in after.lines:
        was = old.get((line.month, line.kpi, line.dimension, line.value))
        if was is None or was.is_hidden != line.is_hidden:
            yield f"other cells are shown: {line}"
        elif not line.is_hidden and was.n == was.n and 0 < abs(line.n - was.n) < MINIMUM_CONTACTS:
            yield f"{was.n} became {line.n}: {line}"


def change(rows: list[dict[str, Any]], seed: int) -> None:
    """Land late contacts, few or many, undo what a name was, and let what is due be done."""
    draw = random.Random(seed)
    month = draw.choice(sorted({row["month"] for row in rows}))
    some = [row for row in rows if row["month"] == month]
    again = draw.choices(some, k=draw.choice((1, 5, 40, 200)))
    land([{**row, "contact_id": f"late{number}"} for number, row in enumerate(again)], "late")
    if draw.random() < 0.5:
        renamed = draw.sample(some, len(some) // 4)
        land([{**row, "queue": draw.choice(some)["queue"]} for row in renamed], "renamed")
    if draw.random() < 0.3:
        lake.undo("renamed" if lake.has_commit("renamed") else "late")
    subjects.restrict(Viewer.SYSTEM, contact=("generic", draw.choice(some)["contact_id"]))
    editions.publish_due()
    # What came goes again, and another comes.
    if draw.random() < 0.5 and lake.has_commit("late"):
        lake.undo("late")
        land([{**some[0], "contact_id": "another"}], "another")
        editions.publish_due()


@pytest.fixture
def add_centre(centre: Path, build_once: Callable[..., Any]) -> Callable[[int], Any]:
    """Start from the random centre of a seed; several tests ask the same one."""

    def add(seed: int) -> list[dict[str, Any]]:
        build = functools.partial(attacker.add_centre, seed)
        return build() if postgresql.IS_ON else build_once(f"random-{seed}", centre, build)

    return add


SEEDS = (6, 15, 23, 32, 36, 42)
"""Random centres of two months, as each month is published by itself, and of ten to twenty-six
advisors.
"""
IN_EACH_RUN = (42,)
"""The one that the tests below ask too."""


@pytest.mark.parametrize("seed", leave_to_long(SEEDS, but=IN_EACH_RUN))
def test_no_combination_of_all_answers_gives_a_hidden_number(
    add_centre: Callable[[int], Any], seed: int
) -> None:
    assert list(find_all_leaks(add_centre(seed))) == []


@pytest.mark.long
@pytest.mark.parametrize(
    "seed", [seed for seed in range(len(SEEDS) + count_seeds(200)) if seed not in SEEDS]
)
def test_no_combination_gives_a_hidden_number_on_200_centres(centre: Path, seed: int) -> None:
    rows = attacker.add_centre(seed)
    assert list(find_all_leaks(rows)) == []
    before = attacker.ask(attacker.KPIS, attacker.OF_CONTACTS)
    change(rows, seed)
    assert list(find_changes(before, rows)) == []


def test_late_contacts_and_new_names_of_a_random_centre_give_nobody_away(
    add_centre: Callable[[int], Any],
) -> None:
    rows = add_centre(42)
    before = attacker.ask(attacker.KPIS, attacker.OF_CONTACTS)
    change(rows, 4)
    assert list(find_changes(before, rows)) == []


def land_transfers() -> None:
    """Land two small queues of three advisors each, in which nobody transferred a contact.
    Together they are large enough: their sum, 24 contacts with 0 transfers, can be known.
    """
    land_all(
        [{**row, "transfers": 1} for row in of_queue("a", 8, 20)],
        [{**row, "transfers": 1} for row in of_queue("b", 8, 10)],
        [{**row, "transfers": 0} for row in of_queue("first", 3, 4)],
        [
            {**row, "transfers": 0, "advisor_id": f"b{row['advisor_id']}"}
            for row in of_queue("second", 3, 4)
        ],
    )


@pytest.mark.parametrize("without", ["hide_sums", "find_fixed"], ids=["sums", "whole numbers"])
def test_the_attacker_notices_an_audit_that_is_left_out(
    centre: Path, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    real = published_tables.hide_sums
    switched_off = {
        "hide_sums": lambda cells, order, start, is_small: real(
            cells, order, start, lambda sets: np.zeros(len(sets), bool)
        ),
        "find_fixed": lambda cells, shown, hidden, *rest: np.zeros(len(hidden), bool),
    }
    monkeypatch.setattr(published_tables, without, switched_off[without])
    if without == "hide_sums":
        attacker.add_centre(42)
    else:
        land_transfers()
    answers = attacker.ask(["received", "transfer_rate"], ("queue", "source", "medium"))
    look = attacker.find_small_sums if without == "hide_sums" else attacker.find_fixed
    assert list(look(answers))


def test_the_attacker_finds_what_a_single_hidden_cell_leaves_open() -> None:
    month = "2026-05"
    atoms = {("a", None): {"received": 40}, ("b", None): {"received": 30}}
    atoms[("small", None)] = {"received": 9}
    counts = {None: "ok", "a": "ok", "b": "ok", "small": "suppressed"}
    lines = [
        attacker.Line(month, "received", value and "queue", value, status)
        for value, status in counts.items()
    ]
    answers = attacker.Answers(("queue", "source"), lines, {month: atoms}, frozenset())
    assert list(attacker.find_leaks(answers)) == [
        f"{month} received n of queue=small",
        f"{month} received numerator of queue=small",
    ]
    covered = [
        attacker.Line(month, "received", "queue", "b", "suppressed") if line.value == "b" else line
        for line in lines
    ]
    answers = attacker.Answers(("queue", "source"), covered, {month: atoms}, frozenset())
    assert list(attacker.find_leaks(answers)) == []


def find_differences(dimensions: tuple[str, ...]) -> tuple[list[str], set[str]]:
    """What other exits say of the last month, were the number of contacts hidden in its
    tables; and the exits that said anything.
    """
    attacker.watch_centre()
    answers, seen = attacker.ask(list(attacker.KPIS_ELSEWHERE), dimensions), set()
    month = max(answers.atoms)
    lines = [
        replace(line, status="suppressed")
        if (line.month, line.kpi, line.dimension) == (month, "received", None)
        else line
        for line in answers.lines
    ]
    return list(attacker.find_differences(replace(answers, lines=lines), month, seen)), seen


def test_no_other_exit_says_more_than_the_tables_and_one_that_did_would_be_noticed(
    add_centre: Callable[[int], Any], add_person: Callable[..., str]
) -> None:
    add_centre(42)
    add_person("rex", "executive")
    found, seen = find_differences(("queue", "campaign"))
    assert all("('received', None, None)" in one for one in found), found
    said = {one.partition(" 2026")[0] for one in found}
    assert said == {"measure", "kpi --json", "file", "explain"}
    assert seen >= {*said, "filter", "targets", "alerts"}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6, 6 + count_seeds(100)))
def test_no_other_exit_says_more_than_the_tables_on_many_centres(
    seed: int, add_person: Callable[..., str]
) -> None:
    add_person("rex", "executive")
    attacker.add_centre(seed)
    found, _seen = find_differences(attacker.OF_CONTACTS)
    assert all("('received', None, None)" in one for one in found), found
