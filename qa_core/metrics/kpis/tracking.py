"""Call tracking: which sources bring contacts, and what one costs."""

import sqlalchemy as sa

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.metrics.kpis.declaration import (
    CONTACT_DIMENSIONS,
    SPEND_DIMENSIONS,
    Contribution,
    Exclusion,
    FactTable,
    Kpi,
    KpiInputs,
    KpiKind,
    Predicate,
    Unit,
)
from qa_core.metrics.kpis.exclusions import (
    INBOUND,
    NO_SOURCE,
    NOT_ANSWERED,
    OUTCOME_UNKNOWN,
    OUTSIDE_HOURS,
    exclude,
)
from qa_core.metrics.kpis.rows import ANSWERED, ATTRIBUTED, EVERY, ratio
from qa_core.storage.facts.schema import CONTACTS

UNRESOLVED = exclude(
    "unresolved",
    N_("Not declared resolved"),
    CONTACTS.c.declared_resolved.is_distinct_from(sa.true()),
)


def _of_spend(
    key: str,
    title: str,
    meaning: str,
    formula: str,
    rows: Predicate = EVERY,
    exclusions: tuple[Exclusion, ...] = (),
    kind: KpiKind = KpiKind.RATIO,
    better: str = "down",
    heading: str = "",
) -> Kpi:
    def parts(inputs: KpiInputs) -> Contribution:
        return Contribution(denominator=sa.and_(ATTRIBUTED, rows), contributing_advisors=ATTRIBUTED)

    settings = ("provisional_spend_days",)
    needs = Permission.SEE_TRACKING
    return Kpi(
        key,
        title,
        meaning,
        formula,
        kind,
        Unit.MONEY,
        better,
        parts,
        needs,
        SPEND_DIMENSIONS,
        FactTable.SPEND,
        settings,
        heading=heading,
        exclusions=exclusions,
    )


ALL: tuple[Kpi, ...] = (
    Kpi(
        "attribution_rate",
        N_("Attribution rate"),
        N_("The share of inbound contacts, closed hours included, whose source is known."),
        N_("contacts with a source / contacts"),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        ratio(ATTRIBUTED, EVERY),
        Permission.SEE_TRACKING,
        CONTACT_DIMENSIONS,
        exclusions=INBOUND,
    ),
    _of_spend(
        "spend",
        N_("Spend"),
        N_("The cost of the campaigns."),
        N_("Σ amount"),
        kind=KpiKind.TOTAL,
        better="neither",
    ),
    _of_spend(
        "cost_per_contact",
        N_("Cost per contact"),
        N_("The cost of one inbound contact from a known source."),
        N_("spend / inbound contacts with a source"),
        exclusions=(*INBOUND, NO_SOURCE),
        heading=N_("Per contact"),
    ),
    _of_spend(
        "cost_per_answered",
        N_("Cost per answered contact"),
        N_("The cost of one answered contact from a known source."),
        N_("spend / answered contacts with a source"),
        ANSWERED,
        exclusions=(*INBOUND, NO_SOURCE, OUTSIDE_HOURS, OUTCOME_UNKNOWN, NOT_ANSWERED),
        heading=N_("Per answered"),
    ),
    _of_spend(
        "cost_per_resolved",
        N_("Cost per resolved contact"),
        N_("The cost of one contact from a known source that its advisor declared resolved."),
        N_("spend / answered contacts with a source that were declared resolved"),
        sa.and_(ANSWERED, CONTACTS.c.declared_resolved),
        exclusions=(*INBOUND, NO_SOURCE, OUTSIDE_HOURS, OUTCOME_UNKNOWN, NOT_ANSWERED, UNRESOLVED),
        heading=N_("Per resolved"),
    ),
)
