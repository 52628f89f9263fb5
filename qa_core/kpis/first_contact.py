"""First-contact resolution, three ways: seen from repeats, declared by advisors, said by customers."""

from __future__ import annotations

import sqlalchemy as sa

from qa_core.access import Permission
from qa_core.facts import CONTACTS
from qa_core.kpis.declaration import CONTACT_DIMENSIONS, Given, Kind, Kpi, Parts, Predicate, Unit
from qa_core.kpis.rows import ANSWERED, ratio
from qa_core.wording import N_

_c = CONTACTS.c


def _by_repeat(given: Given) -> Parts:
    first = sa.and_(ANSWERED, _c.customer_key.is_not(None), sa.or_(_c.seconds_since_previous.is_(None), _c.seconds_since_previous > given.window_seconds))
    complete: Predicate = sa.false()
    if given.span:
        complete = _c.started_at.between(sa.literal(given.span[0] + given.window, sa.DateTime), sa.literal(given.span[1] - given.window, sa.DateTime))
    counted = sa.and_(first, complete)
    return Parts(
        counted=counted,
        hits=sa.and_(counted, sa.or_(_c.seconds_to_next.is_(None), _c.seconds_to_next > given.window_seconds)),
        pending=sa.and_(first, sa.not_(complete)),
        unknown_identity=sa.and_(ANSWERED, _c.customer_key.is_(None)),
    )


_answered_both = sa.and_(_c.survey_resolved.is_not(None), _c.survey_contacts.is_not(None))

ALL: tuple[Kpi, ...] = (
    Kpi(
        "first_contact_resolution",
        N_("First-contact resolution"),
        N_("The share of first contacts after which the customer did not come back within the window. Nobody is asked; it is seen."),
        N_("answered first contacts without a further contact within the window / answered first contacts whose window is complete"),
        Kind.RATIO,
        Unit.RATE,
        "up",
        _by_repeat,
        Permission.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        settings=("first_contact_days",),
        leaves_out=("pending", "unknown_identity"),
    ),
    Kpi(
        "first_contact_resolution_declared",
        N_("Resolution declared by advisors"),
        N_("The share of answered contacts that the advisor declared resolved, among those with a declaration."),
        N_("answered and declared resolved / answered with a declaration"),
        Kind.RATIO,
        Unit.RATE,
        "up",
        ratio(_c.declared_resolved, sa.and_(ANSWERED, _c.declared_resolved.is_not(None))),
        Permission.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
    ),
    Kpi(
        "first_contact_resolution_surveyed",
        N_("First-contact resolution, surveyed"),
        N_("The share of surveyed customers who say that it was resolved, and in one contact."),
        N_("resolved in one contact / customers who answered both questions"),
        Kind.RATIO,
        Unit.RATE,
        "up",
        ratio(sa.and_(_c.survey_resolved, _c.survey_contacts <= 1), _answered_both),
        Permission.SEE_SATISFACTION,
        CONTACT_DIMENSIONS,
    ),
)
