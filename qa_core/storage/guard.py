"""The row guard: who a statement is run for. Neither the engine nor the personal tables
of the records answer a statement that does not say so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

SCOPE_COLUMNS = frozenset({"team", "local_start"})
"""A table of facts with these columns shows a viewer the rows of their scope alone."""


class Reader(Protocol):
    """What storage knows of a viewer."""

    def scope(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """The rows of the table that this viewer may count."""


@dataclass(frozen=True)
class Scoped:
    """A statement that sees the viewer's rows alone, whatever it says itself.

    `beyond`: why it also looks at contacts outside that scope (`EVERY_CONTACT`); a
    plain sentence, which the documentation lists.
    """

    statement: Any
    viewer: Reader
    beyond: str | None = None


@dataclass(frozen=True)
class Unscoped:
    """A statement that sees every row, and why it may: a plain sentence, which the
    documentation lists.
    """

    statement: Any
    reason: str


def has_scope(columns: Collection[str]) -> bool:
    """Tell whether a table of facts with these columns is narrowed to a viewer's rows."""
    return set(columns) >= SCOPE_COLUMNS
