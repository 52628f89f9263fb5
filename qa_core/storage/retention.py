"""Deletion by age: what each room with personal data offers to the purge."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True)
class DueData:
    """Data of one kind that must be gone: how many, the days of the oldest and newest, and
    the first day on which the oldest was kept too long.
    """

    kind: str
    count: int
    oldest: date
    newest: date
    since: date


class Keeper(Protocol):
    """One kind of personal data in one store."""

    @property
    def kind(self) -> str:
        """The key of its retention class."""

    def find_due(self, as_of: date) -> DueData | None:
        """Count what must be gone once that day begins; None: nothing."""

    def delete_due(self, as_of: date) -> None:
        """Delete it. May be run again after an interruption."""
