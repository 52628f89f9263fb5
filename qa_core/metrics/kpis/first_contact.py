"""First-contact resolution: from repeats, declared by advisors, said by customers."""

import sqlalchemy as sa

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.metrics.kpis.declaration import (
    CONTACT_DIMENSIONS,
    Contribution,
    Exclusion,
    Kpi,
    KpiInputs,
    KpiKind,
    Predicate,
    Unit,
)
from qa_core.metrics.kpis.exclusions import (
    ANSWERED_ONLY,
    INBOUND,
    UNKNOWN_CALLER,
    exclude,
    exclude_pending,
)
from qa_core.metrics.kpis.rows import (
    ANSWERED,
    KNOWN_CUSTOMER,
    has_no_repeat,
    is_followed_up,
    ratio,
)
from qa_core.metrics.kpis.satisfaction import NOT_SURVEYED
from qa_core.storage.facts.schema import CONTACTS

_c = CONTACTS.c


def _is_complete(inputs: KpiInputs) -> Predicate:
    """Return whether the data reach far enough before and after the contact to judge it."""
    if not inputs.span:
        return sa.false()
    first = sa.literal(inputs.span[0] + inputs.window, sa.DateTime)
    return sa.and_(_c.started_at >= first, is_followed_up(inputs))


def _by_repeat(inputs: KpiInputs) -> Contribution:
    first = sa.and_(
        ANSWERED,
        KNOWN_CUSTOMER,
        sa.or_(
            _c.seconds_since_previous.is_(None), _c.seconds_since_previous > inputs.window_seconds
        ),
    )
    complete = _is_complete(inputs)
    denominator = sa.and_(first, complete)
    return Contribution(
        denominator=denominator,
        hits=sa.and_(denominator, has_no_repeat(inputs)),
        pending=sa.and_(first, sa.not_(complete)),
        unknown_identity=sa.and_(ANSWERED, sa.not_(KNOWN_CUSTOMER)),
    )


_answered_both = sa.and_(_c.survey_resolved.is_not(None), _c.survey_contacts.is_not(None))
_NOT_FIRST = Exclusion(
    "not_first",
    N_("Not a first contact: the customer was already answered within the repeat window"),
    lambda inputs: _c.seconds_since_previous <= inputs.window_seconds,
)
_PENDING = exclude_pending(_is_complete)
_UNDECLARED = exclude(
    "undeclared", N_("The advisor declared nothing"), _c.declared_resolved.is_(None)
)
_UNANSWERED_QUESTIONS = exclude(
    "no_answer", N_("The survey does not answer both questions"), sa.not_(_answered_both)
)

ALL: tuple[Kpi, ...] = (
    Kpi(
        "first_contact_resolution",
        N_("First-contact resolution"),
        N_(
            "The share of first contacts without a repeat contact within the window. It is "
            "measured; customers are not asked."
        ),
        N_(
            "answered first contacts without a further contact within the window / answered "
            "first contacts whose window is complete"
        ),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        _by_repeat,
        Permission.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        settings=("first_contact_days",),
        excluded_counts=("pending", "unknown_identity"),
        exclusions=(*ANSWERED_ONLY, UNKNOWN_CALLER, _NOT_FIRST, _PENDING),
        short_title=N_("Resolved at first contact"),
        heading=N_("Resolved"),
    ),
    Kpi(
        "first_contact_resolution_declared",
        N_("Resolution declared by advisors"),
        N_(
            "The share of answered contacts that the advisor declared resolved, among those "
            "with a declaration."
        ),
        N_("answered and declared resolved / answered with a declaration"),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        ratio(_c.declared_resolved, sa.and_(ANSWERED, _c.declared_resolved.is_not(None))),
        Permission.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        exclusions=(*ANSWERED_ONLY, _UNDECLARED),
        short_title=N_("Declared by advisors"),
        heading=N_("Declared resolved"),
    ),
    Kpi(
        "first_contact_resolution_surveyed",
        N_("First-contact resolution, confirmed by customers"),
        N_(
            "The share of surveyed customers who say that their request was resolved in "
            "one contact."
        ),
        N_("resolved in one contact / customers who answered both questions"),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        ratio(sa.and_(_c.survey_resolved, _c.survey_contacts <= 1), _answered_both),
        Permission.SEE_SATISFACTION,
        CONTACT_DIMENSIONS,
        exclusions=(*INBOUND, NOT_SURVEYED, _UNANSWERED_QUESTIONS),
        short_title=N_("Confirmed by customers"),
    ),
)
