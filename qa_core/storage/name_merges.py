"""Merged names: which spelling of a queue, reason, campaign or advisor's id counts as which."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.storage.records import store
from qa_core.storage.records.centre_rules import NameDecision

KINDS = ("advisor", "queue", "reason", "campaign")
"""Kinds of names that can be merged; advisors are named by their ids."""


def find_kept_names(session: Session) -> dict[str, dict[str, str]]:
    """Find, by kind, each merged spelling and its final name."""
    return store.remember(session, "kept_names", _read_kept_names)


def find_kept_name(session: Session, kind: str | None, name: str | None) -> str | None:
    """Find the name that one counts as now; itself where it is not merged, or never can be."""
    return find_kept_names(session).get(kind, {}).get(name, name)


def _read_kept_names(session: Session) -> dict[str, dict[str, str]]:
    decisions = sa.select(NameDecision.kind, NameDecision.spelling, NameDecision.kept).where(
        NameDecision.is_same, NameDecision.undone_at.is_(None)
    )
    steps: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for kind, spelling, kept_name in session.execute(decisions):
        steps[kind][spelling] = kept_name
    return {
        kind: {spelling: follow(names, spelling) for spelling in names}
        for kind, names in steps.items()
    }


def find_same_advisors(session: Session, advisor_id: str) -> list[str]:
    """Find the ids of all advisors who are one person with this one, this id first."""
    kept = find_kept_names(session)["advisor"]
    person = kept.get(advisor_id, advisor_id)
    others = {person, *(name for name, target in kept.items() if target == person)}
    return [advisor_id, *sorted(others - {advisor_id})]


def follow(steps: dict[str, str], name: str) -> str:
    """Follow a name to its final one; decisions that would close a circle are refused when made."""
    while name in steps:
        name = steps[name]
    return name


def spell(expression: str, names: Mapping[str, str]) -> str:
    """Write the merged name of an expression (SQL)."""
    from qa_core.storage.lake.tables import quote  # most callers need no engine

    if not names:
        return expression
    cases = " ".join(
        f"WHEN {quote(spelling)} THEN {quote(name)}" for spelling, name in sorted(names.items())
    )
    return f"CASE {expression} {cases} ELSE {expression} END"
