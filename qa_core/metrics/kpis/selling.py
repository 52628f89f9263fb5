"""Telephone selling: sales calls without proof, outside hours, too many, or after a refusal
(docs/compliance.md, R21). Nothing is judged where no file says what calls are for.
"""

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
    Predicate,
    Unit,
)
from qa_core.metrics.kpis.exclusions import UNKNOWN_CALLER, exclude
from qa_core.metrics.kpis.rows import SALES, SELLING, ratio, word

_c = SELLING.c
_NOT_SALES = exclude("not_sales", N_("Not known to be a sales call"), SALES.is_not(sa.true()))
_UNKNOWN = exclude("unknown_identity", UNKNOWN_CALLER.title, sa.not_(_c.has_customer))
_EXPRESS = exclude(
    "express_consent",
    N_("The consumer agreed to be called then"),
    _c.prior_consent == word("express"),
)
_UNTIMED = exclude(
    "hours_unknown",
    N_("The consumer's time is not known"),
    _c.outside_sales_hours.is_(None),
)
_HAS_PROOF = sa.func.coalesce(
    _c.prior_consent.in_([word("express"), word("running_contract")]),
    sa.literal_column("false", sa.Boolean),
)


def _of_known(hits: Predicate):
    def build(inputs: KpiInputs) -> Contribution:
        rows = sa.and_(SALES, _c.has_customer)
        return Contribution(
            denominator=rows,
            hits=sa.and_(rows, hits),
            unknown_identity=sa.and_(SALES, sa.not_(_c.has_customer)),
        )

    return build


_declare = partial(
    Kpi,
    kind=KpiKind.RATIO,
    unit=Unit.RATE,
    better="down",
    needs=Permission.SEE_TEAMS,
    dimensions=CONTACT_DIMENSIONS,
    subject=FactTable.SELLING,
)
ALL: tuple[Kpi, ...] = (
    _declare(
        "sales_without_consent",
        N_("Sales calls without proof"),
        N_("The share of sales calls with neither an express consent nor a running contract."),
        N_("sales calls without proof / sales calls"),
        parts=ratio(sa.not_(_HAS_PROOF), SALES),
        exclusions=(_NOT_SALES,),
    ),
    _declare(
        "sales_outside_hours",
        N_("Sales calls outside hours"),
        N_(
            "The share of sales calls outside the legal hours. They are Monday to Friday, 10 to 13 "
            "and 14 to 20, without public holidays, on the consumer's clock."
        ),
        N_("sales calls outside hours / sales calls without an express consent"),
        parts=ratio(
            _c.outside_sales_hours,
            sa.and_(
                SALES,
                _c.outside_sales_hours.is_not(None),
                _c.prior_consent.is_distinct_from(word("express")),
            ),
        ),
        exclusions=(_NOT_SALES, _EXPRESS, _UNTIMED),
    ),
    _declare(
        "sales_beyond_four",
        N_("Sales calls beyond four"),
        N_("The share of sales calls that were the fifth or later to a consumer in 30 days."),
        N_("fifth and later sales calls / sales calls to known consumers"),
        parts=_of_known(_c.is_beyond_four),
        excluded_counts=("unknown_identity",),
        exclusions=(_NOT_SALES, _UNKNOWN),
    ),
    _declare(
        "sales_after_refusal",
        N_("Sales calls after a refusal"),
        N_("The share of sales calls to a consumer who refused them in the 60 days before."),
        N_("sales calls within 60 days of a refusal / sales calls to known consumers"),
        parts=_of_known(_c.is_after_refusal),
        excluded_counts=("unknown_identity",),
        exclusions=(_NOT_SALES, _UNKNOWN),
    ),
)
