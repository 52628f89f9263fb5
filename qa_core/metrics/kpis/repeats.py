"""Repeats: how many contacts bring customers back, the time they take, and their cost."""

from functools import partial

import sqlalchemy as sa

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.metrics.kpis import call_statistics
from qa_core.metrics.kpis.declaration import (
    CONTACT_DIMENSIONS,
    Amount,
    Contribution,
    Exclusion,
    Kpi,
    KpiInputs,
    KpiKind,
    KpiNote,
    Predicate,
    Unit,
)
from qa_core.metrics.kpis.exclusions import ANSWERED_ONLY, INBOUND, UNKNOWN_CALLER
from qa_core.metrics.kpis.rows import KNOWN_CUSTOMER, number
from qa_core.storage.facts.schema import CONTACTS

_c = CONTACTS.c
_HANDLING = next(kpi for kpi in call_statistics.ALL if kpi.key == "average_handle_time")
_SECONDS_OF_AN_HOUR = number("3600.0")


def _is_repeat(inputs: KpiInputs) -> Predicate:
    # The mirror of the repeat caller rate: the next contact after an answered one is the
    # contact whose previous one was answered.
    return sa.and_(KNOWN_CUSTOMER, _c.seconds_since_previous <= inputs.window_seconds)


def _repeats(inputs: KpiInputs) -> Contribution:
    customer_rows = KNOWN_CUSTOMER
    return Contribution(
        denominator=_is_repeat(inputs),
        hits=_is_repeat(inputs),
        required_rows=customer_rows,
        contributing_advisors=customer_rows,
    )


def _sum_repeats(inputs: KpiInputs, amount: Amount) -> Contribution:
    repeat = _is_repeat(inputs)
    repeat_amount = sa.case((repeat, amount))
    notes = tuple(
        KpiNote(note.code, sa.and_(repeat, note.rows), note.with_count)
        for note in _HANDLING.parts(inputs).notes
    )
    return Contribution(denominator=repeat_amount.is_not(None), amount=repeat_amount, notes=notes)


def _handle_time(inputs: KpiInputs) -> Contribution:
    return _sum_repeats(inputs, _HANDLING.parts(inputs).amount)


def _cost(inputs: KpiInputs) -> Contribution:
    rate = inputs.settings.cost_per_hour
    if rate is None:
        return _sum_repeats(inputs, sa.cast(sa.null(), sa.Double))
    return _sum_repeats(
        inputs,
        _HANDLING.parts(inputs).amount / _SECONDS_OF_AN_HOUR * sa.literal(float(rate), sa.Double),
    )


_NOT_REPEAT = Exclusion(
    "not_repeat",
    N_("Not a repeat contact: no answered contact within the window before"),
    lambda inputs: sa.not_(sa.func.coalesce(_is_repeat(inputs), sa.false())),
)
_NO_RATE = Exclusion(
    "no_rate",
    N_("No hourly cost is set for that day"),
    lambda inputs: sa.true() if inputs.settings.cost_per_hour is None else sa.false(),
)


_declare = partial(
    Kpi,
    kind=KpiKind.TOTAL,
    better="down",
    needs=Permission.SEE_CALL_STATISTICS,
    dimensions=CONTACT_DIMENSIONS,
)

ALL: tuple[Kpi, ...] = (
    _declare(
        "repeat_contacts",
        N_("Repeat contacts"),
        N_(
            "Contacts of a customer already answered within the repeat window, about the same "
            "reason where both are known."
        ),
        N_(
            "inbound contacts of any outcome that follow an answered contact of the same customer "
            "within the window"
        ),
        unit=Unit.COUNT,
        parts=_repeats,
        settings=("first_contact_days",),
        exclusions=(*INBOUND, UNKNOWN_CALLER, _NOT_REPEAT),
    ),
    _declare(
        "repeat_handle_time",
        N_("Time spent on repeat contacts"),
        N_("The handling time of repeat contacts, added up contact by contact."),
        N_("Σ (talk + hold + after-contact work) of answered repeat contacts"),
        unit=Unit.SECONDS,
        parts=_handle_time,
        settings=("first_contact_days",),
        exclusions=(
            *ANSWERED_ONLY,
            UNKNOWN_CALLER,
            _NOT_REPEAT,
            call_statistics.HANDLE_TIME_UNKNOWN,
        ),
    ),
    _declare(
        "cost_of_repeats",
        N_("Cost of repeat contacts"),
        N_(
            "The time spent on repeat contacts, at the hourly cost set for the day of each. Not "
            "known without that setting."
        ),
        N_("Σ handling time of answered repeat contacts in hours × hourly cost of their day"),
        unit=Unit.MONEY,
        parts=_cost,
        settings=("first_contact_days", "cost_per_hour"),
        exclusions=(
            *ANSWERED_ONLY,
            UNKNOWN_CALLER,
            _NOT_REPEAT,
            call_statistics.HANDLE_TIME_UNKNOWN,
            _NO_RATE,
        ),
    ),
)
