"""Scope of a viewer over sums by team that are kept for everybody."""

import functools
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from qa_core.access.roles import TeamSpan, Viewer


def find_own(viewer: Viewer, teams: pa.ChunkedArray, days: pa.ChunkedArray) -> pa.ChunkedArray:
    """Find which sums are of rows in the viewer's scope, by the team and a day of each: the
    same as `Viewer.scope` of the rows they were made of, where `find_cuts` lies in none.
    """
    masks = (_find_within(span, teams, days) for span in viewer.spans or ())
    nobody = pc.and_(pc.is_null(days), pc.is_valid(days))
    return functools.reduce(pc.or_, masks, nobody)


def _find_within(span: TeamSpan, teams: pa.ChunkedArray, days: pa.ChunkedArray) -> pa.ChunkedArray:
    is_team = pc.fill_null(pc.equal(teams, span.team), False) if span.team else pc.is_null(teams)
    if span.starts_on:
        is_team = pc.and_(is_team, pc.greater_equal(days, span.starts_on))
    return pc.and_(is_team, pc.less(days, span.ends_on)) if span.ends_on else is_team


def find_cuts(viewer: Viewer) -> frozenset[date]:
    """Find the first days of the months within which the viewer's scope changes."""
    edges = (day for span in viewer.spans or () for day in (span.starts_on, span.ends_on) if day)
    return frozenset(day.replace(day=1) for day in edges if day.day > 1)
