"""Version of the data: what figures are kept by, and what a mail and its page agree on."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qa_core.base import environment
from qa_core.metrics.kpi import listened_contacts
from qa_core.storage import lake
from qa_core.storage.records import changes, store

CENTRE = ("people", "centre_rules", "settings", "targets", "retention", "editions")
"""Subjects of the records that a figure of contacts depends on."""


@dataclass(frozen=True)
class Version:
    """State of the data: which stores, and marks that differ after a change."""

    facts: tuple[Any, ...]
    """Of the lake, and of what the records say of the centre."""
    marks: Mapping[str, str]
    """Of each subject of the records."""
    evaluations: tuple[Any, ...]
    """Of published evaluations, of what was listened to and of calibrations."""

    @property
    def code(self) -> str:
        """A short name of this state, for a page and a mail that show the same figures."""
        text = repr((self.facts, self.evaluations))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def find_version() -> Version:
    """Find the version of the data as the stores stand."""
    here = environment.current()
    with store.reading() as session:
        marks = changes.find_marks(session)
        evaluations = listened_contacts.change_counter(session)
    facts = (
        here.database_url,
        here.lake_url,
        here.timezone,
        environment.today(),
        *lake.versions(),
        *map(marks.get, CENTRE),
    )
    return Version(facts, marks, tuple(map(str, evaluations)))
