"""People and machines on one row: waits and handling count people, machines have their own
figures, and executives see cells of machines from ten customers on.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders.centres import contact, interval, land, land_intervals
from builders.published import land_all, of_queue, shown

from qa_core.access.roles import Viewer
from qa_core.base.errors import Refusal
from qa_core.metrics import query
from qa_core.metrics.kpi_question import KpiQuestion, answer
from qa_core.metrics.kpis.dimensions import Filters

SYSTEM = Viewer.SYSTEM
CHANGED = "definition_changed:2026-11-29"


def call(number: int, handler: str | None, **columns: Any) -> dict[str, Any]:
    clock = f"2026-05-{4 + number % 20:02d} {9 + number % 8:02d}:00"
    return contact(clock, f"c{number}", handled_by=handler, customer_key=f"k{number}", **columns)


def of_a_centre() -> list[dict[str, Any]]:
    """124 contacts: 60 that a bot answered at once and 64 for people. Of these, 40 in
    10 or 40 seconds, 14 passed on by the bot in 30 seconds, 10 hung up after it."""
    by_bot = [call(n, "machine", wait_seconds=0.0, talk_seconds=9.0) for n in range(60)]
    marie = {
        "advisor_id": "marie",
        "talk_seconds": 100.0,
        "hold_seconds": 0.0,
        "wrap_seconds": 20.0,
    }
    quick = [call(n, "person", wait_seconds=10.0, **marie) for n in range(60, 80)]
    slow = [call(n, None, wait_seconds=40.0, **marie) for n in range(80, 100)]
    passed = {"wait_seconds": 0.0, "handover_wait_seconds": 30.0}
    handed = [call(n, "machine_then_person", **passed, **marie) for n in range(100, 114)]
    left = {"wait_seconds": 0.0, "handover_wait_seconds": 60.0, "outcome": "abandoned"}
    lost = [call(n, "machine_then_person", **left) for n in range(114, 124)]
    return [*by_bot, *quick, *slow, *handed, *lost]


def measure(*kpis: str, by: str | None = None, **values: list[str | None]) -> dict[Any, Any]:
    frame = query.measure(SYSTEM, kpis, (by,) if by else (), Filters.of(values=values))
    keys = zip(frame["kpi"], frame[by], strict=True) if by else frame["kpi"]
    return dict(zip(keys, frame.itertuples(), strict=True))


def test_service_level_and_speed_of_answer_are_of_the_64_others(centre: Path) -> None:
    land(of_a_centre())
    rows = measure("service_level", "average_speed_of_answer", "average_handle_time", "answer_rate")
    level, speed = rows["service_level"], rows["average_speed_of_answer"]
    assert (level.numerator, level.denominator) == (20, 64)  # 10 s; the hand-over counts 30 s
    assert (speed.numerator, speed.n) == (20 * 10 + 20 * 40 + 14 * 30, 54)
    assert rows["average_handle_time"].value == 120
    assert (rows["answer_rate"].numerator, rows["answer_rate"].n) == (114, 124)
    assert level.notes == (CHANGED,) == speed.notes
    alone = measure("service_level", handled_by=["person", None])
    assert (alone["service_level"].denominator, alone["service_level"].notes) == (40, ())


def test_the_answer_says_what_a_figure_was_before_its_definition_changed(centre: Path) -> None:
    land(of_a_centre())
    question = KpiQuestion(("service_level", "received"), by=())
    level, received = answer(SYSTEM, question).rows
    assert level["notes"] == [CHANGED]
    # Before: 60 by the bot and 20 by people within 20 s, and the 14 whom the bot answered at
    # once, of 124 less the 10 who hung up at "0 seconds".
    assert level["previous_value"] == pytest.approx(94 / 114)
    assert "previous_value" not in received


def test_a_centre_without_machines_has_the_figures_and_notes_of_before(centre: Path) -> None:
    land([row | {"handled_by": None} for row in of_a_centre()[60:100]])
    rows = measure("service_level", "machine_share")
    assert (rows["service_level"].denominator, rows["service_level"].notes) == (40, ())
    assert rows["machine_share"].status == "no_data"


def test_machines_have_their_share_their_hand_overs_and_the_wait_after(centre: Path) -> None:
    land(of_a_centre())
    rows = measure("machine_share", "handover_rate", "handover_wait")
    assert (rows["machine_share"].numerator, rows["machine_share"].n) == (74, 114)
    assert rows["machine_share"].notes == ("handled_by_unknown:20",)
    assert (rows["handover_rate"].numerator, rows["handover_rate"].n) == (24, 84)
    assert (rows["handover_wait"].value, rows["handover_wait"].n) == (30, 14)


def test_what_lasts_is_judged_by_the_customers_who_come_back(centre: Path) -> None:
    def of(customer: str, day: int, handler: str, **columns: Any) -> dict[str, Any]:
        clock = f"2026-05-{day:02d} 10:00"
        names = {"customer_key": customer, "handled_by": handler}
        return contact(clock, f"{customer}-{day}", **names, **columns)

    land([
        of("stays away", 4, "machine"),
        of("comes back", 4, "machine"),
        of("comes back", 8, "person", channel="email"),
        of("comes back late", 4, "machine"),
        of("comes back late", 14, "person"),
        of("pending", 24, "machine"),
        of("abandons", 4, "machine", outcome="abandoned"),
        contact("2026-05-04 10:00", "withheld", handled_by="machine"),
        contact("2026-05-30 10:00", "last", handled_by="person"),
    ])  # fmt: skip
    lasting = measure("lasting_resolution")["lasting_resolution"]
    assert (lasting.numerator, lasting.n) == (2, 3)
    assert (lasting.pending, lasting.unknown_identity) == (1, 1)
    people = measure("lasting_resolution_people")["lasting_resolution_people"]
    assert (people.numerator, people.n) == (2, 2)


def test_a_return_to_a_person_is_one_that_a_person_answered_within_the_window(
    centre: Path,
) -> None:
    def of(customer: str, day: int, handler: str | None, **columns: Any) -> dict[str, Any]:
        clock = f"2026-05-{day:02d} 10:00"
        names = {"customer_key": customer, "handled_by": handler}
        return contact(clock, f"{customer}-{day}", **names, **columns)

    land([
        of("to a person", 4, "machine", team="Nord"),
        of("to a person", 5, "machine", team="Nord"),
        of("to a person", 8, None, channel="email", team="Sud"),
        of("by way of a hand-over", 4, "machine"),
        of("by way of a hand-over", 6, "machine_then_person"),
        of("to the machine", 4, "machine"),
        of("to the machine", 8, "machine"),
        of("gives up", 4, "machine"),
        of("gives up", 5, "person", outcome="abandoned"),
        of("is called", 4, "machine"),
        of("is called", 5, "person", direction="outbound"),
        of("after eight days", 4, "machine"),
        of("after eight days", 12, "person"),
        of("for another reason", 4, "machine", reason="bill"),
        of("for another reason", 5, "person", reason="move"),
        of("for the same reason", 4, "machine", reason="bill"),
        of("for the same reason", 5, "person", reason="bill"),
        of("pending", 24, "machine"),
        contact("2026-05-04 10:00", "withheld", handled_by="machine"),
        contact("2026-05-30 10:00", "last", handled_by="person"),
    ])  # fmt: skip
    found = measure("repeat_to_person")["repeat_to_person"]
    assert (found.numerator, found.n) == (4, 10)
    assert (found.pending, found.unknown_identity) == (1, 1)
    by_team = measure("repeat_to_person", by="team")
    assert by_team["repeat_to_person", "Nord"].numerator == 2
    window = query.measure(SYSTEM, ("repeat_to_person",), overrides={"first_contact_days": "8"})
    assert (window["numerator"][0], window["n"][0]) == (5, 10)
    explained = query.explain(SYSTEM, "repeat_to_person", Filters())
    assert (explained.rows[0].numerator, explained.counted, explained.universe) == (4, 10, 20)


def test_everything_by_advisor_counts_people_alone(centre: Path) -> None:
    land(of_a_centre())
    by_advisor = measure("received", "answered", by="advisor")
    assert by_advisor["received", "marie"].n == 54
    assert sum(row.n for (kpi, _who), row in by_advisor.items() if kpi == "received") == 64
    total, whole = query.measure_cuts(SYSTEM, ("received",), (("advisor",), ("queue",)))
    assert (total["n"].sum(), whole["n"].sum()) == (64, 124)


def test_totals_by_interval_count_as_peoples_and_are_left_out_by_handler(centre: Path) -> None:
    land(of_a_centre())
    totals = {"received": 50, "answered": 50, "wait_seconds": 500.0}
    land_intervals([interval("2026-05-04", queue="only totals", **totals)])
    speed = measure("average_speed_of_answer")["average_speed_of_answer"]
    assert speed.n == 54 + 50 and "mixed_handling" in speed.notes
    people = measure("average_speed_of_answer", "received", handled_by=["person"])
    assert people["received"].n == 20
    assert people["received"].notes == ("totals_left_out:50",)
    nobody = measure("received", handled_by=["person"], queue=["only totals"])
    assert (nobody["received"].n, nobody["received"].notes) == (0, ("totals_left_out:50",))
    by_handler = measure("received", by="handled_by")
    assert by_handler["received", "machine"].notes == ("totals_left_out:50",)


def of_machine(customers: int, each: int) -> list[dict[str, Any]]:
    return [
        contact(
            f"2026-05-{4 + number % 20:02d} 11:00",
            queue="a",
            handled_by="machine",
            customer_key=f"{number % customers:032x}",
        )
        for number in range(customers * each)
    ]


@pytest.mark.parametrize(("customers", "each", "is_shown"), [(40, 2, True), (8, 10, False)])
def test_an_executive_sees_cells_of_machines_from_ten_customers_on(
    centre: Path, customers: int, each: int, is_shown: bool
) -> None:
    people = of_queue("a", 8, 20)
    land_all(people, of_machine(customers, each))
    expected = "ok" if is_shown else "suppressed"
    assert shown("answered", "handled_by") == {None: expected, "machine": expected}
    assert shown("answered") == {None: "ok"}


def test_a_dimension_that_spend_does_not_have_is_refused(centre: Path) -> None:
    land(of_a_centre())
    with pytest.raises(Refusal, match="cannot be broken down"):
        query.measure(SYSTEM, ("cost_per_contact",), ("handled_by",))


def test_the_sums_that_are_kept_know_machines_that_come_later(centre: Path) -> None:
    people, bots = of_a_centre()[60:], of_a_centre()[:60]
    land(people)
    assert measure("service_level")["service_level"].denominator == 64
    moved = [row | {"started_at": row["started_at"] + timedelta(seconds=1)} for row in bots]
    land(moved, "later")
    level = measure("service_level")["service_level"]
    assert (level.denominator, level.notes) == (64, (CHANGED,))
