"""Report of an import: every row accounted for, or why the file was refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_core.base import i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.files.decision import Decision
from qa_core.files.options import ImportOptions
from qa_core.ingest.reading.reading import Reading
from qa_core.ingest.staging import reason_texts
from qa_core.ingest.staging.tally import COUNTS, ImportTally

if TYPE_CHECKING:
    from qa_core.ingest.reading.examination import Examination
    from qa_core.ingest.reading.plausibility import Oddity


UNCONFIRMED = "unconfirmed_reading"
"""Code of the refusal of a file whose reading a person must confirm first."""


@dataclass
class FileReport:
    """Import result of one file (docs/contract.md, section 4)."""

    file: str
    kind: str = ""
    system: str = ""
    profile: str = ""
    mapping: dict[str, str] = field(default_factory=dict)
    tally: ImportTally = field(default_factory=ImportTally)
    quarantine: Path | None = None
    decisions: list[Decision] = field(default_factory=list)
    batch_id: str | None = None
    """Id of the batch that imported the file, now or before; None in a dry run."""
    recognised: bool = False
    dry_run: bool = False
    refusal: Refusal | None = None
    dropped: tuple[str, ...] = ()
    """Columns of the file that are not kept."""
    headers: tuple[str, ...] = ()
    plausibility: list[Oddity] = field(default_factory=list)
    examination: Examination | None = None
    """Further findings of a dry run."""
    reading: Reading = field(default_factory=Reading)
    confirmed_options: ImportOptions | None = None
    """Options under which the reading was confirmed with this import, if it was."""

    @property
    def is_refused(self) -> bool:
        return self.refusal is not None

    @property
    def verdict(self) -> str:
        """Return whether the reading is `sure`, `asks` for one of the options, or is `refused`."""
        if self.refusal is None or self.refusal.code == UNCONFIRMED:
            return self.reading.verdict
        return "asks" if self.refusal.answers else "refused"

    def as_json(self) -> dict[str, Any]:
        """Build the object that `import --json` prints for this file."""
        if self.refusal is not None:
            error = {
                "code": self.refusal.code,
                "message": i18n.format_refusal(self.refusal),
                "options": list(self.refusal.options),
            }
            head = {"file": self.file, "verdict": self.verdict, "error": error}
            return head | {"reading": self.reading.as_json() | {"verdict": self.verdict}}
        return {
            "file": self.file,
            "verdict": self.verdict,
            "system": self.system,
            "profile": self.profile,
            "mapping": self.mapping,
            **self.tally.as_counts(),
            "quarantine": str(self.quarantine) if self.quarantine else None,
            "decisions": [decision.as_json() for decision in self.decisions],
            "plausibility": [oddity.as_json() for oddity in self.plausibility],
            "reading": self.reading.as_json(),
        }

    def describe_source(self) -> str:
        """Describe as what the file was read."""
        profile = _("an ordinary table") if self.profile == "generic" else self.profile
        if self.system == "generic":
            return _("Read as {profile}.", profile=profile)
        return _(
            "Read as {profile}, from the system {system}.", profile=profile, system=self.system
        )

    def as_text(self) -> str:
        """Format the report for a terminal, in the current language."""
        if self.refusal is not None:
            head = f"{self.file}: {i18n.format_for_operator(self.refusal)}"
            is_reading = self.refusal.code == UNCONFIRMED
            lines = [f"  {line}" for line in self.reading.as_lines()] if is_reading else []
            return "\n".join([head, *lines])
        tally = self.tally
        counts = {name: getattr(tally, name) for name in COUNTS}
        shown = (f"{count} {_(name)}" for name, count in counts.items() if count or name == "read")
        lines: list[str] = []
        if self.recognised:
            lines.append(_("This file was already imported. Nothing was changed."))
        if self.dry_run:
            lines.append(_("Dry run: nothing was written."))
            lines.append(self.describe_source())
            lines.extend(f"{name} ← {column}" for name, column in self.mapping.items())
            lines.extend(self.reading.as_lines())
        for decision in self.decisions:
            texts = decision.as_json()
            evidence = f" ({texts['evidence']})" if texts["evidence"] else ""
            lines.append(f"{texts['field']}: {texts['decision']}{evidence}")
        for title, kinds in (
            (_("skipped"), tally.skipped_kinds),
            (_("folded"), tally.folded_kinds),
            (_("rejected"), tally.reasons),
        ):
            lines.extend(
                f"{title}: {count} × {reason_texts.describe(code)}"
                for code, count in sorted(kinds.items())
            )
        for column, reasons in sorted(tally.blanked.items()):
            lines.extend(
                f"{column}: {count} × {reason_texts.describe(code)}, " + _("read as missing")
                for code, count in sorted(reasons.items())
            )
        lines.extend(oddity.format() for oddity in self.plausibility)
        if self.examination is not None:
            lines.extend(self.examination.as_lines())
        if self.quarantine:
            lines.append(_("Rejected rows: {path}", path=str(self.quarantine)))
        head = f"{self.file}: {' · '.join(shown)}"
        return "\n".join([head, *(f"  {line}" for line in lines)])
