"""Inputs of a question besides its KPIs: names from the records, the settings of each
day, and what is known of the lake as a whole.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.centre import settings as declared_settings
from qa_core.centre.settings import Settings
from qa_core.metrics import kpis as declared
from qa_core.metrics.kpi import dimension_sql, interval_totals, month_sums, statements
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import COMPONENTS, OPTIONAL_COMPONENTS, KpiInputs
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage import lake
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records import store


def build_query(
    viewer: Viewer, by: tuple[str, ...], where: Filters, overrides: Mapping[str, str] | None = None
) -> MetricQuery:
    """Build all but the KPIs of a statement: names, and the settings of each day of the period."""
    values = {
        name: declared_settings.get_setting(name).parse(text)
        for name, text in (overrides or {}).items()
    }
    with store.reading() as session:
        pieces = declared_settings.find_settings_history(session)
        names = Names.load(session, dimension_sql.dimensions_of(by, where))
    pieces = statements.pieces_within(
        tuple((first_day, settings.with_values(**values)) for first_day, settings in pieces),
        where.period,
    )
    return MetricQuery(viewer, by, where, names, pieces, _make_reader())


def _make_reader() -> Callable[[Settings], KpiInputs]:
    """Build KPI inputs once per set of settings, so that equal settings are equal parameters."""
    lake_url, span = environment.current().lake_url, lake.span()
    profile = find_profile(lake_url, lake.version("contacts"))
    silent = interval_totals.find_silent(lake_url, lake.version("intervals"))
    return functools.cache(
        lambda settings: KpiInputs(
            settings,
            span,
            profile.absent_components,
            silent,
            profile.sparse_components,
            profile.scales,
            profile.machine_contacts > 0,
        )
    )


@dataclass(frozen=True)
class LakeProfile:
    """Properties of the whole lake that KPIs need, the same for all viewers: components
    of the handling time that a source never gives for an answered contact; components
    that it gives for fewer than half of them (a blank is then a hold or an after-work
    that did not happen); the ends of each scale of ratings; and contacts that machines took.
    """

    absent_components: Mapping[str, tuple[str, ...]]
    sparse_components: Mapping[str, tuple[str, ...]]
    scales: Mapping[str, tuple[float, float]]
    machine_contacts: int


@functools.lru_cache(maxsize=4)
def find_profile(lake_url: str, version: int) -> LakeProfile:
    answered = sa.and_(declared.ANSWERED, declared.BY_PERSON)
    counts = [
        sa.func.count(CONTACTS.c[f"{component}_seconds"]).filter(answered).label(component)
        for component in COMPONENTS
    ]
    counts.append(sa.func.count().filter(answered).label("answered"))
    counts.append(sa.func.count().filter(declared.BY_MACHINE).label("machines"))

    def build(part: MetricQuery) -> Unscoped:
        groups = [
            CONTACTS.c.source_system.label("by_system"),
            CONTACTS.c.csat_scale.label("by_scale"),
            *part.groups(CONTACTS.c),
        ]
        return Unscoped(
            statements.select_groups(groups, counts).where(*statements.conditions_on(part)),
            "The durations that a system never gives, and its rating scales, are the same for "
            "everybody. Only systems, scales and counts are read, and cached for all viewers.",
        )

    everything = MetricQuery(Viewer.SYSTEM, (), Filters(), Names({}, {}), (), KpiInputs)
    frame = pd.DataFrame(
        month_sums.collect(everything, build, leaves_out_damaged=True),
        columns=["by_system", "by_scale", *COMPONENTS, "answered", "machines"],
    )
    totals = frame.groupby("by_system")[[*COMPONENTS, "answered"]].sum()
    absent = {component: tuple(totals.index[totals[component] == 0]) for component in COMPONENTS}
    sparse = {
        component: tuple(
            totals.index[(totals[component] > 0) & (totals[component] < totals["answered"] / 2)]
        )
        for component in OPTIONAL_COMPONENTS
    }
    scales = {scale: _ends(scale) for scale in frame["by_scale"].dropna().unique()}
    return LakeProfile(absent, sparse, scales, int(frame["machines"].sum()))


def count_machine_contacts() -> int:
    """Count the contacts that machines took in the whole centre, the same for everybody."""
    profile = find_profile(environment.current().lake_url, lake.version("contacts"))
    return profile.machine_contacts


def _ends(scale: str) -> tuple[float, float]:
    low, _, high = scale.rpartition("-")
    return float(low), float(high)
