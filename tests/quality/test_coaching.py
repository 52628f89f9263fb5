"""Coaching: plans within the scope of each role, what came of them worked out by hand,
and a week's list that finds the weak and nobody else.
"""

from __future__ import annotations

import random
import statistics as arithmetic
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, evaluation
from builders.drafts import draw
from builders.long_seeds import leave_to_long

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.rows.scorecard_texts import ScorecardTexts
from qa_core.quality.coaching import effect, needs, plans, texts, training_file
from qa_core.quality.coaching.effect import BeforeAndAfter, PeriodScores
from qa_core.quality.coaching.gaps import AdvisorMean, find_gaps
from qa_core.quality.coaching.needs import NeedKind
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import CoachingPlan, Dispute, DrawnContact
from qa_core.storage.records.people import Account, Membership

LEAD = Viewer("leo", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
OTHER_LEAD = Viewer("lou", Role.TEAM_LEAD, led_teams=(TeamSpan("Sud"),))
MANAGER = Viewer("mona", Role.MANAGER, managed_teams=("Nord", "Sud"))
ADVISOR = Viewer("ada", Role.ADVISOR, advisor_id="a1")
OUTSIDERS = [Viewer("out", role) for role in (Role.EXECUTIVE, Role.EVALUATOR, Role.DPO, Role.ADMIN)]
PERIODS = (Period(date(2026, 1, 1), date(2026, 3, 31)), Period(date(2026, 4, 1), date(2026, 6, 30)))
_numbers = count()


@pytest.fixture
def two_teams(centre: Path) -> Path:
    """Nord has a1, a2 and a3; Sud has b1; a9 was in Nord until yesterday."""
    add_people(
        {"a1": "Ada", "a2": "Bea", "a3": "Cleo", "b1": "Dan", "a9": "Eve"},
        {"Nord": "Lille", "Sud": "Nice"},
    )
    with store.writing() as session:
        for advisor, team in {"a1": "Nord", "a2": "Nord", "a3": "Nord", "b1": "Sud"}.items():
            session.add(Membership(advisor_id=advisor, team_name=team, starts_on=days_ago(400)))
        session.add(
            Membership(
                advisor_id="a9", team_name="Nord", starts_on=None, ends_on=environment.today()
            )
        )
    return centre


def days_ago(days: int) -> date:
    return environment.today() - timedelta(days=days)


def evaluate(
    advisor: str,
    days: int,
    score: float | None = 80.0,
    criterion: str = "greeting",
    earned: float = 1.0,
    team: str = "Nord",
    **columns,
) -> Evaluation:
    """One evaluation of a contact so many days ago, of one criterion worth 2 points."""
    day = days_ago(days)
    of = contact(f"{day}T10:00", f"c{next(_numbers)}", advisor_id=advisor, team=team)
    made = evaluation(of, score, {("Welcome", criterion): (earned, 2)}, **columns)
    made.evaluated_at = now() - timedelta(days=days)
    return made


def keep(evaluations: Iterable[Evaluation]) -> list[int]:
    with store.writing() as session:
        made = list(evaluations)
        session.add_all(made)
        session.flush()
        return [one.id for one in made]


def refuse(act: Callable, *given) -> None:
    with pytest.raises(AccessDenied):
        act(*given)


def test_each_reads_the_plans_that_are_theirs_and_only_the_lead_and_the_advisor_write(
    two_teams: Path,
) -> None:
    keep([evaluate("a1", 3), evaluate("b1", 3, team="Sud")])
    one = plans.open_plan(LEAD, "a1", "Greet", ["greeting"])
    other = plans.open_plan(OTHER_LEAD, "b1", "Listen")

    seen = {
        viewer.username: [plan.id for plan in plans.find_plans(viewer)]
        for viewer in (LEAD, OTHER_LEAD, MANAGER, ADVISOR)
    }
    assert seen == {"leo": [one], "lou": [other], "mona": [other, one], "ada": [one]}
    assert [plans.get_plan(viewer, one).may_change for viewer in (LEAD, MANAGER, ADVISOR)] == [
        True,
        False,
        False,
    ]
    assert [plans.get_plan(viewer, one).may_note for viewer in (LEAD, MANAGER, ADVISOR)] == [
        True,
        False,
        True,
    ]
    plans.add_note(LEAD, one, "Heard two calls.", 30)
    plans.add_note(ADVISOR, one, "I will try.")
    assert [(note.text, note.minutes) for note in plans.get_plan(MANAGER, one).notes] == [
        ("Heard two calls.", 30),
        ("I will try.", None),
    ]

    for viewer in (OTHER_LEAD, Viewer("ben", Role.ADVISOR, advisor_id="a2"), *OUTSIDERS):
        refuse(plans.get_plan, viewer, one)
        refuse(effect.find_effect, viewer, one)
        refuse(plans.add_note, viewer, one, "Hello")
        refuse(plans.end_plan, viewer, one, "reached", 3)
        refuse(training_file.build_file, viewer, "a1")
    for viewer in OUTSIDERS:
        refuse(plans.find_plans, viewer)
        refuse(needs.find_needs, viewer)
    for viewer in (MANAGER, ADVISOR):
        refuse(plans.open_plan, viewer, "a1", "Greet")
        refuse(plans.end_plan, viewer, one, "reached", 3)
    refuse(plans.add_note, MANAGER, one, "Hello")
    refuse(plans.get_plan, LEAD, 999)
    for advisor in ("b1", "a9", "nobody"):
        refuse(plans.open_plan, LEAD, advisor, "Greet")


def test_a_lead_of_before_reads_what_was_opened_in_their_time_and_changes_nothing(
    two_teams: Path,
) -> None:
    early, late = plans.open_plan(LEAD, "a1", "Greet"), plans.open_plan(LEAD, "a1", "Listen")
    with store.writing() as session:
        session.get(CoachingPlan, early).local_day = days_ago(40)
    former = Viewer("fred", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord", ends_on=days_ago(30)),))
    newcomer = Viewer("nina", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord", starts_on=days_ago(29)),))

    assert [plan.id for plan in plans.find_plans(former)] == [early]
    assert [plan.id for plan in plans.find_plans(newcomer)] == [late]
    refuse(plans.add_note, former, early, "Hello")
    refuse(plans.end_plan, former, early, "stopped", 1)
    refuse(plans.open_plan, former, "a1", "Greet")
    refuse(plans.get_plan, newcomer, early)


def test_a_plan_stays_with_its_team_and_can_only_be_ended_once_the_advisor_has_left(
    two_teams: Path,
) -> None:
    one = plans.open_plan(LEAD, "a1", "Greet")
    plans.add_note(LEAD, one, "Heard two calls.", 30)
    with store.writing() as session:
        membership = session.scalars(
            sa.select(Membership).where(Membership.advisor_id == "a1")
        ).one()
        membership.ends_on = environment.today()
        session.add(Membership(advisor_id="a1", team_name="Sud", starts_on=environment.today()))

    former, own = plans.get_plan(LEAD, one), plans.get_plan(ADVISOR, one)
    assert (former.has_left, former.may_change, former.may_note) == (True, True, False)
    assert (own.has_left, own.may_note, len(own.notes)) == (True, False, 1)
    for viewer in (LEAD, ADVISOR):
        with pytest.raises(Refusal) as refused:
            plans.add_note(viewer, one, "One more.")
        assert refused.value.code == "left_team"
    # The new lead does not read what was said before, and opens another.
    refuse(plans.get_plan, OTHER_LEAD, one)
    refuse(plans.open_plan, LEAD, "a1", "Listen")
    other = plans.open_plan(OTHER_LEAD, "a1", "Listen")
    assert [plan.id for plan in plans.find_plans(OTHER_LEAD)] == [other] and {
        plan.id for plan in plans.find_plans(ADVISOR)
    } == {one, other}
    plans.end_plan(LEAD, one, "stopped", former.version)
    assert plans.get_plan(ADVISOR, one).state == "stopped"


def test_a_plan_ends_once_and_on_its_newest_version(two_teams: Path) -> None:
    number = plans.open_plan(LEAD, "a1", "Greet")
    shown = plans.get_plan(LEAD, number)
    plans.add_note(ADVISOR, number, "Please wait.")

    with pytest.raises(Refusal) as stale:
        plans.end_plan(LEAD, number, "reached", shown.version)
    assert stale.value.code == "changed_meanwhile"
    plans.end_plan(LEAD, number, "reached", plans.get_plan(LEAD, number).version)
    ended = plans.get_plan(LEAD, number)
    assert (ended.state, ended.ended_on, ended.may_note) == ("reached", environment.today(), False)
    for act in (
        lambda: plans.add_note(LEAD, number, "More"),
        lambda: plans.end_plan(LEAD, number, "stopped", ended.version),
    ):
        with pytest.raises(Refusal) as over:
            act()
        assert over.value.code == "plan_ended"


def test_what_cannot_be_is_refused_and_numbers_of_persons_are_masked(two_teams: Path) -> None:
    theirs, foreign = keep([evaluate("a1", 3), evaluate("a2", 3)])
    for given, code in (
        (("a1", "  "), "bad_goal"),
        (("a1", "Greet", (), (), days_ago(0), days_ago(1)), "bad_date"),
        (("a1", "Greet", ["invented"]), "unknown_criterion"),
    ):
        with pytest.raises(Refusal) as refused:
            plans.open_plan(LEAD, *given)
        assert refused.value.code == code
    refuse(plans.open_plan, LEAD, "a1", "Greet", ["greeting"], [theirs, foreign])

    number = plans.open_plan(LEAD, "a1", "Greet", ["greeting"], [theirs])
    plans.add_note(LEAD, number, "Call Mme Petit on 06 12 34 56 78.", 20)
    assert "12 34" not in plans.get_plan(LEAD, number).notes[0].text
    for text, minutes in (("", None), ("x", 0), ("x", 481)):
        with pytest.raises(Refusal):
            plans.add_note(LEAD, number, text, minutes)


def test_the_journal_says_who_did_what_without_a_word_of_it(two_teams: Path) -> None:
    number = plans.open_plan(LEAD, "a1", "Secret goal")
    plans.add_note(LEAD, number, "Secret words", 20)
    plans.end_plan(LEAD, number, "stopped", 2)

    with store.reading() as session:
        rows = session.execute(
            sa.select(JournalRow.action, JournalRow.object, JournalRow.reason).order_by(
                JournalRow.seq
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        ("coaching_opened", f"plan {number}", ""),
        ("coaching_noted", f"plan {number}", "session"),
        ("coaching_ended", f"plan {number}", "stopped"),
    ]


def test_the_effect_is_the_change_beyond_that_of_colleagues_and_its_interval_adds_up_by_hand() -> (
    None
):
    # Everybody has 10 evaluations on each side, deviation 10: each change has the
    # square 100/10 + 100/10 = 20.
    def ten(mean: float) -> PeriodScores:
        return PeriodScores(10, mean, 10.0)

    own, colleagues = (
        BeforeAndAfter(ten(60), ten(80)),
        [BeforeAndAfter(ten(62), ten(66)), BeforeAndAfter(ten(58), ten(64))],
    )

    found = effect.estimate(own, colleagues, *PERIODS)

    assert found.change.value == 20
    # Their changes are 4 and 6, 5 on average: 20 − 5 = 15; they lie no further apart
    # than chance, so the square is 20 + (20 + 20) / 4 = 30.
    assert (found.effect.value, found.colleagues) == (15, 2)
    assert (found.colleagues_before, found.colleagues_after) == (60, 65)
    # Student's t of 60 − 6 = 54 degrees of freedom: 2.0049 × √30 = 10.98.
    assert (found.effect.low, found.effect.high) == pytest.approx((4.02, 25.98), abs=0.01)
    assert found.effect.is_significant and found.missing_for_power is None

    apart = effect.estimate(
        own, [BeforeAndAfter(ten(60), ten(90)), BeforeAndAfter(ten(60), ten(60))], *PERIODS
    )
    # Changes of 30 and 0 have the variance 450, 430 beyond chance: 30 + 430 × 1.5 =
    # 675, and nothing is sure any more.
    assert apart.effect.value == 5
    assert apart.effect.high - apart.effect.value == pytest.approx(2.0049 * 675**0.5, abs=0.01)


def test_colleagues_are_the_five_nearest_before_and_never_those_with_too_few_evaluations() -> None:
    def course(before: float, n: int = 10, after: int = 10) -> BeforeAndAfter:
        return BeforeAndAfter(PeriodScores(n, before, 10.0), PeriodScores(after, before, 10.0))

    near, far, rare = [course(60 + step) for step in (0, 1, 2, 3)], course(90), course(60, n=40)

    assert effect.match_colleagues(
        PeriodScores(10, 60.0, 10.0), [far, rare, course(60, n=2), course(60, after=2), *near]
    ) == [*near, rare]


def test_the_effect_reads_the_criteria_of_the_plan_and_leaves_out_who_was_coached_on_them(
    two_teams: Path,
) -> None:
    """Points of 2 on "greeting", six evaluations on each side of the start, 30 days
    ago: a1 from 1 to 2 (50 → 100); a2 and a3 stay at 1 (50).
    """
    for advisor, after in {"a1": 2, "a2": 1, "a3": 1}.items():
        keep(evaluate(advisor, 40 + step, earned=1) for step in range(6))
        keep(evaluate(advisor, 10 + step, earned=after) for step in range(6))
    keep(evaluate(advisor, 5, criterion="record", earned=0) for advisor in ("a1", "a3"))
    number = plans.open_plan(LEAD, "a1", "Greet", ["greeting"], starts_on=days_ago(30))

    found = effect.find_effect(LEAD, number)
    assert (found.own.before.n, found.own.before.mean, found.own.after.n, found.own.after.mean) == (
        6,
        50,
        6,
        100,
    )
    assert (found.change.value, found.effect.value, found.colleagues) == (50, 50, 2)

    plans.open_plan(LEAD, "a2", "Greet too", ["greeting"], starts_on=days_ago(35))
    plans.open_plan(LEAD, "a3", "Something else", ["record"], starts_on=days_ago(35))
    assert effect.find_effect(MANAGER, number).colleagues == 1

    own = effect.find_effect(ADVISOR, number)
    assert own.change.value == 50
    assert (own.effect, own.colleagues, own.colleagues_before, own.sees_colleagues) == (
        None,
        0,
        None,
        False,
    )


def test_too_few_evaluations_say_how_many_more_it_takes_and_every_number_comes_with_the_warning(
    two_teams: Path,
) -> None:
    few = effect.estimate(
        BeforeAndAfter(PeriodScores(9, 60.0, 10.0), PeriodScores(2, 90.0, 1.0)), [], *PERIODS
    )
    assert (few.change, few.missing_before, few.missing_after) == (None, 0, 3)
    assert texts.describe_effect(few) == [
        "An estimate needs 5 evaluations before the start and as many since: there are 9 and 2."
    ]
    assert texts.describe_result(few) == "Too early: 3 more evaluations needed"

    own, colleague = (
        BeforeAndAfter(PeriodScores(9, 60.0, 20.0), PeriodScores(9, 65.0, 20.0)),
        BeforeAndAfter(PeriodScores(9, 60.0, 20.0), PeriodScores(9, 60.0, 20.0)),
    )
    for others in (None, [], [colleague]):
        found = effect.estimate(own, others, *PERIODS)
        said = " ".join(texts.describe_effect(found))
        assert "regression to the mean" in said
        # (2.8016 × 20 / 10)² = 31.4: 32 in all, of which there are 9.
        assert found.missing_for_power == 23 and "At least 23 more evaluations" in said
        assert "no statistically clear change" in texts.describe_result(found)


def simulate(seed: int, weak: float) -> dict[str | None, list[AdvisorMean]]:
    """Ten advisors with 12 evaluations each, scores around 82 and three criteria around
    80; the first is weaker by so much in all of them.
    """
    chance = random.Random(seed)
    found: dict[str | None, list[AdvisorMean]] = {}
    for criterion, level, deviation in (
        (None, 82, 9),
        ("greeting", 80, 25),
        ("listening", 80, 25),
        ("record", 80, 25),
    ):
        for number in range(10):
            drawn = [
                chance.gauss(level - (weak if number == 0 else 0), deviation) for _ in range(12)
            ]
            found.setdefault(criterion, []).append(
                AdvisorMean(f"a{number}", arithmetic.mean(drawn), arithmetic.stdev(drawn), 12)
            )
    return found


def test_whoever_is_weak_is_found_and_among_equals_hardly_ever_anybody() -> None:
    found = [
        {gap.advisor for gap in find_gaps(simulate(seed, 16)) if gap.is_significant}
        for seed in range(60)
    ]
    assert sum(clear == {"a0"} for clear in found) >= 57
    assert sum(bool(clear - {"a0"}) for clear in found) <= 1

    alarms = sum(
        any(gap.is_significant for gap in find_gaps(simulate(seed, 0))) for seed in range(200)
    )
    assert alarms <= 10  # one in twenty at most, all comparisons counted


@pytest.mark.parametrize("seed", leave_to_long([1, 2, 3], but=[1]))
def test_the_list_of_the_week_finds_the_weak_advisor_in_a_simulated_team_and_nobody_else(
    seed: int, centre: Path
) -> None:
    chance = random.Random(seed)
    add_people({f"a{number}": f"Advisor {number}" for number in range(8)}, {"Nord": "Lille"})
    made = []
    for number in range(8):
        for day in range(12):
            level = 0.5 if number == 5 else 0.85
            of = contact(
                f"{days_ago(7 * day + 1)}T10:00",
                f"s{next(_numbers)}",
                advisor_id=f"a{number}",
                team="Nord",
            )
            points = {
                ("Call", key): (float(sum(chance.random() < level for _ in range(4))), 4)
                for key in ("greeting", "listening", "record", "close", "care")
            }
            score = 100 * sum(earned for earned, _possible in points.values()) / 20
            made.append(evaluation(of, score, points))
    keep(made)
    with store.writing() as session:
        session.add_all(
            Membership(advisor_id=f"a{number}", team_name="Nord") for number in range(8)
        )

    week = needs.find_needs(LEAD)

    assert [need.advisor_id for need in week.needs] == ["a5"]
    assert (week.advisors, week.compared) == (8, 8)
    score = week.needs[0].reasons[0]
    assert score.kind == NeedKind.SCORE and score.gap.n == 12 and score.gap.high < 0
    assert week.needs[0].criteria and "points from the rest of the team" in texts.describe_reason(
        score, ScorecardTexts()
    )
    number = plans.open_plan(LEAD, "a5", "Work on it", week.needs[0].criteria)
    again = needs.find_needs(LEAD).needs[0]
    assert again.reasons[0].plan_id == number and not again.criteria
    assert not needs.find_needs(OTHER_LEAD).needs


def test_the_week_lists_what_is_overdue_first_then_unheard_unread_and_disputed(
    two_teams: Path,
) -> None:
    ids = keep(
        [
            evaluate("a1", 3),
            evaluate("a2", 3),
            evaluate("a2", 2),
            evaluate("a9", 3),
            evaluate("a1", 50),
        ]
    )
    with store.writing() as session:
        session.add(
            Account(
                username="bea",
                display_name="Bea",
                role="advisor",
                password_hash="x",
                advisor_id="a2",
            )
        )
        for number in ids[1:3]:
            session.get(Evaluation, number).published_at = now() - timedelta(days=9)
        session.add(
            Dispute(evaluation_id=ids[1], criterion="greeting", reason="No", raised_by="bea")
        )
        turned_down = {"decision": "keep", "decided_at": now() - timedelta(days=2)}
        session.add(
            Dispute(
                evaluation_id=ids[2],
                criterion="greeting",
                reason="No",
                raised_by="bea",
                **turned_down,
            )
        )
        session.add(
            Dispute(
                evaluation_id=ids[4],
                criterion="greeting",
                reason="No",
                raised_by="ada",
                decision="keep",
                decided_at=now() - timedelta(days=40),
            )
        )
    late = plans.open_plan(LEAD, "a3", "Greet", starts_on=days_ago(30), due_on=days_ago(4))

    week = needs.find_needs(LEAD)

    assert [
        (need.advisor, [(reason.kind, reason.n) for reason in need.reasons]) for need in week.needs
    ] == [
        ("Cleo", [(NeedKind.OVERDUE, 4), (NeedKind.UNHEARD, None)]),
        ("Bea", [(NeedKind.UNREAD, 2), (NeedKind.DISPUTED, 1), (NeedKind.TURNED_DOWN, 1)]),
    ]
    assert week.needs[0].reasons[0].plan_id == late
    assert week.compared == 0 and "Too few evaluations" in texts.describe_week(week)


def test_the_week_names_whom_to_listen_to_the_longest_waiting_first(two_teams: Path) -> None:
    keep([evaluate("a1", 15), evaluate("a2", 3)])
    for contact_id, advisor_id, due_in in (("p1", "a1", 9), ("p2", "a2", 4), ("p3", "a2", 6)):
        drawn_id = draw("eve", contact_id, advisor_id=advisor_id)
        with store.writing() as session:
            drawn = session.get_one(DrawnContact, drawn_id)
            drawn.team, drawn.due_on = "Nord", days_ago(-due_in)
            drawn.state = "done" if contact_id == "p2" else "waiting"

    listening = needs.find_needs(LEAD).listening

    assert [
        (need.advisor, [(reason.kind, reason.n) for reason in need.reasons]) for need in listening
    ] == [
        ("Cleo", [(NeedKind.UNHEARD, None)]),
        ("Ada", [(NeedKind.UNHEARD, 2), (NeedKind.PLANNED, 0)]),
        ("Bea", [(NeedKind.UNHEARD, 0), (NeedKind.PLANNED, 1)]),
    ]
    planned = listening[2].reasons[1]
    assert (planned.planned, planned.due_on) == (2, days_ago(-6))
    assert "1 of 2 planned contacts evaluated, due" in texts.describe_reason(
        planned, ScorecardTexts()
    )
    assert not [need for need in needs.find_needs(OTHER_LEAD).listening if need.team != "Sud"]


def test_clear_strengths_are_named_and_equals_are_not(two_teams: Path) -> None:
    def scores(advisor: str, level: float, since: int = 0) -> list[Evaluation]:
        return [
            evaluate(advisor, since + 7 * week + 1, level + (week % 3 - 1)) for week in range(12)
        ]

    keep([*scores("a1", 92), *scores("a2", 80), *scores("a3", 80)])
    assert [
        (need.advisor, [reason.kind for reason in need.reasons])
        for need in needs.find_needs(LEAD).strengths
    ] == [("Ada", [NeedKind.ABOVE])]

    # Half a year: Bea was at 60 in its first half, the others as now.
    keep([*scores("a1", 92, 91), *scores("a2", 60, 91), *scores("a3", 80, 91)])
    ada, bea = needs.find_needs(LEAD).strengths[:2]
    assert [reason.kind for reason in ada.reasons] == [NeedKind.ABOVE]
    assert (bea.advisor, [reason.kind for reason in bea.reasons]) == ("Bea", [NeedKind.RISEN])
    rise = bea.reasons[0].rise
    assert (rise.before.mean, rise.now.mean, rise.now.n) == (60, 80, 12) and rise.low > 15
    said = texts.describe_reason(bea.reasons[0], ScorecardTexts())
    assert "from 60 (n = 12) to 80 (n = 12)" in said


def test_a_lead_learns_nothing_of_an_advisor_s_time_in_another_team(two_teams: Path) -> None:
    """Ada, of Nord, also works for Sud: evaluations and a plan of there stay there."""
    own, foreign = keep(
        [evaluate("a1", 60, 44.5), evaluate("a1", 20, 33.5, criterion="record", team="Sud")]
    )
    with store.writing() as session:
        session.add(Membership(advisor_id="a1", team_name="Sud", starts_on=days_ago(30)))
        named = {"username": "ada", "display_name": "Ada", "advisor_id": "a1"}
        session.add(Account(**named, role="advisor", password_hash="x"))
        session.get_one(Evaluation, foreign).published_at = now() - timedelta(days=9)
        raised = {"evaluation_id": foreign, "reason": "No", "raised_by": "ada"}
        kept = {"decision": "keep", "decided_at": now() - timedelta(days=2)}
        session.add(Dispute(criterion="record", **raised))
        session.add(Dispute(criterion="greeting", **raised, **kept))
    plans.open_plan(OTHER_LEAD, "a1", "Listen", starts_on=days_ago(9), due_on=days_ago(4))

    def find_reasons(lead: Viewer) -> list[NeedKind]:
        week = needs.find_needs(lead).needs
        return [one.kind for need in week if need.advisor_id == "a1" for one in need.reasons]

    assert find_reasons(OTHER_LEAD) == [
        NeedKind.OVERDUE,
        NeedKind.UNREAD,
        NeedKind.DISPUTED,
        NeedKind.TURNED_DOWN,
    ]
    assert find_reasons(LEAD) == [NeedKind.UNHEARD]
    for lead, number, criterion, score in (
        (OTHER_LEAD, foreign, "record", "33.5"),
        (LEAD, own, "greeting", "44.5"),
    ):
        assert [one.id for one in plans.find_evaluations(lead, "a1")] == [number]
        assert plans.find_criteria(lead, "a1") == (criterion,)
        file = training_file.build_file(lead, "a1").content.decode("utf-8-sig")
        assert [one for one in ("33.5", "44.5") if one in file] == [score]
    refuse(plans.open_plan, LEAD, "a1", "Greet", (), (foreign,))


def test_a_centre_without_memberships_knows_its_teams_from_the_latest_contacts(
    centre: Path,
) -> None:
    from builders.centres import land

    add_people({"a1": "Ada", "b1": "Dan"}, {"Nord": "Lille", "Sud": "Nice"})
    land(
        [
            contact("2026-03-02T10:00", advisor_id="a1", team="Nord"),
            contact("2026-03-02T11:00", advisor_id="b1", team="Sud"),
        ]
    )

    assert plans.find_trainees(LEAD) == {"a1": "Ada"}
    assert plans.open_plan(LEAD, "a1", "Greet")
    refuse(plans.open_plan, LEAD, "b1", "Greet")


def test_the_training_file_names_who_listened_for_the_advisor_alone(
    two_teams: Path,
) -> None:
    keep(
        [
            evaluate("a1", 3, 71.5, evaluator="eve", comment="Fine"),
            evaluate("a1", 2, state="draft"),
            evaluate("a1", 2, kind="self", evaluator="ada"),
        ]
    )
    keep([evaluate("a1", 2, kind="calibration"), evaluate("a2", 2, 55.5)])
    number = plans.open_plan(LEAD, "a1", "=Greet", ["greeting"])
    plans.add_note(LEAD, number, "Heard two calls.", 30)

    lead, own = (
        training_file.build_file(viewer, "a1").content.decode("utf-8-sig")
        for viewer in (LEAD, ADVISOR)
    )

    assert (
        "Minutes,30" in lead and "Evaluations,1" in lead and "71.5" in lead and "55.5" not in lead
    )
    rows = [line.split(",") for line in lead.splitlines()]
    assert [row[1] for row in rows if len(row) == 11][1:] == [
        "Coaching plan",
        "Session",
        "Evaluation",
        "Evaluation",
        "Self-evaluation",
        "Self-evaluation",
    ]
    assert "'=Greet" in lead and "eve" not in lead and "eve" in own
    assert training_file.build_file(MANAGER, "a1", "xlsx").content[:2] == b"PK"
    refuse(training_file.build_file, ADVISOR, "a2")
    refuse(training_file.build_file, LEAD, "b1")
