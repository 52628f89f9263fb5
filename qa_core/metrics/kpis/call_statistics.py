"""Call statistics: volumes, answered and missed contacts, waits, handling time, repeat
callers and call-backs.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.centre.settings import Settings
from qa_core.metrics.kpis.declaration import (
    COMPONENTS,
    CONTACT_DIMENSIONS,
    Amount,
    Contribution,
    Exclusion,
    FactTable,
    IntervalContribution,
    Kpi,
    KpiInputs,
    KpiKind,
    KpiNote,
    Predicate,
    Unit,
)
from qa_core.metrics.kpis.exclusions import (
    ANSWERED_BY_PEOPLE,
    ANSWERED_ONES,
    ANSWERED_ONLY,
    HANDLED_BY_MACHINE,
    INBOUND,
    KNOWN_CALLERS,
    OUTCOME_UNKNOWN,
    RECEIVED_ONLY,
    SAME_CUSTOMER,
    UNKNOWN_CALLER,
    UNKNOWN_MISSED_CALLER,
    exclude,
)
from qa_core.metrics.kpis.rows import (
    ABANDONED,
    ANSWERED,
    CALLERS,
    HANDED_OVER,
    KNOWN,
    MISSED,
    MISSES,
    RECEIVED,
    TOTALS,
    UNKNOWN_NOTES,
    amount_of,
    are_given,
    counting_people,
    mean_of_intervals,
    number,
    of_people,
    ratio,
    sum_of_intervals,
    total,
    wait_of,
    word,
)
from qa_core.storage.facts.schema import CONTACTS, Outcome

_c = CONTACTS.c
_i = TOTALS.c
_shorts = sa.func.coalesce(_i.short_abandons, 0)
"""Those who hung up at once; an interval that does not tell counts them with the abandoned."""
_shorts_unknown = (
    "waits_missing",
    sa.case(
        (sa.and_(_i.short_abandons.is_(None), _i.abandoned.is_not(None)), _i.abandoned), else_=0
    ),
)
_UNANSWERED_NOTE = KpiNote("unanswered", _c.outcome == word(Outcome.UNANSWERED), with_count=True)


def _always(_settings: Settings) -> bool:
    return True


def _short(inputs: KpiInputs) -> Predicate:
    wait = wait_of(inputs)
    return sa.and_(ABANDONED, wait.is_not(None), wait <= inputs.short_seconds)


def _long(inputs: KpiInputs) -> Predicate:
    wait = wait_of(inputs)
    return sa.and_(ABANDONED, sa.or_(wait.is_(None), wait > inputs.short_seconds))


def _early(inputs: KpiInputs) -> Predicate:
    return sa.and_(ABANDONED, wait_of(inputs) <= inputs.level_seconds)


def _abandon_rate(inputs: KpiInputs) -> Contribution:
    long = _long(inputs)
    others = sa.and_(
        KNOWN,
        _c.outcome.is_distinct_from(word(Outcome.ABANDONED)),
        _c.outcome.is_distinct_from(word(Outcome.UNANSWERED)),
    )
    notes = (_UNANSWERED_NOTE, *UNKNOWN_NOTES)
    return Contribution(
        denominator=sa.or_(others, long), hits=long, required_rows=KNOWN, notes=notes
    )


def _abandon_rate_of_intervals(inputs: KpiInputs) -> IntervalContribution:
    return IntervalContribution(
        are_given(_i.received, _i.abandoned),
        denominator=_i.received - _shorts,
        hits=_i.abandoned - _shorts,
        required_rows=_i.received,
    )


def _service_level(inputs: KpiInputs) -> Contribution:
    wait = wait_of(inputs)
    answered, abandoned = of_people(inputs, ANSWERED), of_people(inputs, ABANDONED)
    answers = sa.and_(answered, wait.is_not(None))
    within = sa.and_(answered, wait <= inputs.level_seconds)
    early, short, long = (of_people(inputs, rows(inputs)) for rows in (_early, _short, _long))
    late = sa.and_(abandoned, sa.or_(wait.is_(None), wait > inputs.level_seconds))
    hits, denominator = {
        "early_abandons_credited": lambda: (sa.or_(within, early), sa.or_(answers, abandoned)),
        "abandons_ignored": lambda: (within, answers),
        "abandons_penalised": lambda: (within, sa.or_(answers, abandoned)),
        "late_abandons_penalised": lambda: (within, sa.or_(answers, late)),
        "short_abandons_credited": lambda: (sa.or_(within, short), sa.or_(answers, abandoned)),
        "short_abandons_excluded": lambda: (within, sa.or_(answers, long)),
    }[inputs.settings.service_level_formula]()
    arrivals = sa.or_(answered, abandoned)
    unknown = KpiNote("waits_missing", sa.and_(arrivals, wait.is_(None)), with_count=True)
    return Contribution(
        denominator=denominator,
        hits=hits,
        required_rows=sa.and_(arrivals, wait.is_not(None)),
        notes=(unknown, _UNANSWERED_NOTE, *UNKNOWN_NOTES),
    )


def _service_level_of_intervals(inputs: KpiInputs) -> IntervalContribution:
    """By the formulas without waits of single callers; other thresholds are left out."""
    within, arrivals = _i.answered_in_threshold, _i.answered + _i.abandoned
    formulas: dict[str, tuple[Amount, Amount, tuple[sa.Column[Any], ...]]] = {
        "abandons_ignored": (within, _i.answered, (_i.answered,)),
        "abandons_penalised": (within, arrivals, (_i.answered, _i.abandoned)),
        "short_abandons_credited": (within + _shorts, arrivals, (_i.answered, _i.abandoned)),
        "short_abandons_excluded": (within, arrivals - _shorts, (_i.answered, _i.abandoned)),
    }
    hits, denominator, columns = formulas.get(
        inputs.settings.service_level_formula, (within, arrivals, ())
    )
    usable = (
        sa.and_(are_given(within, *columns), _i.threshold_seconds == inputs.level_seconds)
        if columns
        else sa.false()
    )
    left_out = (
        "totals_left_out",
        sa.case((sa.func.coalesce(usable, sa.false()), 0), else_=_i.received),
    )
    notes = (
        (left_out, _shorts_unknown)
        if "short" in inputs.settings.service_level_formula
        else (left_out,)
    )
    return IntervalContribution(
        usable, denominator=denominator, hits=hits, required_rows=denominator, notes=notes
    )


def _average_time_to_abandon(inputs: KpiInputs) -> Contribution:
    parts = amount_of(ABANDONED, wait_of(inputs), "waits_missing")
    return Contribution(
        denominator=parts.denominator,
        amount=parts.amount,
        notes=parts.notes,
        contributing_advisors=RECEIVED,
    )


def _or_zero(column: sa.Column[float], systems: tuple[str, ...]) -> Amount:
    """Replace blanks of the column by zero in these systems."""
    if not systems:
        return column
    is_zero = sa.and_(_c.source_system.in_(systems), column.is_(None))
    return sa.case((is_zero, number("0.0")), else_=column)


def _average_handle_time(inputs: KpiInputs) -> Contribution:
    terms, notes, silent = [], [], []
    answered = of_people(inputs, ANSWERED)
    for component in COMPONENTS:
        column, absent = _c[f"{component}_seconds"], inputs.absent_components.get(component, ())
        if not absent:
            terms.append(_or_zero(column, inputs.sparse_components.get(component, ())))
            continue
        lacks = _c.source_system.in_(absent)
        silent.append(lacks)
        sparse = _or_zero(column, inputs.sparse_components.get(component, ()))
        terms.append(sa.case((lacks, number("0.0")), else_=sparse))
        notes.append(KpiNote(f"component_missing:{component}", sa.and_(answered, lacks)))
    has_handle_time = (
        sa.and_(answered, sa.not_(sa.and_(*silent))) if len(silent) == len(COMPONENTS) else answered
    )
    amount = sa.case((has_handle_time, terms[0] + terms[1] + terms[2]))
    left_out = sa.and_(has_handle_time, amount.is_(None))
    notes.append(KpiNote("handle_time_unknown", left_out, with_count=True))
    return Contribution(denominator=amount.is_not(None), amount=amount, notes=tuple(notes))


def _average_handle_time_of_intervals(inputs: KpiInputs) -> IntervalContribution:
    terms, notes, has_component = [], [], []
    for component in COMPONENTS:
        column, absent = _i[f"{component}_seconds"], inputs.absent_of_intervals.get(component, ())
        lacks = _i.source_system.in_(absent) if absent else sa.false()
        terms.append(sa.case((lacks, number("0.0")), else_=column))
        has_component.append(sa.not_(lacks))
        notes.append((f"component_missing:{component}", sa.case((lacks, _i.answered), else_=0)))
    handle_seconds = terms[0] + terms[1] + terms[2]
    return IntervalContribution(
        sa.and_(are_given(_i.answered), handle_seconds.is_not(None), sa.or_(*has_component)),
        denominator=_i.answered,
        amount=handle_seconds,
        notes=tuple(notes),
    )


def _transfer_rate(inputs: KpiInputs) -> Contribution:
    known = of_people(inputs, sa.and_(ANSWERED, _c.transfers.is_not(None)))
    return ratio(_c.transfers >= 1, known)(inputs)


def _repeat_caller_rate(inputs: KpiInputs) -> Contribution:
    is_known = _c.has_customer
    return Contribution(
        denominator=is_known,
        hits=sa.and_(is_known, _c.seconds_to_next <= inputs.window_seconds),
        identity=_c.customer_number,
        unknown_identity=sa.not_(_c.has_customer),
    )


def _missed_callers(inputs: KpiInputs, seconds: sa.ColumnElement[float]) -> Contribution:
    is_known = MISSES.c.has_customer
    return Contribution(
        denominator=is_known,
        hits=sa.and_(is_known, seconds <= inputs.recovery_seconds),
        unknown_identity=sa.not_(MISSES.c.has_customer),
    )


def _callers(rows: Predicate) -> Contribution:
    is_known = CALLERS.c.has_customer
    return Contribution(
        denominator=rows,
        hits=rows,
        identity=CALLERS.c.customer_number,
        required_rows=is_known,
        contributing_advisors=is_known,
        unknown_identity=sa.not_(CALLERS.c.has_customer),
    )


def _abandons_of(
    formulas: tuple[str, ...], rows: Callable[[KpiInputs], Predicate]
) -> Callable[[KpiInputs], Predicate]:
    """Abandoned contacts that some formulas of the service level leave out."""
    return lambda inputs: (
        rows(inputs) if inputs.settings.service_level_formula in formulas else sa.false()
    )


SHORT_ABANDON = Exclusion("short_abandon", N_("Hung up within the short-abandon limit"), _short)
NOT_QUEUED = exclude(
    "not_queued",
    N_("Neither answered nor hung up: voicemail, timed out, overflowed …"),
    sa.not_(sa.func.coalesce(sa.or_(ANSWERED, ABANDONED), sa.false())),
)
NOT_ABANDONED = exclude(
    "not_abandoned", NOT_QUEUED.title, sa.not_(sa.func.coalesce(ABANDONED, sa.false()))
)
WAIT_UNKNOWN = Exclusion(
    "wait_unknown", N_("The wait is not known"), lambda inputs: wait_of(inputs).is_(None)
)
ANSWERED_WAIT_UNKNOWN = Exclusion(
    "wait_unknown",
    WAIT_UNKNOWN.title,
    lambda inputs: sa.and_(ANSWERED, wait_of(inputs).is_(None)),
)
_IGNORED = N_("Abandoned: this formula ignores them")
_ABANDONS_OF_FORMULAS = (
    Exclusion(
        SHORT_ABANDON.code, SHORT_ABANDON.title, _abandons_of(("short_abandons_excluded",), _short)
    ),
    Exclusion(
        "abandoned",
        _IGNORED,
        _abandons_of(("abandons_ignored",), lambda inputs: ABANDONED),
    ),
    Exclusion(
        "early_abandon",
        _IGNORED,
        _abandons_of(("late_abandons_penalised",), _early),
    ),
)
HANDLE_TIME_UNKNOWN = Exclusion(
    "component_missing",
    N_("Part of the handling time is not known"),
    lambda inputs: _average_handle_time(inputs).amount.is_(None),
)
TALK_UNKNOWN = exclude("talk_unknown", N_("The talk time is not known"), _c.talk_seconds.is_(None))
TRANSFERS_UNKNOWN = exclude(
    "transfers_unknown", N_("The number of transfers is not known"), _c.transfers.is_(None)
)
_REPEATED_MISS = exclude(
    "repeated_miss",
    N_("Further tries of a caller within the recovery window"),
    MISSES.c.is_repeated,
)
_NOT_FIRST_TIME = exclude(
    "not_first_time",
    N_("The customer had been in contact before"),
    sa.not_(CALLERS.c.is_first_time),
)
_FIRST_TIME = exclude(
    "first_time", N_("The customer's very first contact"), CALLERS.c.is_first_time
)

_declare = partial(Kpi, needs=Permission.SEE_CALL_STATISTICS, dimensions=CONTACT_DIMENSIONS)
_of_people = partial(_declare, counts_people=True)


def _answered_by_people(column: sa.Column[float]) -> Callable[[KpiInputs], Contribution]:
    return counting_people(lambda inputs: amount_of(of_people(inputs, ANSWERED), column))


_of_misses = partial(
    _declare,
    subject=FactTable.MISSED,
    settings=("recovery_hours",),
    excluded_counts=("unknown_identity",),
    exclusions=(_REPEATED_MISS, UNKNOWN_MISSED_CALLER),
    needs_missed=_always,
)
_of_callers = partial(_declare, subject=FactTable.CUSTOMERS, excluded_counts=("unknown_identity",))

ALL: tuple[Kpi, ...] = (
    _declare(
        "received",
        N_("Contacts received"),
        N_("Every inbound contact, once, however often it was transferred."),
        N_("inbound contacts, without those outside opening hours"),
        KpiKind.TOTAL,
        Unit.COUNT,
        "neither",
        total(RECEIVED, RECEIVED),
        sums=sum_of_intervals(_i.received, _i.received),
        exclusions=RECEIVED_ONLY,
        heading=N_("Contacts"),
        includes_missed=True,
    ),
    _declare(
        "answered",
        N_("Contacts answered"),
        N_("Inbound contacts that an advisor or a machine answered."),
        N_("received contacts that were answered"),
        KpiKind.TOTAL,
        Unit.COUNT,
        "neither",
        total(ANSWERED, RECEIVED, KNOWN, UNKNOWN_NOTES),
        sums=sum_of_intervals(_i.answered, _i.answered),
        exclusions=ANSWERED_ONLY,
    ),
    _declare(
        "missed",
        N_("Contacts missed"),
        N_("Inbound contacts that nobody answered, for any reason."),
        N_("received − answered"),
        KpiKind.TOTAL,
        Unit.COUNT,
        "down",
        total(MISSED, RECEIVED, KNOWN, UNKNOWN_NOTES),
        sums=sum_of_intervals(_i.received - _i.answered, _i.received, _i.answered),
        exclusions=(*RECEIVED_ONLY, OUTCOME_UNKNOWN, ANSWERED_ONES),
        needs_missed=_always,
    ),
    _declare(
        "answer_rate",
        N_("Answer rate"),
        N_("The share of received contacts that an advisor or a machine answered."),
        N_("answered / received"),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        ratio(ANSWERED, KNOWN, KNOWN, UNKNOWN_NOTES),
        sums=lambda inputs: IntervalContribution(
            are_given(_i.received, _i.answered),
            denominator=_i.received,
            hits=_i.answered,
            required_rows=_i.received,
        ),
        exclusions=(*RECEIVED_ONLY, OUTCOME_UNKNOWN),
        heading=N_("Answered"),
        needs_missed=_always,
    ),
    _declare(
        "abandon_rate",
        N_("Abandon rate"),
        N_("The share of callers who hung up before an answer, without short abandons."),
        N_("abandoned after more than the short-abandon limit / (received − short abandons)"),
        KpiKind.RATIO,
        Unit.RATE,
        "down",
        counting_people(_abandon_rate, sa.and_(HANDED_OVER, ABANDONED)),
        settings=("short_abandon_seconds",),
        sums=_abandon_rate_of_intervals,
        exclusions=(*RECEIVED_ONLY, OUTCOME_UNKNOWN, SHORT_ABANDON),
        needs_missed=_always,
    ),
    _of_people(
        "service_level",
        N_("Service level"),
        N_(
            "The share of contacts answered within the threshold, by the formula chosen in the "
            "settings."
        ),
        N_(
            "answered within the threshold / (answered + abandoned − short abandons), or one "
            "of five variants"
        ),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        counting_people(_service_level),
        settings=("service_level_seconds", "service_level_formula", "short_abandon_seconds"),
        sums=_service_level_of_intervals,
        exclusions=(
            *RECEIVED_ONLY,
            HANDLED_BY_MACHINE,
            NOT_QUEUED,
            ANSWERED_WAIT_UNKNOWN,
            *_ABANDONS_OF_FORMULAS,
        ),
        needs_missed=lambda settings: settings.service_level_formula != "abandons_ignored",
    ),
    _of_people(
        "average_speed_of_answer",
        N_("Average speed of answer"),
        N_("The average wait of answered contacts."),
        N_("Σ wait of answered contacts / answered contacts with a known wait"),
        KpiKind.MEAN,
        Unit.SECONDS,
        "down",
        counting_people(
            lambda inputs: amount_of(of_people(inputs, ANSWERED), wait_of(inputs), "waits_missing")
        ),
        has_percentiles=True,
        sums=mean_of_intervals(_i.wait_seconds, _i.answered),
        exclusions=(*ANSWERED_BY_PEOPLE, WAIT_UNKNOWN),
        short_title=N_("Speed of answer"),
        heading=N_("Wait"),
    ),
    _declare(
        "average_time_to_abandon",
        N_("Average time to abandon"),
        N_("The average wait of abandoned contacts."),
        N_("Σ wait of abandoned contacts / abandoned contacts with a known wait"),
        KpiKind.MEAN,
        Unit.SECONDS,
        "neither",
        counting_people(_average_time_to_abandon, sa.and_(HANDED_OVER, ABANDONED)),
        has_percentiles=True,
        sums=mean_of_intervals(_i.abandon_wait_seconds, _i.abandoned),
        exclusions=(*RECEIVED_ONLY, ANSWERED_ONES, NOT_ABANDONED, WAIT_UNKNOWN),
        needs_missed=_always,
    ),
    _of_people(
        "average_handle_time",
        N_("Average handle time"),
        N_("Time spent on a contact: talk, hold and after-contact work."),
        N_("Σ (talk + hold + after-contact work) / handled contacts"),
        KpiKind.MEAN,
        Unit.SECONDS,
        "neither",
        counting_people(_average_handle_time),
        has_percentiles=True,
        sums=_average_handle_time_of_intervals,
        exclusions=(*ANSWERED_BY_PEOPLE, HANDLE_TIME_UNKNOWN),
        short_title=N_("Handle time"),
    ),
    _of_people(
        "average_talk_time",
        N_("Average talk time"),
        N_("Time spent in conversation."),
        N_("Σ talk / answered contacts with a known talk time"),
        KpiKind.MEAN,
        Unit.SECONDS,
        "neither",
        _answered_by_people(_c.talk_seconds),
        sums=mean_of_intervals(_i.talk_seconds, _i.answered),
        exclusions=(*ANSWERED_BY_PEOPLE, TALK_UNKNOWN),
    ),
    _of_people(
        "talk_time",
        N_("Talk time"),
        N_("Total conversation time, in seconds."),
        N_("Σ talk of answered contacts"),
        KpiKind.TOTAL,
        Unit.SECONDS,
        "neither",
        _answered_by_people(_c.talk_seconds),
        sums=mean_of_intervals(_i.talk_seconds, _i.answered),
        exclusions=(*ANSWERED_BY_PEOPLE, TALK_UNKNOWN),
    ),
    _of_people(
        "transfer_rate",
        N_("Transfer rate"),
        N_("The share of answered contacts that were transferred at least once."),
        N_("answered with at least one transfer / answered with a known number of transfers"),
        KpiKind.RATIO,
        Unit.RATE,
        "down",
        counting_people(_transfer_rate),
        exclusions=(*ANSWERED_BY_PEOPLE, TRANSFERS_UNKNOWN),
    ),
    _of_misses(
        "call_back_rate",
        N_("Missed callers called back"),
        N_(
            "The share of missed callers whom the centre called back within the recovery window, "
            "reached or not."
        ),
        N_(
            "missed callers called back within the recovery window / missed callers, one miss "
            "per caller and window"
        ),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        lambda inputs: _missed_callers(inputs, MISSES.c.seconds_to_call_back),
    ),
    _of_misses(
        "recovered_rate",
        N_("Missed callers recovered"),
        N_(
            "The share of missed callers who were reached within the recovery window, by a "
            "call-back or a new try."
        ),
        N_(
            "missed callers reached within the recovery window / missed callers, one miss per "
            "caller and window"
        ),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        lambda inputs: _missed_callers(inputs, MISSES.c.seconds_to_reached),
    ),
    _declare(
        "repeat_caller_rate",
        N_("Repeat callers"),
        N_("The share of known customers who contacted the centre again within the repeat window."),
        N_("customers with a further contact within the window / customers known in the period"),
        KpiKind.DISTINCT,
        Unit.RATE,
        "down",
        _repeat_caller_rate,
        settings=("first_contact_days",),
        excluded_counts=("unknown_identity",),
        exclusions=(*INBOUND, UNKNOWN_CALLER, SAME_CUSTOMER),
    ),
    _of_callers(
        "first_time_callers",
        N_("First-time callers"),
        N_(
            "Customers who contacted the centre for the first time, closed hours included, as far "
            "back as the data go."
        ),
        N_("known customers whose very first contact is in the selection"),
        KpiKind.DISTINCT,
        Unit.COUNT,
        "neither",
        lambda inputs: _callers(CALLERS.c.is_first_time),
        exclusions=(*KNOWN_CALLERS, _NOT_FIRST_TIME, SAME_CUSTOMER),
    ),
    _of_callers(
        "returning_callers",
        N_("Returning callers"),
        N_(
            "Customers who had contacted the centre before, closed hours included, as far back as "
            "the data go."
        ),
        N_("known customers with a contact in the selection after their very first"),
        KpiKind.DISTINCT,
        Unit.COUNT,
        "neither",
        lambda inputs: _callers(sa.not_(CALLERS.c.is_first_time)),
        exclusions=(*KNOWN_CALLERS, _FIRST_TIME, SAME_CUSTOMER),
    ),
)
