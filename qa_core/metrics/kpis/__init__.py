"""Every KPI, declared once: a declaration feeds the tile, the chart, the table, the
export, the glossary and the tests. Ratios are ratios of totals.
"""

from collections.abc import Mapping

from qa_core.access.roles import GRANTS, Role
from qa_core.base.errors import require_known
from qa_core.metrics.kpis import (
    call_statistics,
    first_contact,
    machines,
    quality,
    recording,
    repeats,
    satisfaction,
    selling,
    tracking,
)
from qa_core.metrics.kpis.declaration import (
    COMPONENTS,
    INTERVAL_DIMENSIONS,
    OPTIONAL_COMPONENTS,
    Contribution,
    FactTable,
    IntervalContribution,
    Kpi,
    KpiInputs,
    KpiKind,
    KpiNote,
    Unit,
)
from qa_core.metrics.kpis.quality import ALIGNMENT
from qa_core.metrics.kpis.rows import (
    ADVISOR_MEANS,
    ANSWERED,
    ATTRIBUTED,
    BY_MACHINE,
    BY_PERSON,
    CALLERS,
    COUNTED_DIRECTION,
    CRITICAL_CLASSES,
    EVALUATED,
    LISTENED_CONTACTS,
    LISTENING,
    MISSED,
    MISSES,
    NOT_OF_INTERVALS,
    OUTGOING,
    RECEIVED,
    RETURNS,
    SALES,
    SELLING,
    TOTALS,
)

ALL: tuple[Kpi, ...] = (
    *call_statistics.ALL,
    *first_contact.ALL,
    *machines.ALL,
    *repeats.ALL,
    *satisfaction.ALL,
    *quality.ALL,
    *tracking.ALL,
    *recording.ALL,
    *selling.ALL,
)
BY_KEY: Mapping[str, Kpi] = {kpi.key: kpi for kpi in ALL}


def get_kpi(key: str) -> Kpi:
    """Return the declaration of that KPI. Raises Misuse for an unknown name."""
    require_known(key, BY_KEY, "unknown_kpi")
    return BY_KEY[key]


def find_open(role: Role) -> list[str]:
    """Find the KPIs that a role may see, by key."""
    return [kpi.key for kpi in ALL if kpi.needs in GRANTS[role]]
