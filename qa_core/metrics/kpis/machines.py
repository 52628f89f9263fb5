"""Machines beside people: their share of contacts, what lasts, and what they pass on."""

from collections.abc import Callable
from functools import partial

import sqlalchemy as sa

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.metrics.kpis.declaration import (
    CONTACT_DIMENSIONS,
    Contribution,
    FactTable,
    Kpi,
    KpiInputs,
    KpiKind,
    KpiNote,
    Predicate,
    Unit,
)
from qa_core.metrics.kpis.exclusions import (
    ANSWERED_ONLY,
    HANDLED_BY_MACHINE,
    RECEIVED_ONLY,
    UNKNOWN_CALLER,
    exclude,
    exclude_pending,
)
from qa_core.metrics.kpis.rows import (
    ANSWERED,
    BY_MACHINE,
    BY_PERSON,
    HANDED_OVER,
    KNOWN_CUSTOMER,
    MACHINE_ALONE,
    RECEIVED,
    RETURNS,
    amount_of,
    has_no_repeat,
    is_followed_up,
    ratio,
)
from qa_core.storage.facts.schema import CONTACTS

_c = CONTACTS.c
_handler_unknown = KpiNote(
    "handled_by_unknown", sa.and_(ANSWERED, _c.handled_by.is_(None)), with_count=True
)


def _machine_share(inputs: KpiInputs) -> Contribution:
    """Build the share; no data where no contact of the centre is a machine's."""
    required = ANSWERED if inputs.has_machines else sa.false()
    return ratio(BY_MACHINE, ANSWERED, required, (_handler_unknown,))(inputs)


def _over_window(
    handler: Predicate, hits: Callable[[KpiInputs], Predicate] = has_no_repeat
) -> Callable[[KpiInputs], Contribution]:
    """Count contacts of known customers whose window is complete; hits by default without a
    further contact within it.
    """
    answered = sa.and_(ANSWERED, handler)
    known = sa.and_(answered, KNOWN_CUSTOMER)

    def parts(inputs: KpiInputs) -> Contribution:
        complete = is_followed_up(inputs)
        counted = sa.and_(known, complete)
        return Contribution(
            denominator=counted,
            hits=sa.and_(counted, hits(inputs)),
            pending=sa.and_(known, sa.not_(complete)),
            unknown_identity=sa.and_(answered, sa.not_(KNOWN_CUSTOMER)),
        )

    return parts


_NOT_ALONE = exclude("by_person", N_("Not handled by a machine alone"), BY_PERSON)
_NOT_BY_MACHINE = exclude(
    "not_by_machine", N_("Not taken by a machine"), sa.not_(sa.func.coalesce(BY_MACHINE, False))
)
_NOT_HANDED_OVER = exclude(
    "not_handed_over",
    N_("Not passed on by a machine"),
    sa.not_(sa.func.coalesce(HANDED_OVER, False)),
)
_WAIT_UNKNOWN = exclude(
    "wait_unknown", N_("The wait is not known"), _c.handover_wait_seconds.is_(None)
)
_PENDING = exclude_pending(is_followed_up)

_declare = partial(Kpi, needs=Permission.SEE_CALL_STATISTICS, dimensions=CONTACT_DIMENSIONS)
_declare_lasting = partial(
    _declare,
    formula=N_(
        "those without a further contact of the customer within the repeat window / those whose "
        "window is complete"
    ),
    kind=KpiKind.RATIO,
    unit=Unit.RATE,
    better="up",
    settings=("first_contact_days",),
    excluded_counts=("pending", "unknown_identity"),
)

ALL: tuple[Kpi, ...] = (
    _declare(
        "machine_share",
        N_("Share of machines"),
        N_("The share of answered contacts that a machine took, alone or first."),
        N_("answered by a machine, alone or first / answered"),
        KpiKind.RATIO,
        Unit.RATE,
        "neither",
        _machine_share,
        exclusions=ANSWERED_ONLY,
    ),
    _declare_lasting(
        "lasting_resolution",
        N_("Lasting resolution by machines"),
        N_(
            "The share of contacts handled by a machine alone without a further contact of the "
            "customer, in any channel. The machine's own word is not used."
        ),
        parts=_over_window(MACHINE_ALONE),
        exclusions=(*ANSWERED_ONLY, _NOT_ALONE, UNKNOWN_CALLER, _PENDING),
        short_title=N_("Lasting, by machines"),
    ),
    _declare_lasting(
        "lasting_resolution_people",
        N_("Lasting resolution by people"),
        N_("The share of contacts that a person took without a further contact of the customer."),
        parts=_over_window(BY_PERSON),
        exclusions=(*ANSWERED_ONLY, HANDLED_BY_MACHINE, UNKNOWN_CALLER, _PENDING),
        short_title=N_("Lasting, by people"),
    ),
    _declare(
        "repeat_to_person",
        N_("Repeat to a person"),
        N_(
            "The share of contacts handled by a machine alone after which a person answered a "
            "further contact of the customer."
        ),
        N_(
            "those with a further contact that a person answered within the repeat window / those "
            "whose window is complete"
        ),
        KpiKind.RATIO,
        Unit.RATE,
        "down",
        _over_window(
            MACHINE_ALONE, lambda inputs: RETURNS.c.seconds_to_person <= inputs.window_seconds
        ),
        needs=Permission.SEE_TEAMS,
        subject=FactTable.RETURNS,
        settings=("first_contact_days",),
        excluded_counts=("pending", "unknown_identity"),
        exclusions=(*ANSWERED_ONLY, _NOT_ALONE, UNKNOWN_CALLER, _PENDING),
    ),
    _declare(
        "handover_rate",
        N_("Hand-over rate"),
        N_("The share of contacts of machines that were passed on to people, answered or not."),
        N_("passed on to people / all that a machine took"),
        KpiKind.RATIO,
        Unit.RATE,
        "neither",
        ratio(HANDED_OVER, sa.and_(RECEIVED, BY_MACHINE)),
        exclusions=(*RECEIVED_ONLY, _NOT_BY_MACHINE),
    ),
    _declare(
        "handover_wait",
        N_("Hand-over wait"),
        N_("The average wait for a person after the machine."),
        N_("Σ seconds from the machine's end to the person's answer / answered after a hand-over"),
        KpiKind.MEAN,
        Unit.SECONDS,
        "down",
        lambda inputs: amount_of(
            sa.and_(ANSWERED, HANDED_OVER), _c.handover_wait_seconds, "waits_missing"
        ),
        has_percentiles=True,
        exclusions=(*ANSWERED_ONLY, _NOT_HANDED_OVER, _WAIT_UNKNOWN),
    ),
)
