"""Dates on which the rules behind a number changed: a setting got another value, or
evaluators another version of a grid. Charts start anew there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.centre import settings
from qa_core.metrics.kpis import ALL, FactTable, Kpi, get_kpi
from qa_core.metrics.kpis.dimensions import Period
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import ScorecardVersion


@dataclass(frozen=True)
class Change:
    """From `day` on another rule holds. `name`: the setting, or the key of the grid;
    `before` and `after`: its values, or its versions; `kpis`: those that it concerns.
    """

    day: date
    name: str
    before: Any
    after: Any
    kpis: tuple[str, ...]
    is_grid: bool = False

    @property
    def title(self) -> str:
        """An English message of the catalogues for a setting; the grid's own key."""
        return self.name if self.is_grid else settings.BY_NAME[self.name].title


def find_changes(
    viewer: Viewer, period: Period = Period(), kpis: Sequence[str] = ()
) -> tuple[Change, ...]:
    """Find the changes within a period that concern these KPIs (default: all), oldest
    first.

    A change on the first day of the period belongs to it. Only KPIs that the viewer may
    see are looked at. Raises Misuse for an unknown KPI, AccessDenied where the viewer
    sees no figures at all.
    """
    declarations = [kpi for kpi in (map(get_kpi, kpis) if kpis else ALL) if viewer.can(kpi.needs)]
    if not declarations:
        raise AccessDenied()
    with store.reading() as session:
        pieces = settings.find_settings_history(session)
        grids = session.execute(
            sa.select(ScorecardVersion.key, ScorecardVersion.version, ScorecardVersion.published_at)
            .where(ScorecardVersion.published_at.is_not(None))
            .order_by(ScorecardVersion.key, ScorecardVersion.version)
        ).all()
    changes = [
        *_of_settings(pieces, declarations),
        *(_of_grids(grids, declarations) if viewer.can(Permission.SEE_SCORES) else ()),
    ]
    inside = (change for change in changes if period.meets(change.day, change.day))
    return tuple(sorted(inside, key=lambda change: (change.day, change.name)))


def _of_settings(
    pieces: Sequence[tuple[date | None, settings.Settings]], kpis: Sequence[Kpi]
) -> list[Change]:
    changes = []
    for (_, before), (day, after) in pairwise(pieces):
        for name in dict.fromkeys(name for kpi in kpis for name in kpi.settings):
            old, new = getattr(before, name), getattr(after, name)
            if old != new:
                changes.append(
                    Change(
                        day, name, old, new, tuple(kpi.key for kpi in kpis if name in kpi.settings)
                    )
                )
    return changes


def _of_grids(grids: Sequence[Any], kpis: Sequence[Kpi]) -> list[Change]:
    kpi_keys = tuple(
        kpi.key
        for kpi in kpis
        if kpi.subject in (FactTable.EVALUATION_ANSWERS, FactTable.ADVISORS, FactTable.CALIBRATED)
    )
    pairs = [
        (before, after) for before, after in pairwise(grids) if before.key == after.key and kpi_keys
    ]
    return [
        Change(
            environment.to_local(after.published_at).date(),
            after.key,
            before.version,
            after.version,
            kpi_keys,
            is_grid=True,
        )
        for before, after in pairs
    ]
