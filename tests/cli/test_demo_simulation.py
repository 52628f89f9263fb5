"""The demo centre before it is imported: the same from the same seed, and believable."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from qa_core.cli.demo import campaigns, contacts, evaluations, seasons, staff, surveys
from qa_core.cli.demo.accounts import choose_trained
from qa_core.cli.demo.extracts import SYSTEMS, Extracts
from qa_core.cli.demo.story import DemoPlan

PLAN = DemoPlan(last_day=date(2026, 11, 23), contacts=30_000)


def simulate(plan: DemoPlan) -> dict[str, pa.Table]:
    calendar = seasons.Calendar(plan)
    people = staff.build_staff(plan, calendar)
    extracts = Extracts(plan, people, contacts.Simulation(plan, calendar, people).run())
    tracking = campaigns.Tracking(plan, calendar, extracts)
    called = tracking.called_numbers()
    exports = {system: pa.concat_tables(extracts.export(system, called)) for system in SYSTEMS}
    return {
        **exports,
        "contacts": pa.concat_tables(list(exports.values()), promote_options="default"),
        "by_number": tracking.by_number(),
        "by_contact": tracking.by_contact(),
        "spend": tracking.spend(),
        "surveys": surveys.send(plan, calendar, extracts),
        "evaluations": evaluations.evaluate(plan, calendar, extracts),
        "advisors": people.as_rows(),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QA_HOME", str(tmp_path_factory.mktemp("centre")))
        return simulate(PLAN)


def where(table: pa.Table, **values: str) -> pa.Table:
    for name, value in values.items():
        table = table.filter(pc.equal(table[name], value))
    return table


def share(values: pa.ChunkedArray) -> float:
    """The mean of what is known."""
    return pc.mean(values.cast(pa.float64())).as_py()


def missing(table: pa.Table, name: str) -> float:
    return table[name].null_count / table.num_rows


def test_the_same_plan_gives_the_same_centre_and_another_seed_another(centre: Path) -> None:
    small = DemoPlan(last_day=date(2026, 11, 23), months=3, advisors=12, contacts=2_000)
    first, again, other = simulate(small), simulate(small), simulate(replace(small, seed=8))
    assert all(first[name].equals(again[name]) for name in first)
    assert not first["contacts"].equals(other["contacts"])


def test_a_plan_covers_whole_months_back_from_its_last_day() -> None:
    assert DemoPlan(last_day=date(2026, 11, 30), months=18).first_day == date(2025, 6, 1)
    assert DemoPlan(last_day=date(2026, 8, 30), months=6).first_day == date(2026, 2, 28)


@pytest.mark.parametrize(("advisors", "size"), [(6, 100), (200, 3_000)])
def test_small_and_large_centres_can_be_made(centre: Path, advisors: int, size: int) -> None:
    made = simulate(DemoPlan(last_day=date(2026, 3, 1), months=2, advisors=advisors, contacts=size))
    assert made["contacts"].num_rows == pytest.approx(size, rel=0.35)
    assert len(set(made["advisors"]["advisor_id"].to_pylist())) == advisors


def test_there_are_about_as_many_contacts_as_asked_for_on_five_channels(
    made: dict[str, pa.Table],
) -> None:
    assert made["contacts"].num_rows == pytest.approx(30_000, rel=0.03)
    assert set(made["contacts"]["channel"].to_pylist()) == {
        "phone",
        "email",
        "chat",
        "messaging",
        "social",
    }
    assert len(set(made["contacts"]["contact_id"].to_pylist())) == made["contacts"].num_rows


def test_the_call_statistics_are_those_of_a_centre_that_works(made: dict[str, pa.Table]) -> None:
    received = where(made["contacts"], direction="inbound")
    received = received.filter(pc.not_equal(received["outcome"], "closed"))
    answered = where(received, outcome="answered")
    assert 0.88 < answered.num_rows / received.num_rows < 0.95
    assert 10 < share(answered["wait_seconds"]) < 35
    assert 240 < share(where(answered, channel="phone")["talk_seconds"]) < 420
    assert 0.03 < share(pc.greater(where(answered, channel="phone")["transfers"], 0)) < 0.12
    abandoned = where(received, outcome="abandoned")
    assert 0 < share(pc.less_equal(abandoned["wait_seconds"], 5)) < 0.5
    assert {"timeout", "overflow", "voicemail", "abandoned"} <= set(received["outcome"].to_pylist())


def test_values_are_missing_as_in_life(made: dict[str, pa.Table]) -> None:
    answered = where(made["contacts"], direction="inbound", outcome="answered")
    phone = where(answered, channel="phone")
    assert 0.03 < missing(answered, "customer_key") < 0.12
    assert 0.03 < missing(answered, "reason") < 0.12
    assert 0.04 < missing(answered, "declared_resolved") < 0.12
    assert 0 < missing(phone, "wait_seconds") < 0.03
    assert missing(where(answered, channel="email"), "wait_seconds") == 1
    assert 0 < missing(phone, "wrap_seconds") < 0.06


def test_declarations_are_optimistic(made: dict[str, pa.Table]) -> None:
    assert (
        0.84
        < share(
            where(made["contacts"], direction="inbound", outcome="answered")["declared_resolved"]
        )
        < 0.93
    )


def test_few_customers_answer_the_survey_and_most_are_pleased(made: dict[str, pa.Table]) -> None:
    sent = made["surveys"]
    csat, nps = sent["csat"].drop_null(), sent["nps"].drop_null()
    assert 0.09 < 1 - missing(sent, "answered_at") < 0.14
    assert 0.68 < share(pc.greater_equal(csat, 4)) < 0.82
    assert 10 < 100 * (share(pc.greater_equal(nps, 9)) - share(pc.less_equal(nps, 6))) < 40
    assert set(csat.to_pylist()) == {1, 2, 3, 4, 5}
    assert pc.min_max(nps).as_py() == {"min": 0, "max": 10}


def test_only_a_part_of_the_calls_is_recorded_and_nobody_who_objected(
    made: dict[str, pa.Table],
) -> None:
    answered = where(made["telephony"], outcome="answered")
    assert 0.05 < share(answered["recorded"]) < 0.11
    recorded = answered.filter(answered["recorded"])
    assert share(recorded["notice_played"]) == 1
    assert (
        share(recorded["customer_objected"])
        == share(recorded["stopped_by_advisor"])
        == share(recorded["private_line"])
        == 0
    )
    assert recorded["recording_purpose"].null_count == 0
    assert pc.any(answered["customer_objected"]).as_py()


def test_evaluations_are_of_recorded_calls_of_the_last_year_and_few_a_month(
    made: dict[str, pa.Table],
) -> None:
    recorded = where(made["telephony"], outcome="answered")
    recorded = set(recorded.filter(recorded["recorded"])["contact_id"].to_pylist())
    listened = made["evaluations"]
    assert set(listened["contact_id"].to_pylist()) <= recorded
    assert min(listened["evaluated_at"].to_pylist()).date() > date(2025, 11, 23)
    assert set(listened["evaluator"].to_pylist()) == set(staff.EVALUATORS)
    months = pc.strftime(listened["evaluated_at"], "%Y-%m")
    assert pc.count_distinct(months).as_py() == 12


def test_campaigns_bring_a_part_of_the_calls_and_cost_money_while_they_run(
    made: dict[str, pa.Table],
) -> None:
    attributed = made["by_number"].num_rows + made["by_contact"].num_rows
    assert 0.08 < attributed / made["contacts"].num_rows < 0.25
    assert set(made["by_number"]["tracking_number"].to_pylist()) <= set(
        made["telephony"]["tracking_number"].to_pylist()
    )
    assert set(made["spend"]["currency"].to_pylist()) == {"EUR"}
    assert pc.min(made["spend"]["amount"]).as_py() >= 0


def test_the_launch_troubles_the_weeks_before_the_last_month() -> None:
    trouble = seasons.launch_trouble(np.array([100, 50, 40, 20, 0]))
    assert trouble.tolist()[:3] == [0, 1, 1] and 0 < trouble[3] < 1 and trouble[4] == 0


def test_the_centre_is_closed_on_french_holidays() -> None:
    plan = DemoPlan(last_day=date(2026, 12, 31), months=12)
    calendar = seasons.Calendar(plan)
    holidays = set(calendar.days[calendar.is_holiday].astype(object))
    assert {date(2026, 4, 6), date(2026, 5, 14), date(2026, 5, 25), date(2026, 7, 14)} <= (
        holidays
    )  # Easter Sunday is 5 April 2026
    assert len(holidays) == 11
    assert not calendar.is_open[calendar.is_holiday].any()


def test_some_advisors_change_teams_and_everybody_has_one_at_a_time(
    made: dict[str, pa.Table],
) -> None:
    rows = sorted(made["advisors"].to_pylist(), key=lambda row: (row["advisor_id"], row["from"]))
    moved = [
        (before, after)
        for before, after in pairwise(rows)
        if before["advisor_id"] == after["advisor_id"]
    ]
    assert len(moved) == 6
    assert all(
        before["to"] < after["from"]
        and before["team"] != after["team"]
        and before["site"] == after["site"]
        for before, after in moved
    )


def test_the_centre_tells_one_story_from_a_campaign_to_coaching(made: dict[str, pa.Table]) -> None:
    """Days before the end: 58 the new invoice, 50 coaching begins, 12 the trouble is over."""
    campaign = where(made["by_number"], campaign="Nouvelle facture expliquée")
    assert between(campaign, "started_at", 58, 20).num_rows == campaign.num_rows > 20
    before, launch, after = (
        between(where(made["contacts"], reason="Facturation"), "started_at", *days)
        for days in ((86, 59), (57, 30), (11, 0))
    )
    assert launch.num_rows > 1.5 * before.num_rows
    assert after.num_rows / 12 < 1.2 * before.num_rows / 28
    waits = [
        share(where(part, channel="phone", outcome="answered")["wait_seconds"])
        for part in (before, launch, after)
    ]
    assert waits[1] > 1.3 * max(waits[0], waits[2])
    pleased = [
        share(
            pc.greater_equal(
                made["surveys"]
                .filter(
                    pc.is_in(made["surveys"]["contact_id"], part["contact_id"].combine_chunks())
                )["csat"]
                .drop_null(),
                4,
            )
        )
        for part in (before, launch, after)
    ]
    assert pleased[1] < min(pleased[0], pleased[2]) - 0.1, pleased
    owned = where(made["evaluations"], criterion="ownership")
    on_launch = between(owned, "evaluated_at", 54, 30)
    assert score(on_launch) < score(between(owned, "evaluated_at", 200, 60)) - 0.03


def test_coaching_helps_the_advisor_who_is_coached_on_the_criterion_of_the_launch(
    centre: Path,
) -> None:
    plan = replace(PLAN, months=8, contacts=150_000)
    calendar = seasons.Calendar(plan)
    people = staff.build_staff(plan, calendar)
    extracts = Extracts(plan, people, contacts.Simulation(plan, calendar, people).run())
    trained = people.ids[choose_trained(people)]
    owned = where(evaluations.evaluate(plan, calendar, extracts), criterion="ownership")
    own = where(owned, advisor=trained)
    before, after = between(own, "evaluated_at", 140, 51), between(own, "evaluated_at", 45, 0)
    assert min(before.num_rows, after.num_rows) >= 5
    assert score(after) > score(before) + 0.25
    assert score(before) < score(owned) - 0.2


def between(table: pa.Table, column: str, first: int, last: int) -> pa.Table:
    """The rows from so many days before the last one until so many."""
    days = pc.cast(table[column], pa.date32())
    return table.filter(
        pc.and_(pc.greater_equal(days, PLAN.day(first)), pc.less_equal(days, PLAN.day(last)))
    )


def score(answers: pa.Table) -> float:
    return share(pc.divide(answers["points"], answers["possible"]))
