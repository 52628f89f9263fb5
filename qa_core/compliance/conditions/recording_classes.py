"""Classes of recordings that an obligation keeps for longer (docs/compliance.md, R23), as the data
protection officer enters them in the setting `recording_classes`.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from qa_core.base.i18n import ngettext
from qa_core.centre import settings

PROOF = "proof"
"""Class of recordings whose file says that they prove a contract."""


@dataclass(frozen=True)
class RecordingClass:
    """Class of recordings: kept for so many months, on that legal basis."""

    name: str
    months: int
    legal_basis: str

    @property
    def period(self) -> str:
        return ngettext("{n} month", "{n} months", self.months)


def find_all(session: Session) -> dict[str, RecordingClass]:
    """Read the classes in force, by name."""
    return parse(settings.current(session).recording_classes or "")


def parse(text: str) -> dict[str, RecordingClass]:
    """Parse classes written `name=months legal basis`, separated by semicolons."""
    classes: dict[str, RecordingClass] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, _sign, rest = part.partition("=")
        months, _space, legal_basis = rest.partition(" ")
        classes[name] = RecordingClass(name, int(months), legal_basis)
    return classes
