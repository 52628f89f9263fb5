"""Publication: a draft becomes a numbered version that never changes."""

import tomllib
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_, _, language
from qa_core.quality.scorecards import drafts
from qa_core.quality.scorecards.versions import has_criteria
from qa_core.scoring.scorecard import format_number
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import ScorecardVersion

STARTERS = environment.PROJECT / "data" / "scorecards"
STARTER_PERMISSIONS = (Permission.PUBLISH_SCORECARDS, Permission.MANAGE_LISTENING)


def publish(viewer: Viewer, grid_id: int, edition: int) -> int:
    """Publish a draft as the next version, and return its number.

    Raise Refusal: `changed_meanwhile`, `bad_grid` while it has faults,
    `nothing_changed` when it equals the last version.
    """
    viewer.require(Permission.PUBLISH_SCORECARDS)
    with store.writing() as session:
        draft = drafts.get_draft(session, grid_id, edition)
        scorecard = scoring.parse_scorecard(draft.content)
        if not scorecard.title.strip():
            raise Refusal("bad_grid", "In the scorecard, {place} must be a text.", place="title")
        last = _find_last_version(session, draft.key)
        if (
            last is not None
            and has_criteria(last)
            and scoring.parse_scorecard(last.content) == scorecard
        ):
            raise Refusal(
                "nothing_changed",
                "This draft is the same as version {version}; there is nothing to publish.",
                version=last.version,
            )
        _publish_row(session, viewer, draft, scorecard, (last.version if last else 0) + 1)
        return draft.version


def publish_starter(viewer: Viewer, key: str) -> int | None:
    """Publish the starter scorecard of that key (`customer-service`) unless a version
    exists. Return the id of the newest; None: no such starter.
    """
    if not any(viewer.can(permission) for permission in STARTER_PERMISSIONS):
        raise AccessDenied()
    content = read_starter(key)
    if content is None:
        return None
    with store.writing() as session:
        found = _find_last_version(session, key)
        if found is not None and has_criteria(found):
            return found.id
        version = found.version + 1 if found else 1
        row = ScorecardVersion(
            key=key,
            version=version,
            title=content["title"],
            content=content,
            created_by=viewer.username,
        )
        session.add(row)
        _publish_row(session, viewer, row, scoring.parse_scorecard(content), version)
        return row.id


def find_starters() -> list[str]:
    """Return the keys of the starter scorecards."""
    return sorted(file.stem.replace("_", "-") for file in STARTERS.glob("*.toml"))


def read_starter(key: str) -> dict[str, Any] | None:
    """Return the content of a starter scorecard; None for an unknown key."""
    if key not in find_starters():
        return None
    return tomllib.loads((STARTERS / f"{key.replace('-', '_')}.toml").read_text(encoding="utf-8"))


def compare(old: scoring.Scorecard, new: scoring.Scorecard) -> list[str]:
    """Describe what changes from `old` to `new`, in the reader's language."""
    sentences = _describe_differences(old, new, IN_WHOLE)
    before, after = (
        {section.name: section for section in scorecard.sections} for scorecard in (old, new)
    )
    for key, section in after.items():
        if key not in before:
            sentences.append(_("Section “{name}” is added.", name=_name(section)))
            continue
        sentences += _describe_differences(before[key], section, IN_SECTION, name=_name(section))
    sentences += [
        _("Section “{name}” is removed.", name=_name(section))
        for key, section in before.items()
        if key not in after
    ]
    return [*sentences, *_compare_criteria(old, new), *_describe_moves(old, new)]


METHODS = {
    scoring.Method.SECTION_RATIO: N_("the share of points in each section"),
    scoring.Method.POINTS_TIMES_WEIGHT: N_("points times weight"),
}
CLASSES = {
    scoring.CriticalClass.CUSTOMER: N_("critical for the customer"),
    scoring.CriticalClass.BUSINESS: N_("critical for the business"),
    scoring.CriticalClass.COMPLIANCE: N_("critical for compliance"),
}
FAILS = {
    scoring.Fails.GRID: N_("fails the whole scorecard"),
    scoring.Fails.SECTION: N_("fails its section"),
}


def _name(part: Any) -> str:
    return part.text.in_language(language())


def _describe(number: Any) -> str:
    return _("none") if number is None else format_number(number)


def _describe_method(scorecard: scoring.Scorecard) -> str:
    return _(METHODS[scorecard.method])


def _describe_levels(criterion: scoring.Criterion) -> str:
    return ", ".join(map(_describe, criterion.levels)) or _("any number")


def _describe_applicability(criterion: scoring.Criterion) -> str:
    return _("may be not applicable") if criterion.not_applicable else _("always applies")


def _describe_critical(criterion: scoring.Criterion) -> str:
    if criterion.critical is None:
        return _("not critical")
    return _(
        "{critical}, {fails}",
        critical=_(CLASSES[criterion.critical]),
        fails=_(FAILS[criterion.fails]),
    )


def _describe_bonus(criterion: scoring.Criterion) -> str:
    return _("a bonus") if criterion.bonus else _("no bonus")


Differences = Sequence[tuple[str, Callable[[Any], str]]]
"""Sentences, each with what it compares, as a reader sees it."""
IN_WHOLE: Differences = (
    (N_("The title is now “{now}” instead of “{before}”."), _name),
    (N_("The score is now calculated as {now} instead of {before}."), _describe_method),
    (N_("The pass mark is now {now} instead of {before}."), lambda one: _describe(one.pass_mark)),
    (
        N_("The highest score is now {now} instead of {before}."),
        lambda one: _describe(one.bonus_cap),
    ),
)
IN_SECTION: Differences = (
    (N_("Section “{before}” is now called “{now}”."), _name),
    (N_("Section “{name}”: weight {now} instead of {before}."), lambda one: _describe(one.weight)),
)
IN_CRITERION: Differences = (
    (N_("Criterion “{before}” now reads “{now}”."), _name),
    (
        N_("Criterion “{name}”: {now} points instead of {before}."),
        lambda one: _describe(one.points),
    ),
    (N_("Criterion “{name}”: answers {now} instead of {before}."), _describe_levels),
    (N_("Criterion “{name}”: {now} instead of {before}."), _describe_applicability),
    (N_("Criterion “{name}”: {now} instead of {before}."), _describe_critical),
    (N_("Criterion “{name}”: {now} instead of {before}."), _describe_bonus),
)


def _compare_criteria(old: scoring.Scorecard, new: scoring.Scorecard) -> list[str]:
    before, after = (
        {criterion.key: criterion for criterion in scorecard.criteria} for scorecard in (old, new)
    )
    sentences = []
    other = "en" if language() == "fr" else "fr"
    for key, criterion in after.items():
        title = _name(criterion)
        if key not in before:
            sentences.append(_("Criterion “{name}” is added.", name=title))
            continue
        sentences += _describe_differences(before[key], criterion, IN_CRITERION, name=title)
        if before[key].help != criterion.help or before[key].text.in_language(
            other
        ) != criterion.text.in_language(other):
            sentences.append(
                _("Criterion “{name}”: the guidance or the other language is reworded.", name=title)
            )
    return sentences + [
        _("Criterion “{name}” is removed.", name=_name(one))
        for key, one in before.items()
        if key not in after
    ]


def _describe_moves(old: scoring.Scorecard, new: scoring.Scorecard) -> list[str]:
    places = [
        {criterion.key: section for section in scorecard.sections for criterion in section.criteria}
        for scorecard in (old, new)
    ]
    moved = [
        _(
            "Criterion “{name}” moves to the section “{section}”.",
            name=_name(criterion),
            section=_name(section),
        )
        for section in new.sections
        for criterion in section.criteria
        if criterion.key in places[0] and places[0][criterion.key].name != section.name
    ]
    kept = [
        [
            criterion.key
            for criterion in scorecard.criteria
            if criterion.key in places[0] and criterion.key in places[1]
        ]
        for scorecard in (old, new)
    ]
    return moved or ([_("The order of the criteria has changed.")] if kept[0] != kept[1] else [])


def _describe_differences(old: Any, new: Any, parts: Differences, **params: str) -> list[str]:
    found = [(message, tell(old), tell(new)) for message, tell in parts]
    return [
        _(message, before=before, now=now, **params)
        for message, before, now in found
        if before != now
    ]


def _find_last_version(session: Session, key: str) -> ScorecardVersion | None:
    return session.scalar(
        sa.select(ScorecardVersion)
        .where(ScorecardVersion.key == key, ScorecardVersion.published_at.is_not(None))
        .order_by(ScorecardVersion.version.desc())
        .limit(1)
    )


def _publish_row(
    session: Session,
    viewer: Viewer,
    row: ScorecardVersion,
    scorecard: scoring.Scorecard,
    version: int,
) -> None:
    row.version = version
    row.title = scorecard.title
    row.published_at = now()
    row.published_by = viewer.username
    session.flush()
    audit_log.record(session, viewer.username, "grid_publish", row.key, reason=f"version {version}")
