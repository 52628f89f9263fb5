"""Listening in the demo centre: its legal conditions, and plans drawn from a seed."""

from datetime import date, timedelta

from qa_core.access.roles import Permission, Viewer, has_on_others
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.centre import members
from qa_core.cli.demo import evaluations, staff
from qa_core.cli.demo.accounts import Cast
from qa_core.cli.demo.story import STORY
from qa_core.compliance.conditions import accreditations, gates, notices
from qa_core.compliance.conditions.evaluators import EvaluationAuthors, confirm
from qa_core.metrics.kpis.dimensions import add_months
from qa_core.quality import sampling
from qa_core.storage.records import store

ENTERED_BY = "demo centre"
"""Author of the demo's entries; no account can have this name."""

LISTENING = STORY.listening


def open_for_listening(viewer: Viewer, cast: Cast) -> None:
    """Enter what each closed gate requires, accredit the demo's listeners and inform
    its advisors, each before their first contact.

    A centre with real advisors enters its gates itself: a demo there opens none.
    """
    viewer.require(Permission.MANAGE_ACCOUNTS)
    demo = Viewer(ENTERED_BY, None, is_system=True)
    with store.reading() as session:
        is_alone = members.find_names(session).keys() <= set(cast.staff.ids)
        closed = set(gates.find_missing(session)) & set(gates.BY_NAME)
    before = (cast.plan.first_day - timedelta(days=LISTENING.gate_days)).isoformat()
    for name, value in LISTENING.gates.items():
        if is_alone and name in closed:
            gates.set_gate(demo, name, value or before)
    until = environment.today() + timedelta(days=LISTENING.accredited_days)
    for entry in cast.sign_ins:
        if has_on_others(entry["role"], Permission.LISTEN):
            accreditations.accredit(demo, entry["username"], until)
    for name in staff.EVALUATORS:
        with store.reading() as session:
            known = EvaluationAuthors(session).find(name)
        who = known.name if known else confirm(demo, name, LISTENING.reason)
        first = cast.plan.first_day
        accreditations.accredit(demo, who, until, (), first, LISTENING.reason)
    for day, advisors in _days_of_notice(cast).items():
        notices.inform(demo, advisors, day)


def draw_contacts(viewer: Viewer, cast: Cast) -> None:
    """Plan and draw for the team with audio; nothing where the centre may not listen."""
    viewer.require(Permission.MANAGE_ACCOUNTS)
    demo = Viewer(ENTERED_BY, None, is_system=True)
    this_month = cast.plan.last_day.replace(day=1)
    for back, days in enumerate(LISTENING.days_to_listen):
        first = add_months(this_month, back - 1)
        content = {
            **LISTENING.plan,
            "name": f"demo-{first:%Y-%m}",
            "from": first,
            "to": add_months(first, 1) - timedelta(days=1),
            "grid": evaluations.SCORECARD_KEY,
            "team": [cast.team],
            "evaluators": cast.evaluators,
            "due": environment.today() + timedelta(days=int(days)),
        }
        try:
            sampling.add_plan(demo, content)
            sampling.draw(demo, content["name"], cast.plan.seed)
        except Refusal:
            return


def _days_of_notice(cast: Cast) -> dict[date, list[str]]:
    """Choose the day each advisor is informed: before recording begins, or when they join."""
    joined: dict[int, date] = {}
    for advisor, _team, starts_on, _ends_on in cast.staff.memberships:
        joined[advisor] = min(starts_on, joined.get(advisor, starts_on))
    earliest = cast.plan.first_day - timedelta(days=LISTENING.notice_days)
    days: dict[date, list[str]] = {}
    for advisor, day in sorted(joined.items()):
        days.setdefault(max(day, earliest), []).append(cast.staff.ids[advisor])
    return days
