"""History of the rules: how each stood, day by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import sqlalchemy as sa

from qa_core.base import environment
from qa_core.compliance import retention
from qa_core.storage.records import store
from qa_core.storage.records.retention import RuleDay
from qa_core.storage.records.store import Session

if TYPE_CHECKING:
    from qa_core.compliance.rules.catalogue import RuleVerdict

Days = Mapping[date, Mapping[str, str]]
"""Day → number of the rule → its state; only days on which it was noted."""


def find_days(session: Session) -> Days:
    """Read the days noted before today, oldest first."""
    rows = sa.select(RuleDay).where(RuleDay.day < environment.today()).order_by(RuleDay.day)
    return {row.day: row.states for row in session.scalars(rows)}


def find_start(days: Days, rule: str, state: str) -> date:
    """Find since when a rule has been in its state of today."""
    start = environment.today()
    for day in reversed(days):
        if days[day].get(rule) != state:
            break
        start = day
    return start


def note(verdicts: Sequence[RuleVerdict]) -> None:
    """Note how the rules stand today; again on the same day, the later states hold. Days
    older than the journal is kept are deleted.
    """
    today = environment.today()
    states = {verdict.rule.number: verdict.state.value for verdict in verdicts}
    with store.writing() as session:
        session.merge(RuleDay(day=today, states=states))
        oldest = retention.find_oldest_day(session, "journal", today)
        session.execute(sa.delete(RuleDay).where(RuleDay.day < oldest))
