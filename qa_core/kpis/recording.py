"""Recording: how much of what is said is kept."""

from __future__ import annotations

import sqlalchemy as sa

from qa_core.access import Permission
from qa_core.facts import CONTACTS
from qa_core.kpis.declaration import CONTACT_DIMENSIONS, Kind, Kpi, Unit
from qa_core.kpis.exclusions import ANSWERED_ONLY, exclude
from qa_core.kpis.rows import ANSWERED, ratio
from qa_core.wording import N_

ALL: tuple[Kpi, ...] = (
    Kpi(
        "recording_rate",
        N_("Recording rate"),
        N_("The share of answered contacts that were recorded. Near 100 % it is permanent recording, which the law forbids."),
        N_("recorded / answered, where it is known"),
        Kind.RATIO,
        Unit.RATE,
        "down",
        ratio(CONTACTS.c.recorded, sa.and_(ANSWERED, CONTACTS.c.recorded.is_not(None))),
        Permission.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        exclusions=(*ANSWERED_ONLY, exclude("recording_unknown", N_("The source does not say whether it was recorded"), CONTACTS.c.recorded.is_(None))),
    ),
)
