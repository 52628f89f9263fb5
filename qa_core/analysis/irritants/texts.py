"""Texts on irritants, and the file of the action list."""

from collections.abc import Iterator
from typing import Any

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import exports
from qa_core.analysis.irritants import action_list, detection
from qa_core.analysis.irritants.action_list import ActionEntry
from qa_core.analysis.irritants.subject import (
    WAIT,
    WAIT_BANDS,
    Count,
    IrritantCandidate,
    IrritantSubject,
)
from qa_core.base import declared
from qa_core.base.i18n import _
from qa_core.metrics import downloads
from qa_core.metrics.kpis import Unit, dimensions, formatting
from qa_core.metrics.spreadsheets import Cell, Sheet, make_file, unit_format

_DECLARED = declared.read(__file__)
KINDS: dict[str, str] = _DECLARED["kinds"]
STATES: dict[str, str] = _DECLARED["states"]


def describe_subject(subject: IrritantSubject) -> str:
    key = "_".join(filter(None, (subject.kind, subject.dimension)))
    return _(_DECLARED["titles"][key], name=_name(subject))


def describe_share(candidate: IrritantCandidate) -> str:
    """Describe how many contacts it concerns, compared with the others."""
    share = candidate.share
    counts = {
        "hits": formatting.number(share.hits),
        "n": formatting.number(share.n),
        "share": formatting.percent(share.value),
        "other": formatting.percent(share.other),
    }
    return _(_DECLARED["shares"][candidate.subject.kind], **counts, gap=_format_interval(share.gap))


def describe_change(now: Count | None, before: Count | None) -> str:
    """Describe the change of the share with its interval; empty without a comparison."""
    interval = now.change_from(before) if now and before else None
    if interval is None:
        return ""
    return _(
        "{change} pts ({between})",
        change=format_points(now.share - before.share),
        between=_format_interval(interval),
    )


def mark_change(now: Count | None, before: Count | None) -> str:
    """Format the change in points for a table, with an arrow where it is significant."""
    if now is None or before is None or before.share is None or now.share is None:
        return ""
    mark = {True: "↓ ", False: "↑ ", None: ""}[is_better(now, before)]
    return mark + format_points(now.share - before.share)


def describe_places(candidate: IrritantCandidate) -> str:
    counts = [
        _(
            "{what}: {text}",
            what=_(dimensions.get_dimension(place.dimension).title),
            text=f"{formatting.name(place.dimension, place.value)} ({place.contacts})",
        )
        for place in candidate.places
    ]
    return " · ".join(counts)


def describe_along(candidate: IrritantCandidate) -> str:
    """Name the words that occur with it; empty without any."""
    if not candidate.related:
        return ""
    words = formatting.listing(_("“{name}”", name=shown) for shown in candidate.related)
    return _("Often with {words}", words=words)


def format_points(share: float) -> str:
    """Format a difference of shares in points, signed."""
    text = formatting.number(100 * share, 1)
    return f"+{text}" if share > 0 else text


def _format_interval(interval: tuple[float, float]) -> str:
    return _("{low} to {high} pts", low=format_points(interval[0]), high=format_points(interval[1]))


def is_better(now: Count | None, before: Count | None) -> bool | None:
    """Return whether the share fell significantly; None: no significant change."""
    interval = now.change_from(before) if now and before else None
    return None if interval is None or interval[0] <= 0 <= interval[1] else interval[1] < 0


def describe_count(count: Count | None) -> str:
    if count is None or count.share is None:
        return "–"
    return (
        f"{formatting.percent(count.share)} "
        f"({formatting.number(count.hits)}/{formatting.number(count.n)})"
    )


def build_file(viewer: Viewer, form: str = "csv") -> downloads.Download:
    """Build the action list as a file, as far as the viewer may see it."""
    header, *rows = _build_lines(viewer)
    return make_file(Sheet("ecoute-irritants", header, rows, exports.describe_origin(viewer)), form)


def _build_lines(viewer: Viewer) -> Iterator[list[Any]]:
    sees_names = not viewer.needs_suppression
    yield [
        _("Irritant"),
        _("Found in"),
        _("State"),
        *([_("Owner")] if sees_names else []),
        _("Due"),
        _("Filters"),
        _("In hand since"),
        _("Before"),
        _("Since"),
        *([_("Note"), _("Teams")] if sees_names else []),
        _("History"),
    ]
    for entry in action_list.find_entries(viewer):
        before, since = (
            detection.find_follow_up(viewer, entry.subject, entry.filters, entry.in_hand_on)
            if entry.in_hand_on
            else (None, None)
        )
        yield [
            describe_subject(entry.subject),
            _(KINDS[entry.subject.kind]),
            _(STATES[entry.state]),
            *([entry.owner_name or ""] if sees_names else []),
            entry.due_on,
            describe_filters(entry),
            entry.in_hand_on,
            _share(before),
            _share(since),
            *([entry.note, ", ".join(entry.teams)] if sees_names else []),
            " → ".join(
                f"{_(STATES[step.state])} {formatting.local_day(step.at)}"
                + (f" ({step.by})" if step.by else "")
                for step in entry.steps
            ),
        ]


def _share(count: Count | None) -> Cell | None:
    return (
        None if count is None or count.share is None else Cell(count.share, unit_format(Unit.RATE))
    )


def describe_filters(entry: ActionEntry) -> str:
    """Describe the filters of the page when the entry was made."""
    counts = [
        (dimension, ", ".join(formatting.name(dimension, value) for value in values))
        for dimension, values in entry.filters.values
    ]
    return " · ".join(
        _("{what}: {text}", what=_(dimensions.get_dimension(dimension).title), text=names)
        for dimension, names in counts
    )


def _name(subject: IrritantSubject) -> str:
    if subject.dimension != WAIT:
        if subject.dimension is None:
            return subject.shown
        return formatting.name(subject.dimension, subject.value)
    start = int(subject.value)
    return formatting.time_band(start, next((end for end in WAIT_BANDS if end > start), None))


downloads.declare("irritants", Permission.EXPORT_FIGURES, build_file)
