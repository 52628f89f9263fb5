"""History of the rules: how each stood, day by day."""

from collections.abc import Mapping
from datetime import date

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.compliance import retention
from qa_core.compliance.rules.findings import RuleState
from qa_core.storage.records import store
from qa_core.storage.records.retention import RuleDay
from qa_core.storage.records.store import Session

IN_ORDER = RuleState.IN_ORDER.value
Days = Mapping[date, Mapping[str, str]]
"""Day → number of the rule → its state; only days on which it was noted."""


def find_states(viewer: Viewer) -> Days:
    """Read the days noted before today, oldest first. Needs SEE_RULES."""
    viewer.require(Permission.SEE_RULES)
    with store.reading() as session:
        return find_days(session)


def find_days(session: Session) -> Days:
    """Read the days noted before today, oldest first."""
    rows = sa.select(RuleDay).where(RuleDay.day < environment.today()).order_by(RuleDay.day)
    return {row.day: row.states for row in session.scalars(rows)}


def find_start(days: Days, rule: str, is_in_order: bool) -> date:
    """Find since when a rule has been in order, or has not."""
    start = environment.today()
    for day in reversed(days):
        state = days[day].get(rule)
        if state is None or (state == IN_ORDER) != is_in_order:
            break
        start = day
    return start


def note(states: Mapping[str, RuleState]) -> None:
    """Note how the rules stand today, by number; again on the same day, the later states
    hold. Days older than the journal is kept are deleted.
    """
    today = environment.today()
    with store.writing() as session:
        session.merge(
            RuleDay(day=today, states={rule: state.value for rule, state in states.items()})
        )
        oldest = retention.find_oldest_day(session, "journal", today)
        session.execute(sa.delete(RuleDay).where(RuleDay.day < oldest))
