"""When a number needs a look: which periods ring, that one matter rings once, who sees
it, and that no import fails for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land, publish
from builders.health import find_check
from builders.import_files import CALLS, bring
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts
from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis import alerts, targets
from qa_core.analysis.alerts import Rule, RuleKind
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.centre import settings
from qa_core.centre.rules import name_decisions
from qa_core.cli.app import run
from qa_core.delivery import digests
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import due_work, store
from qa_core.storage.records.alerts import AlertRule
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.imports import AFTER_IMPORT
from qa_core.upkeep import after_import

SYSTEM = Viewer.SYSTEM
MANAGER = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
LEAD = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
EXECUTIVE = Viewer("rex", Role.EXECUTIVE)
ADMIN = Viewer("ada", Role.ADMIN)
FIRST_SUNDAY = date(2026, 6, 7)
BELOW_80 = Rule("answer_rate", RuleKind.THRESHOLD, side="below", threshold=0.8)
STEADY = [90, 90, 91, 89, 90, 91, 89, 90, 91, 89, 90]


def land_weeks(answered: Sequence[int], first: int = 0, of: int = 100, **columns: object) -> None:
    """On the Sunday of each week from that one on, `of` contacts, so many of them
    answered: the week is over with it.
    """
    weeks = enumerate(answered, first)
    land_days({FIRST_SUNDAY + timedelta(weeks=week): count for week, count in weeks}, of, **columns)


def land_days(answered: Mapping[date, int], of: int = 100, **columns: object) -> None:
    """Land `of` contacts a day, so many of them answered, at once: each landing takes a while."""
    name = f"{columns.get('queue', '')} {columns.get('team', '')}"
    land(
        [
            contact(
                f"{day} 10:{number % 60:02d}",
                f"{day} {name} {number}",
                outcome="answered" if number < count else "abandoned",
                wait_seconds=60.0,
                **columns,
            )
            for day, count in answered.items()
            for number in range(of)
        ],
        str(max(answered)),
    )


def standing() -> list[tuple[str, float, str]]:
    """The alerts that stand: state, value, and the first day of the last period in
    which the rule held.
    """
    return [
        (event.state, event.value, str(event.period.first_day))
        for event in alerts.find(SYSTEM, ("open", "acknowledged"))
    ]


def test_an_answer_rate_by_team_is_judged_only_where_missed_contacts_have_a_team(
    centre: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_people({}, {"Nord": "Lille"})
    targets.set_target(SYSTEM, "answer_rate", "1.5%", "team", "Nord")
    above = {"kind": RuleKind.THRESHOLD, "side": "above", "dimension": "team"}
    alerts.add(SYSTEM, Rule("answer_rate", threshold=0.5, **above))
    alerts.add(SYSTEM, Rule("received", threshold=50, **above))
    land_weeks([90, 90, 90], team="Nord", of=90)
    land_weeks([0, 0, 0], of=10)  # missed, of no team

    capsys.readouterr()
    for kpi in ("answer_rate", "csat"):
        assert run(["alerts", "add", kpi, "--by", "team"]) == 0
    [_rule, said, _other] = capsys.readouterr().out.splitlines()
    assert said.startswith("The rule is saved, but no alert can open for now: missed contacts")

    assert alerts.evaluate(SYSTEM).opened == 1
    [event] = alerts.find(SYSTEM)
    assert (event.rule.kpi, event.value) == ("received", 90)
    by = Filters(Period(FIRST_SUNDAY, FIRST_SUNDAY + timedelta(weeks=2)))
    frame = query.measure(SYSTEM, ("answer_rate",), ("team",), by)
    judged = targets.add_gaps(SYSTEM, frame, ("team",), by).set_index("team").loc["Nord"]
    assert (judged["value"], judged["target"], judged["is_met"]) == (1.0, 0.015, None)

    # Where the source names the team of what was missed, 90 of 4,090 are answered, below it.
    land_weeks([0, 0, 0], of=4000, team="Nord", queue="Sales")
    assert alerts.evaluate(SYSTEM).opened == 0
    frame = query.measure(SYSTEM, ("answer_rate",), ("team",), by)
    judged = targets.add_gaps(SYSTEM, frame, ("team",), by).set_index("team").loc["Nord"]
    assert (round(judged["value"], 3), judged["is_met"]) == (0.022, True)


def test_one_matter_rings_once_and_is_over_after_two_clear_weeks(centre: Path) -> None:
    alerts.add(SYSTEM, BELOW_80)
    land_weeks([90, 90, 70])
    assert alerts.evaluate(SYSTEM) == alerts.EvaluationResult(opened=1, closed=0, standing=1)
    assert standing() == [("open", 0.7, "2026-06-15")]
    assert alerts.evaluate(SYSTEM) == alerts.EvaluationResult(0, 0, 1)

    land_weeks([60], first=3)
    assert alerts.evaluate(SYSTEM).opened == 0
    [event] = alerts.find(SYSTEM)
    assert (event.value, event.first_day, event.period.last_day) == (
        0.6,
        date(2026, 6, 15),
        date(2026, 6, 28),
    )

    land_weeks([90], first=4)
    assert alerts.evaluate(SYSTEM).standing == 1
    land_weeks([60], first=5)
    assert alerts.evaluate(SYSTEM).opened == 0, "it came back before it was over"

    land_weeks([90, 90], first=6)
    assert alerts.evaluate(SYSTEM) == alerts.EvaluationResult(0, 1, 0)
    [event] = alerts.find(SYSTEM, ("closed",))
    assert event.closed_by == "system"
    land_weeks([60], first=8)
    assert alerts.evaluate(SYSTEM).opened == 1


def test_a_rule_follows_its_queue_when_that_is_merged(centre: Path) -> None:
    land_weeks([90, 70], queue="Sale")
    land_weeks([90, 70], queue="Sales")
    alerts.add(SYSTEM, replace(BELOW_80, dimension="queue", name="Sales"))
    name_decisions.merge(SYSTEM, "queue", "Sales", "Sale")
    alerts.evaluate(SYSTEM)
    assert [event.name for event in alerts.find(SYSTEM)] == ["Sale"]
    assert [rule.name for rule in alerts.find_rules(SYSTEM)] == ["Sale"]


def test_small_samples_and_weeks_that_are_not_over_ring_nothing(centre: Path) -> None:
    alerts.add(SYSTEM, BELOW_80)
    land_weeks([90, 90])
    land_weeks([0], first=2, of=20)
    land_days({date(2026, 6, 24): 0})  # a Wednesday, the last day of all
    assert alerts.evaluate(SYSTEM).opened == 0
    land_days({date(2026, 6, 28): 0})
    assert alerts.evaluate(SYSTEM).opened == 1


def test_a_week_that_is_long_past_rings_nothing_and_ends_its_alert(centre: Path) -> None:
    land_weeks([90, 70], queue="Billing")
    alerts.add(SYSTEM, replace(BELOW_80, dimension="queue"))
    assert alerts.evaluate(SYSTEM).opened == 1

    land_weeks([9, 9, 9], first=2, of=10, queue="Billing")  # too few contacts to judge
    assert alerts.evaluate(SYSTEM) == alerts.EvaluationResult(0, 0, 1)
    land_weeks([9], first=5, of=10, queue="Billing")
    assert alerts.evaluate(SYSTEM) == alerts.EvaluationResult(0, 1, 0)
    alerts.add(SYSTEM, replace(BELOW_80, threshold=0.75, dimension="queue"))
    assert alerts.evaluate(SYSTEM).opened == 0


def test_a_threshold_may_ask_for_several_days_in_a_row(centre: Path) -> None:
    alerts.add(
        SYSTEM,
        Rule("answer_rate", RuleKind.THRESHOLD, "day", side="below", threshold=0.8, periods=3),
    )
    land_days({date(2026, 6, 1): 90, date(2026, 6, 2): 70, date(2026, 6, 3): 70})
    assert alerts.evaluate(SYSTEM).opened == 0
    land_days({date(2026, 6, 5): 70})  # nothing came on the fourth
    assert alerts.evaluate(SYSTEM).opened == 1


def test_contacts_whose_window_is_not_over_ring_nothing(centre: Path) -> None:
    alerts.add(
        SYSTEM, Rule("first_contact_resolution", RuleKind.THRESHOLD, side="below", threshold=0.8)
    )
    land(
        contact(f"{day} 1{hour}:00", f"{day} {hour} {number}", customer_key=f"{day} {number}")
        for day in (FIRST_SUNDAY, FIRST_SUNDAY + timedelta(weeks=1))
        for number in range(40)
        for hour in (0, 1)
    )
    alerts.evaluate(SYSTEM)
    assert standing() == [], "the last week has a window of seven days that is not over"
    land_days({date(2026, 6, 21): 100})
    alerts.evaluate(SYSTEM)
    assert standing() == [("open", 0.0, "2026-06-08")], "each customer was back within the hour"


def test_the_control_chart_rings_on_the_worse_side_of_what_is_usual(centre: Path) -> None:
    alerts.add(SYSTEM, Rule("answer_rate", RuleKind.CONTROL))
    alerts.add(SYSTEM, Rule("abandon_rate", RuleKind.CONTROL))
    land_weeks([*STEADY, 100])
    assert alerts.evaluate(SYSTEM).opened == 0, "better than usual needs no look"
    land_weeks([60], first=len(STEADY) + 1)
    alerts.evaluate(SYSTEM)
    found = {
        event.rule.kpi: (event.fired, event.side, event.value) for event in alerts.find(SYSTEM)
    }
    assert found == {
        "answer_rate": ("beyond_limit", -1, 0.6),
        "abandon_rate": ("beyond_limit", 1, 0.4),
    }


def test_what_is_usual_is_counted_anew_when_a_setting_changes(centre: Path) -> None:
    alerts.add(SYSTEM, Rule("service_level", RuleKind.CONTROL))
    weeks = [FIRST_SUNDAY + timedelta(weeks=week) for week in range(len(STEADY) + 1)]
    land(
        contact(f"{day} 10:00", f"{day} {number}", wait_seconds=10.0 if number < count else 25.0)
        for day, count in zip(weeks, [*STEADY, 60], strict=True)
        for number in range(100)
    )
    last_monday = FIRST_SUNDAY + timedelta(weeks=len(STEADY) - 1, days=1)
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "short_abandon_seconds", "6", last_monday)
    assert alerts.evaluate(SYSTEM).opened == 0, (
        "one week under the new rule says nothing of what is usual"
    )
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "short_abandon_seconds", "5", last_monday)
    assert alerts.evaluate(SYSTEM).opened == 1, "nothing changed after all"


def test_a_target_rings_where_chance_cannot_explain_the_gap(centre: Path) -> None:
    alerts.add(SYSTEM, Rule("answer_rate", RuleKind.TARGET, dimension="queue"))
    land_weeks([0, 90], queue="care")
    land_weeks([0, 60], queue="sales")
    targets.set_target(SYSTEM, "answer_rate", "92%")  # 90 of 100: 83–94 %; 60 of 100: 50–69 %
    alerts.evaluate(SYSTEM)
    [event] = alerts.find(SYSTEM)
    assert (event.name, event.reference, event.side, event.n) == ("sales", 0.92, -1, 100)
    assert event.low == pytest.approx(0.502, abs=0.001) and event.high == pytest.approx(
        0.691, abs=0.001
    )


def test_an_alert_is_seen_by_who_may_count_all_that_is_behind_it(centre: Path) -> None:
    add_people(
        {f"a{number}": f"A{number}" for number in range(5)}, {"Nord": "Lille", "Sud": "Nice"}
    )
    said = {"csat": 2.0, "csat_scale": "1-5"}
    land(
        contact(f"{day} 10:00", f"{day}{team}{number}", advisor_id=f"a{number % 5}",
                team=team, queue=f"of {team}", **said)
        for day in (date(2026, 6, 1), date(2026, 6, 30))
        for team in ("Nord", "Sud")
        for number in range(40)
    )  # fmt: skip
    unhappy = Rule("csat", RuleKind.THRESHOLD, "month", side="below", threshold=0.5)
    for dimension in (None, "team", "queue"):
        alerts.add(SYSTEM, Rule(**{**vars(unhappy), "dimension": dimension}))
    assert alerts.evaluate(SYSTEM).opened == 5
    publish()

    def seen(viewer: Viewer) -> set[str | None]:
        return {event.name for event in alerts.find(viewer)}

    assert seen(SYSTEM) == {None, "Nord", "Sud", "of Nord", "of Sud"}
    assert seen(MANAGER) == seen(LEAD) == {"Nord", "of Nord"}
    assert seen(EXECUTIVE) == {None, "of Nord", "of Sud"}, "no teams, but queues with five advisors"
    assert seen(ADMIN) == seen(Viewer("ann", Role.ADVISOR, advisor_id="a1")) == set()
    with pytest.raises(AccessDenied):  # who sees an alert need not be one who looks after it
        alerts.acknowledge(EXECUTIVE, alerts.find(EXECUTIVE)[0].id)


def test_an_advisor_sees_no_alert_even_of_their_own_contacts_alone(centre: Path) -> None:
    land_weeks([100, 100], advisor_id="a1")
    alerts.add(SYSTEM, Rule("received", RuleKind.THRESHOLD, side="above", threshold=10))
    assert alerts.evaluate(SYSTEM).opened == 1
    assert alerts.find(Viewer("ann", Role.ADVISOR, advisor_id="a1")) == ()


def test_an_executive_sees_no_alert_of_days_weeks_or_few_people(centre: Path) -> None:
    days = date(2026, 6, 1), date(2026, 6, 28), date(2026, 6, 30)
    land_days(dict.fromkeys(days, 70), queue="care", advisor_id="a1")
    alerts.add(SYSTEM, BELOW_80)
    alerts.add(SYSTEM, Rule(**{**vars(BELOW_80), "grain": "month"}))
    assert alerts.evaluate(SYSTEM).opened == 2
    assert alerts.find(EXECUTIVE) == ()


def test_an_executive_is_not_told_what_other_months_say(centre: Path) -> None:
    """January to October 2025, a hundred contacts on the first and the last day of each
    month, by seven advisors in turn.
    """
    rows = []
    for month, answered in enumerate([*STEADY[:9], 50], 1):
        last = date(2025, month + 1, 1) - timedelta(days=1)
        rows += [
            contact(
                f"{day} 10:00",
                f"{day} {number}",
                queue="care",
                advisor_id=f"a{number % 7}",
                outcome="answered" if number < answered else "abandoned",
                wait_seconds=60.0,
            )
            for day in (last.replace(day=1), last)
            for number in range(100)
        ]
    land(rows)
    alerts.add(SYSTEM, Rule("answer_rate", RuleKind.CONTROL, "month", "queue", clear_after=1))
    alerts.evaluate(SYSTEM)
    publish("2025-09", "2025-10")
    [whole], [told] = alerts.find(SYSTEM), alerts.find(EXECUTIVE)
    assert (whole.value, told.value, told.reference, told.first_day) == (
        0.5,
        0.5,
        None,
        date(2025, 10, 1),
    )
    assert whole.reference > 0.8
    assert alerts.describe(told).endswith("unusually low")
    assert "below its control limit of" in alerts.describe(whole)


def test_whoever_looks_after_an_alert_says_so_and_it_rings_no_more(centre: Path) -> None:
    add_people({}, {"Nord": "Lille", "Sud": "Nice"})
    alerts.add(SYSTEM, Rule(**{**vars(BELOW_80), "dimension": "team", "name": "Nord"}))
    land_weeks([90, 70], team="Nord")
    land_weeks([90, 90], team="Sud")
    alerts.evaluate(SYSTEM)
    [event] = alerts.find(LEAD)
    for stranger in (EXECUTIVE, Viewer("sue", Role.TEAM_LEAD, led_teams=(TeamSpan("Sud"),))):
        with pytest.raises(AccessDenied):
            alerts.acknowledge(stranger, event.id)
    alerts.acknowledge(LEAD, event.id)
    alerts.evaluate(SYSTEM)
    assert alerts.find(LEAD) == ()
    [event] = alerts.find(LEAD, ("acknowledged",))
    assert event.acknowledged_by == "lea"
    with store.reading() as session:
        row = session.scalars(
            sa.select(JournalRow).where(JournalRow.action == "alert_acknowledged")
        ).one()
    assert (row.actor, row.object) == ("lea", "answer_rate threshold team Nord")


def test_rules_that_make_no_sense_are_refused_and_none_is_about_an_advisor(centre: Path) -> None:
    refused = {
        "bad_scope": Rule("answer_rate", RuleKind.CONTROL, dimension="advisor"),
        "no_threshold": Rule("answer_rate", RuleKind.THRESHOLD),
        "bad_grain": Rule("answer_rate", RuleKind.CONTROL, "day"),
        "bad_rule": Rule("received", RuleKind.TARGET),
        "cannot_cut": Rule("cost_per_contact", RuleKind.CONTROL, dimension="queue"),
        "bad_periods": Rule("answer_rate", RuleKind.CONTROL, clear_after=0),
        "unknown_team": Rule("answer_rate", RuleKind.CONTROL, dimension="team", name="Nowhere"),
    }
    for code, rule in refused.items():
        with pytest.raises(Refusal) as refusal:
            alerts.add(SYSTEM, rule)
        assert refusal.value.code == code
    with pytest.raises(Misuse):
        alerts.add(SYSTEM, Rule("nonsense", RuleKind.CONTROL))


def test_managers_set_rules_of_their_teams_and_of_the_centre_where_it_is_all_theirs(
    centre: Path,
) -> None:
    add_people({}, {"Nord": "Lille", "Sud": "Nice"})
    own = alerts.add(MANAGER, Rule("answer_rate", RuleKind.CONTROL, dimension="team", name="Nord"))
    assert alerts.add(MANAGER, own).id == own.id, "once is enough"
    for scope in ({"dimension": "team", "name": "Sud"}, {"dimension": "team"}, {}):
        with pytest.raises(AccessDenied):
            alerts.add(MANAGER, Rule("answer_rate", RuleKind.CONTROL, **scope))
    whole = Viewer("mia", Role.MANAGER, managed_teams=("Nord", "Sud"), sees_unassigned=True)
    centre_wide = alerts.add(whole, Rule("answer_rate", RuleKind.CONTROL))
    for viewer in (LEAD, EXECUTIVE):
        with pytest.raises(AccessDenied):
            alerts.add(viewer, Rule("answer_rate", RuleKind.TARGET))
    with pytest.raises(AccessDenied):
        alerts.end(MANAGER, centre_wide.id)
    assert {rule.id: rule.is_mine for rule in alerts.find_rules(MANAGER)} == {
        own.id: True,
        centre_wide.id: False,
    }


def test_rules_are_listed_for_who_manages_them_or_sees_the_alerts_of_their_kpi(
    centre: Path,
) -> None:
    alerts.add(ADMIN, Rule("csat", RuleKind.CONTROL))
    alerts.add(ADMIN, Rule("agreement", RuleKind.THRESHOLD, side="below", threshold=0.6))
    assert [rule.kpi for rule in alerts.find_rules(ADMIN)] == ["csat", "agreement"]
    assert [rule.kpi for rule in alerts.find_rules(LEAD)] == ["csat"]
    assert alerts.find_rules(Viewer("eve", Role.EVALUATOR)) == ()
    assert alerts.find_missing(LEAD) == ()


def test_the_suggested_rules_are_offered_until_they_are_in_force(centre: Path) -> None:
    assert len(alerts.find_missing(ADMIN)) == len(alerts.SUGGESTED)
    added = alerts.add_suggested(ADMIN)
    assert len(added) == len(alerts.SUGGESTED) and alerts.find_missing(ADMIN) == ()
    alerts.end(ADMIN, added[0].id)
    assert alerts.find_missing(ADMIN) == (alerts.SUGGESTED[0],)


def test_an_alert_ends_with_its_rule_and_with_the_last_of_its_contacts(centre: Path) -> None:
    rule = alerts.add(SYSTEM, BELOW_80)
    land_weeks([90, 70])
    alerts.evaluate(SYSTEM)
    alerts.end(ADMIN, rule.id)
    assert standing() == []
    assert [event.closed_by for event in alerts.find(SYSTEM, ("closed",))] == ["ada"]


def test_an_import_evaluates_the_rules_and_taking_it_back_closes_what_it_rang(
    centre: Path, tmp_path: Path
) -> None:
    from qa_core import ingest

    alerts.add(SYSTEM, Rule("received", RuleKind.THRESHOLD, "day", side="above", threshold=2))
    report = bring(tmp_path, "contacts", CALLS)
    assert standing() == [("open", 3.0, "2026-03-02")]
    ingest.undo(SYSTEM, report.batch_id)
    after_import.do_due()
    assert standing() == []


def test_evaluating_on_the_command_line_does_all_that_an_import_leaves(centre: Path) -> None:
    with store.writing() as session:
        due_work.request(session, *AFTER_IMPORT)

    assert run(["alerts", "evaluate"]) == 0
    assert not any(map(due_work.is_due, AFTER_IMPORT))


def test_a_rule_that_cannot_be_evaluated_fails_no_import_and_is_told_by_the_doctor(
    centre: Path, tmp_path: Path
) -> None:
    with store.writing() as session:
        session.add(
            AlertRule(kpi="answer_rate", kind="control", grain="fortnight", created_by="somebody")
        )
    assert bring(tmp_path, "contacts", CALLS).tally.new == 3
    state, detail = find_check("work after imports")
    assert state == "warn" and "alerts evaluate" in detail
    with store.writing() as session:
        assert (
            session.scalar(sa.select(sa.func.count()).where(JournalRow.action == "alerts_failed"))
            == 1
        )
        session.execute(sa.delete(AlertRule))
    assert run(["alerts", "evaluate"]) == 0
    assert find_check("work after imports")[0] == "ok"


def test_the_command_line_adds_evaluates_lists_and_ends(
    centre: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land_weeks([90, 70], queue="care")

    def ask(*arguments: str) -> dict:
        capsys.readouterr()
        assert run(["alerts", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert run(["alerts", "add", "answer_rate", "--below", "80%", "--where", "queue=care"]) == 0
    assert ask("evaluate") == {"opened": 1, "closed": 0, "standing": 1}
    found = ask("list")
    [rule], [event] = found["rules"], found["alerts"]
    assert (rule["threshold"], rule["side"], rule["name"]) == (0.8, "below", "care")
    assert (event["value"], event["from"], event["to"], event["state"]) == (
        0.7,
        "2026-06-08",
        "2026-06-14",
        "open",
    )
    assert run(["alerts", "add", "answer_rate", "--below", "80%", "--target"]) == 2
    assert run(["alerts", "remove", str(rule["id"])]) == 0
    assert ask("list") == {"rules": [], "alerts": []}


def test_the_overview_shows_an_alert_until_somebody_looks_after_it(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_people({}, {"Nord": "Lille"})
    land_weeks([90, 70], team="Nord")
    alerts.add(SYSTEM, BELOW_80)
    alerts.evaluate(SYSTEM)
    add_person("max", "manager", sites=("Lille",), display_name="Max Petit")
    app = open_app("max", "overview")
    assert not app.expander
    said = [
        text.value
        for text in app.markdown
        if "Answer rate" in text.value and "70" in text.value and "below" in text.value
    ]
    assert len(said) == 1
    [event] = alerts.find(SYSTEM)
    app.button(key=f"acknowledge_{event.id}").click().run()
    assert not [text for text in app.markdown if "notifications_active" in text.value]
    assert alerts.find(SYSTEM, ("acknowledged",))[0].acknowledged_by == "max"
    app = open_app("max", "targets", about="alerts")
    assert any("Acknowledged by Max Petit" in text.value for text in app.markdown)


def test_alerts_without_room_are_counted_on_the_overview_and_open_under_it(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_people({}, {"Nord": "Lille"})
    land_weeks([90, 70], team="Nord")
    for percent in (75, 76, 77, 78, 79, 80):
        alerts.add(SYSTEM, replace(BELOW_80, threshold=percent / 100))
    alerts.evaluate(SYSTEM)
    add_person("max", "manager", sites=("Lille",))
    app = open_app("max", "overview")
    [more] = app.expander
    assert more.label == "2 more after these"
    assert len(more.markdown) == 2
    with store.reading() as session:
        max_manager = accounts.get_viewer(session, "max")
    digest = digests.build(max_manager, "2026-W25")
    assert [line for line in digest.sections[0].lines if "more" in line] == ["2 more after these"]
