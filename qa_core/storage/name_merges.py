"""Names that mean the same: which spelling of a queue, reason, campaign or advisor's id
stands for which, as people decided.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.storage.records.centre_rules import NameDecision

KINDS = ("advisor", "queue", "reason", "campaign")
"""What may have several names that mean the same; advisors are named by their ids."""


def find_kept(session: Session) -> dict[str, dict[str, str]]:
    """By kind, each spelling that is not kept and the name it stands for in the end."""
    standing = sa.select(NameDecision.kind, NameDecision.spelling, NameDecision.kept).where(
        NameDecision.is_same, NameDecision.undone_at.is_(None)
    )
    steps: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for kind, spelling, kept in session.execute(standing):
        steps[kind][spelling] = kept
    return {
        kind: {spelling: follow(names, spelling) for spelling in names}
        for kind, names in steps.items()
    }


def follow(steps: dict[str, str], name: str) -> str:
    """Where a name leads in the end; a decision that would close a circle is refused
    when it is made.
    """
    while name in steps:
        name = steps[name]
    return name


def spell(expression: str, kept: Mapping[str, str]) -> str:
    """A name as the centre keeps it (SQL)."""
    if not kept:
        return expression
    cases = " ".join(
        f"WHEN {_quoted(spelling)} THEN {_quoted(name)}" for spelling, name in sorted(kept.items())
    )
    return f"CASE {expression} {cases} ELSE {expression} END"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
