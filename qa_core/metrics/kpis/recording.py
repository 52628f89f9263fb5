"""Recording: how much of what is said is kept, and how much of that somebody listened to."""

from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.metrics.kpis.declaration import CONTACT_DIMENSIONS, FactTable, Kpi, KpiKind, Unit
from qa_core.metrics.kpis.exclusions import ANSWERED_ONLY, Exclusion, exclude
from qa_core.metrics.kpis.rows import ANSWERED, LISTENING, ratio
from qa_core.storage.facts.schema import CONTACTS

FOR_QUALITY = (
    "training", "evaluation", "quality", "quality of service",
    "formation", "évaluation", "qualité", "qualite", "qualité de service", "qualite de service",
)  # fmt: skip
"""Purposes of recordings that are no longer obligation, as files write them."""
_WORDS = "|".join(FOR_QUALITY)
_ONLY_FOR_QUALITY = sa.literal_column(f"' *({_WORDS})( *[,;/|+] *({_WORDS}))* *'", sa.Text)


def names_class(columns: Any) -> sa.ColumnElement[bool]:
    """Build the predicate of the contacts whose purpose of recording is another than quality: they
    are kept under a longer obligation (docs/compliance.md, R23).
    """
    purpose = sa.func.lower(columns.recording_purpose)
    is_other = sa.not_(sa.func.regexp_full_match(purpose, _ONLY_FOR_QUALITY))
    return sa.func.coalesce(is_other, sa.literal_column("false", sa.Boolean))


def _exclude_sealed(columns: Any) -> Exclusion:
    return exclude("longer_obligation", N_("kept under a longer obligation"), names_class(columns))


ALL: tuple[Kpi, ...] = (
    Kpi(
        "recording_rate",
        N_("Recording rate"),
        N_(
            "The share of answered contacts that were recorded. Near 100 %, recording is "
            "permanent, which the law forbids. Rule R2 also counts outgoing calls and audio kept "
            "here."
        ),
        N_("recorded / answered, where known"),
        KpiKind.RATIO,
        Unit.RATE,
        "down",
        ratio(
            CONTACTS.c.recorded,
            sa.and_(ANSWERED, CONTACTS.c.recorded.is_not(None), sa.not_(names_class(CONTACTS.c))),
        ),
        Permission.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        exclusions=(
            *ANSWERED_ONLY,
            _exclude_sealed(CONTACTS.c),
            exclude(
                "recording_unknown",
                N_("The source does not say whether it was recorded"),
                CONTACTS.c.recorded.is_(None),
            ),
        ),
    ),
    Kpi(
        "listened_rate",
        N_("Listened to"),
        N_(
            "The share of recorded contacts, inbound or outbound, that somebody listened to. "
            "Counted: a playback by somebody other than the advisor, or a published evaluation. "
            "Listening must be neither permanent nor systematic. No advisor may be listened to "
            "far more than the others."
        ),
        N_("recorded contacts listened to / recorded contacts"),
        KpiKind.RATIO,
        Unit.RATE,
        "neither",
        ratio(
            LISTENING.c.is_listened,
            sa.and_(LISTENING.c.recorded, sa.not_(names_class(LISTENING.c))),
        ),
        Permission.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        FactTable.LISTENED,
        exclusions=(
            _exclude_sealed(LISTENING.c),
            exclude(
                "recording_unknown",
                N_("The source does not say whether it was recorded"),
                LISTENING.c.recorded.is_(None),
            ),
            exclude("not_recorded", N_("Not recorded"), sa.not_(LISTENING.c.recorded)),
        ),
    ),
)
