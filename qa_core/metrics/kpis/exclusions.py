"""Why rows are left out of KPIs: the reasons that several share, each declared once."""

from collections.abc import Callable

import sqlalchemy as sa

from qa_core.base.i18n import N_
from qa_core.metrics.kpis.declaration import Exclusion, KpiInputs, Predicate
from qa_core.metrics.kpis.rows import (
    ANSWERED,
    ATTRIBUTED,
    CALLERS,
    COUNTED_DIRECTION,
    KNOWN_CUSTOMER,
    MACHINE_ALONE,
    MISSES,
    RECEIVED,
    word,
)
from qa_core.storage.facts.schema import CONTACTS, Direction, Outcome

_c = CONTACTS.c


def exclude(code: str, title: str, rows: Predicate) -> Exclusion:
    return Exclusion(code, title, lambda inputs: rows)


def exclude_pending(is_complete: Callable[[KpiInputs], Predicate]) -> Exclusion:
    """Declare the exclusion of contacts whose repeat window is not complete."""
    title = N_("The repeat window is not complete in the data")
    return Exclusion("pending", title, lambda inputs: sa.not_(is_complete(inputs)))


OTHER_DIRECTION = exclude("other_direction", N_("Outbound or internal"), sa.not_(COUNTED_DIRECTION))
OUTSIDE_HOURS = exclude("outside_hours", N_("Outside opening hours"), sa.not_(RECEIVED))
OUTCOME_UNKNOWN = exclude(
    "outcome_unknown", N_("The source does not say how it ended"), _c.outcome.is_(None)
)
ANSWERED_ONES = exclude("answered", N_("Answered"), ANSWERED)
NOT_ANSWERED = exclude("not_answered", N_("Not answered"), _c.outcome != word(Outcome.ANSWERED))
HANDLED_BY_MACHINE = exclude("by_machine", N_("Handled by a machine alone"), MACHINE_ALONE)
NO_SOURCE = exclude("no_source", N_("No source known"), sa.not_(ATTRIBUTED))
UNKNOWN_CALLER = exclude(
    "unknown_identity", N_("Caller unknown: number withheld or shared"), sa.not_(KNOWN_CUSTOMER)
)
UNKNOWN_MISSED_CALLER = exclude(
    "unknown_identity", UNKNOWN_CALLER.title, sa.not_(MISSES.c.has_customer)
)
CALLERS_OTHER_DIRECTION = exclude(
    "other_direction",
    OTHER_DIRECTION.title,
    sa.and_(CALLERS.c.direction.is_not(None), CALLERS.c.direction != word(Direction.INBOUND)),
)
CALLERS_UNKNOWN = exclude("unknown_identity", UNKNOWN_CALLER.title, sa.not_(CALLERS.c.has_customer))
SAME_CUSTOMER = Exclusion(
    "same_customer", N_("Further contacts of a customer who is counted already"), None
)

KNOWN_CALLERS = (CALLERS_OTHER_DIRECTION, CALLERS_UNKNOWN)
INBOUND = (OTHER_DIRECTION,)
RECEIVED_ONLY = (OTHER_DIRECTION, OUTSIDE_HOURS)
ANSWERED_ONLY = (OTHER_DIRECTION, OUTSIDE_HOURS, OUTCOME_UNKNOWN, NOT_ANSWERED)
ANSWERED_BY_PEOPLE = (*ANSWERED_ONLY, HANDLED_BY_MACHINE)
