"""Documents and their printing: built from today's configuration, rendered, audited."""

import hashlib
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from qa_core.access.roles import Permission, Viewer
from qa_core.base import declared, environment, i18n
from qa_core.base.errors import require_known
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.compliance import audit_report
from qa_core.compliance.documents import facts
from qa_core.compliance.documents.blocks import BLANK, Block, list_texts
from qa_core.compliance.documents.drafting import draft
from qa_core.compliance.documents.facts import DETAILS, Facts
from qa_core.compliance.documents.rendering import RENDERERS, PrintedDocument
from qa_core.metrics import downloads, printed_pages
from qa_core.metrics.kpis import formatting
from qa_core.storage import audit_log
from qa_core.storage.records import store

PRINTED = "document_printed"


@dataclass(frozen=True)
class DocumentKind:
    """One document of the law and who it is for; its template has its name."""

    name: str
    title: str
    reader: str


ALL = tuple(DocumentKind(**entry) for entry in declared.read(__file__)["document"])
BY_NAME = {kind.name: kind for kind in ALL}


@dataclass(frozen=True)
class Printing:
    """The last printing of a document: its day, who printed, and from which version."""

    on: date
    by: str
    language: str
    form: str
    digest: str


@dataclass(frozen=True)
class DocumentState:
    """A document today. `missing`: values that print as blanks; `printed`: None where it
    never was, or where the viewer may not read the audit log.
    """

    kind: DocumentKind
    digest: str
    missing: tuple[str, ...]
    printed: Printing | None

    @property
    def is_outdated(self) -> bool:
        """Return whether it would be printed differently today."""
        return self.printed is not None and self.printed.digest != self.digest

    def as_json(self) -> dict[str, Any]:
        """Build one entry of `documents list --json` (docs/contract.md, section 3)."""
        return {
            "name": self.kind.name,
            "title": _(self.kind.title),
            "digest": self.digest,
            "missing": list(self.missing),
            "printed": self.printed and asdict(self.printed),
            "is_outdated": self.is_outdated,
        }


def find_all(viewer: Viewer) -> list[DocumentState]:
    """List every document with what it lacks and when it was last printed."""
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        may_read = viewer.can(Permission.SEE_JOURNAL)
        return store.remember(session, f"documents {may_read}", lambda _session: _find_all(viewer))


def _find_all(viewer: Viewer) -> list[DocumentState]:
    known = facts.read()
    printed: dict[str, Printing] = {}
    if viewer.can(Permission.SEE_JOURNAL):
        for entry in reversed(audit_report.find_entries(viewer, action=PRINTED, limit=None)):
            day = environment.to_local(entry.at).date()
            printed[entry.object] = Printing(day, entry.actor, *entry.reason.split())
    return [
        DocumentState(kind, _digest(name, known), _find_missing(name, known), printed.get(name))
        for name, kind in BY_NAME.items()
    ]


def explain_drafts() -> str:
    [note] = draft("draft_note", facts.read())
    return note.text


def describe_state(state: DocumentState) -> str:
    """Describe when a document was last printed, and whether it still says the same."""
    if state.printed is None:
        return _("Not printed yet.")
    last = _(
        "Last printed on {day} by {name}.",
        day=formatting.long_day(state.printed.on),
        name=state.printed.by,
    )
    rest = _("Content changed: print it again.") if state.is_outdated else _("Content unchanged.")
    return f"{last} {rest}"


def print_document(viewer: Viewer, name: str, language: str, form: str) -> bytes:
    """Render a document as `pdf` or `docx`, and log it with its version. Raises Misuse."""
    viewer.require(Permission.SEE_COMPLIANCE)
    require_known(name, BY_NAME, "unknown_document")
    require_known(language, i18n.LANGUAGES, "unknown_language")
    require_known(form, RENDERERS, "unknown_format")
    kind, known = BY_NAME[name], facts.read()
    digest = _digest(name, known)
    with i18n.in_language(language):
        content = render(_(kind.title), draft(name, known), form, digest)
    with store.writing() as session:
        audit_log.record(
            session, viewer.username, PRINTED, name, reason=f"{language} {form} {digest}"
        )
    return content


def render(title: str, blocks: list[Block], form: str, digest: str = "") -> bytes:
    """Render blocks with a line of origin: organisation, version, moment and product."""
    author, version = printed_pages.describe_origin(digest)
    _media_type, to_file = RENDERERS[form]
    return to_file(PrintedDocument(title, author, version, blocks))


def enter_details(viewer: Viewer, values: dict[str, str]) -> None:
    """Enter what only the documents need: names and addresses (`DETAILS`)."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    with store.writing() as session:
        today = settings.current(session)
        for name in DETAILS:
            if name in values and (values[name].strip() or None) != getattr(today, name):
                settings.set_value(session, viewer, name, values[name])


def list_own_information(viewer: Viewer) -> list[Block]:
    """List what an advisor reads about recording and listening, as printed for them."""
    viewer.require(Permission.SEE_OWN_QUALITY)
    return draft("advisor_information", facts.read())


def build_file(viewer: Viewer, name: str, language: str, form: str) -> downloads.Download:
    """Build a document for the one who downloads it."""
    content = print_document(viewer, name, language, form)
    return downloads.Download(f"{name}-{language}.{form}", RENDERERS[form][0], content)


def _digest(name: str, known: Facts) -> str:
    """Compute a document's version: of what it says, the same in both languages."""
    with i18n.in_language("en"):
        return hashlib.sha256(repr(draft(name, known)).encode()).hexdigest()[:12]


def _find_missing(name: str, known: Facts) -> tuple[str, ...]:
    texts = list_texts(draft(name, known))
    return tuple(dict.fromkeys(blank for text in texts for blank in BLANK.findall(text)))


downloads.declare("document", Permission.SEE_COMPLIANCE, build_file)
