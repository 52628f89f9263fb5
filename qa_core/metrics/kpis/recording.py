"""Recording: how much of what is said is kept, and how much of that somebody listened to."""

import sqlalchemy as sa

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.metrics.kpis.declaration import CONTACT_DIMENSIONS, FactTable, Kpi, KpiKind, Unit
from qa_core.metrics.kpis.exclusions import ANSWERED_ONLY, exclude
from qa_core.metrics.kpis.rows import ANSWERED, LISTENING, ratio
from qa_core.storage.facts.schema import CONTACTS

ALL: tuple[Kpi, ...] = (
    Kpi(
        "recording_rate",
        N_("Recording rate"),
        N_(
            "The share of answered contacts that were recorded. Near 100 %, recording is "
            "permanent, which the law forbids."
        ),
        N_("recorded / answered, where known"),
        KpiKind.RATIO,
        Unit.RATE,
        "down",
        ratio(CONTACTS.c.recorded, sa.and_(ANSWERED, CONTACTS.c.recorded.is_not(None))),
        Permission.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        exclusions=(
            *ANSWERED_ONLY,
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
        ratio(LISTENING.c.is_listened, LISTENING.c.recorded),
        Permission.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        FactTable.LISTENED,
        exclusions=(
            exclude(
                "recording_unknown",
                N_("The source does not say whether it was recorded"),
                LISTENING.c.recorded.is_(None),
            ),
            exclude("not_recorded", N_("Not recorded"), sa.not_(LISTENING.c.recorded)),
        ),
    ),
)
