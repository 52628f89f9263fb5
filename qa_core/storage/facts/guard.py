"""Row guard: the person a statement is run for. Neither the engine nor the personal
tables of the records answer a statement without one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

SCOPE_COLUMNS = frozenset({"team", "local_start"})
"""Columns of tables of facts that are narrowed to the rows of a viewer's scope."""


class Reader(Protocol):
    """Viewer as storage knows it."""

    def scope(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """Build the predicate of the rows this viewer may count."""


@dataclass(frozen=True)
class Scoped:
    """Statement that sees the viewer's rows alone.

    `beyond`: why it also reads contacts outside that scope (`EVERY_CONTACT`); a plain
    sentence, listed in the documentation.
    """

    statement: Any
    viewer: Reader
    beyond: str | None = None
    with_restricted: bool = False
    """Whether restricted contacts are found too: to keep or to delete their data."""


@dataclass(frozen=True)
class Unscoped:
    """Statement that sees every row; why is a plain sentence, listed in the documentation."""

    statement: Any
    reason: str


def has_scope(columns: Collection[str]) -> bool:
    """Return whether a table of facts with these columns is narrowed to a viewer's rows."""
    return set(columns) >= SCOPE_COLUMNS
