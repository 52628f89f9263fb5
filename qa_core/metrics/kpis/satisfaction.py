"""Satisfaction: what customers answered, how many, and how far the silent could move it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.metrics.kpis.declaration import (
    CONTACT_DIMENSIONS,
    Contribution,
    Kpi,
    KpiInputs,
    KpiKind,
    Predicate,
    Unit,
)
from qa_core.metrics.kpis.exclusions import INBOUND, exclude
from qa_core.metrics.kpis.rows import number, ratio
from qa_core.storage.facts.schema import CONTACTS

_c = CONTACTS.c
RATED = sa.and_(_c.csat.is_not(None), _c.csat_scale.is_not(None))
RESPONDED = sa.or_(
    _c.csat.is_not(None),
    _c.nps.is_not(None),
    _c.ces.is_not(None),
    _c.survey_resolved.is_not(None),
    _c.survey_contacts.is_not(None),
)
SILENT = sa.and_(_c.survey_sent, sa.not_(RESPONDED))
NOT_SURVEYED = exclude(
    "not_surveyed",
    N_("No survey sent, none answered"),
    sa.and_(_c.survey_sent.is_distinct_from(sa.true()), sa.not_(RESPONDED)),
)
_NOT_SENT = exclude(
    "not_surveyed", N_("No survey known to be sent"), _c.survey_sent.is_distinct_from(sa.true())
)
_NOT_RATED = exclude("no_rating", N_("Survey without a rating"), sa.not_(RATED))
_RATED_NOTHING = exclude("no_rating", _NOT_RATED.title, sa.and_(RESPONDED, sa.not_(RATED)))
_NO_NPS = exclude("no_answer", N_("Survey without this answer"), _c.nps.is_(None))
_NEITHER = exclude(
    "no_rating",
    _NO_NPS.title,
    sa.and_(sa.not_(RATED), _c.nps.is_(None)),
)
_NO_EFFORT = exclude("no_answer", _NO_NPS.title, _c.ces.is_(None))


def _per_scale(inputs: KpiInputs, make: Callable[[float, float], Any]) -> sa.ColumnElement[Any]:
    """Apply `make` to the ends of the row's own scale; null where the scale is unknown."""
    if not inputs.scales:
        return sa.cast(sa.null(), sa.Double)
    return sa.case(
        *(
            (_c.csat_scale == sa.literal(scale), make(*ends))
            for scale, ends in inputs.scales.items()
        )
    )


def _is_satisfied(inputs: KpiInputs) -> Predicate:
    least = _per_scale(inputs, lambda low, high: sa.literal(low + 0.75 * (high - low), sa.Double))
    return sa.and_(RATED, _c.csat >= least)


def _csat(inputs: KpiInputs) -> Contribution:
    return Contribution(denominator=RATED, hits=_is_satisfied(inputs))


def _unhappy(inputs: KpiInputs) -> Contribution:
    most = _per_scale(inputs, lambda low, high: sa.literal(low + (high - low) / 3, sa.Double))
    return Contribution(
        denominator=sa.or_(RATED, _c.nps.is_not(None)),
        hits=sa.or_(sa.and_(RATED, _c.csat <= most), _c.nps <= number("6.0")),
    )


def _csat_with_silent(inputs: KpiInputs, are_happy: bool) -> Contribution:
    happy = _is_satisfied(inputs)
    # Without a rating of a survey known to be sent, nobody can say who was silent.
    return Contribution(
        denominator=sa.or_(RATED, SILENT),
        hits=sa.or_(happy, SILENT) if are_happy else happy,
        required_rows=sa.and_(RATED, _c.survey_sent),
    )


def _csat_mean(inputs: KpiInputs) -> Contribution:
    rating = _per_scale(
        inputs,
        lambda low, high: (
            1.0 + (_c.csat - sa.literal(low, sa.Double)) * sa.literal(4.0 / (high - low), sa.Double)
        ),
    )
    return Contribution(denominator=RATED, amount=rating)


_declare = partial(Kpi, needs=Permission.SEE_SATISFACTION, dimensions=CONTACT_DIMENSIONS)

ALL: tuple[Kpi, ...] = (
    _declare(
        "csat",
        N_("Customer satisfaction"),
        N_("The share of ratings in the upper quarter of their scale (4–5 of 5, 8–10 of 10)."),
        N_("ratings of at least minimum + 75 % of the scale / ratings"),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        _csat,
        exclusions=(*INBOUND, NOT_SURVEYED, _NOT_RATED),
        heading=N_("Satisfied"),
    ),
    _declare(
        "csat_if_silent_unhappy",
        N_("Satisfaction if all non-respondents were dissatisfied"),
        N_(
            "The lowest possible satisfaction: as if every surveyed customer who did not answer "
            "had been dissatisfied."
        ),
        N_("satisfied ratings / (ratings + surveys sent without any answer)"),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        lambda inputs: _csat_with_silent(inputs, are_happy=False),
        exclusions=(*INBOUND, NOT_SURVEYED, _RATED_NOTHING),
    ),
    _declare(
        "csat_if_silent_happy",
        N_("Satisfaction if all non-respondents were satisfied"),
        N_(
            "The highest possible satisfaction: as if every surveyed customer who did not answer "
            "had been satisfied."
        ),
        N_(
            "(satisfied ratings + surveys sent without any answer) / (ratings + surveys sent "
            "without any answer)"
        ),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        lambda inputs: _csat_with_silent(inputs, are_happy=True),
        exclusions=(*INBOUND, NOT_SURVEYED, _RATED_NOTHING),
    ),
    _declare(
        "csat_mean",
        N_("Mean rating"),
        N_("The mean of the ratings, each brought to a scale from 1 to 5."),
        N_("Σ rating on 1–5 / ratings"),
        KpiKind.MEAN,
        Unit.RATING,
        "up",
        _csat_mean,
        exclusions=(*INBOUND, NOT_SURVEYED, _NOT_RATED),
    ),
    _declare(
        "unhappy_rate",
        N_("Unhappy customers"),
        N_(
            "The share of customers who gave a low rating or would not recommend the centre "
            "(0–6). Low: lowest third of the scale (1 and 2 of 5)."
        ),
        N_(
            "ratings of at most minimum + 33 % of the scale, or recommendations from 0 to 6 / "
            "customers who gave either"
        ),
        KpiKind.RATIO,
        Unit.RATE,
        "down",
        _unhappy,
        exclusions=(*INBOUND, NOT_SURVEYED, _NEITHER),
    ),
    _declare(
        "nps",
        N_("Net promoter score"),
        N_("How many more would recommend the centre (9–10) than would not (0–6), in points."),
        N_("100 × (promoters − detractors) / answers"),
        KpiKind.STATISTIC,
        Unit.NPS,
        "up",
        lambda inputs: Contribution(
            denominator=_c.nps.is_not(None),
            hits=_c.nps >= number("9.0"),
            negative=_c.nps <= number("6.0"),
        ),
        exclusions=(*INBOUND, NOT_SURVEYED, _NO_NPS),
        heading=N_("NPS"),
    ),
    _declare(
        "ces",
        N_("Customer effort score"),
        N_("The mean effort rating, from 1 to 7: how easy the centre made it."),
        N_("Σ effort rating / answers"),
        KpiKind.MEAN,
        Unit.EFFORT,
        "up",
        lambda inputs: Contribution(denominator=_c.ces.is_not(None), amount=_c.ces),
        exclusions=(*INBOUND, NOT_SURVEYED, _NO_EFFORT),
        heading=N_("CES"),
    ),
    _declare(
        "ces_agree",
        N_("Found it easy"),
        N_("The share of customers whose effort rating is 5 to 7 of 7."),
        N_("effort ratings from 5 to 7 / answers"),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        ratio(_c.ces >= number("5.0"), _c.ces.is_not(None)),
        exclusions=(*INBOUND, NOT_SURVEYED, _NO_EFFORT),
    ),
    _declare(
        "response_rate",
        N_("Response rate"),
        N_("The share of surveys sent that got at least one answer."),
        N_("surveys answered / surveys sent"),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        ratio(RESPONDED, _c.survey_sent),
        exclusions=(*INBOUND, _NOT_SENT),
        heading=N_("Response"),
    ),
)
