"""Report of an import: every row accounted for, or why the file was refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_core.base import i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.files.decision import Decision
from qa_core.ingest import reason_texts, suggested_options
from qa_core.ingest.tally import ImportTally

if TYPE_CHECKING:
    from qa_core.ingest.dry_run import Examination
    from qa_core.ingest.plausibility import Oddity


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

    @property
    def changes_figures(self) -> bool:
        """True where the import may have changed figures."""
        return not (self.is_refused or self.dry_run or self.recognised) and bool(
            self.tally.new or self.tally.updated
        )

    @property
    def is_refused(self) -> bool:
        return self.refusal is not None

    @property
    def verdict(self) -> str:
        """Tell whether the reading is `sure`, `asks` for one of the options, or is `refused`."""
        if self.refusal is None:
            return "sure"
        return "asks" if self.refusal.answers else "refused"

    def as_json(self) -> dict[str, Any]:
        """Build the object that `import --json` prints for this file."""
        if self.refusal is not None:
            error = {
                "code": self.refusal.code,
                "message": i18n.format_refusal(self.refusal),
                "options": list(self.refusal.options),
            }
            return {"file": self.file, "verdict": self.verdict, "error": error}
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
        }

    def as_text(self) -> str:
        """Format the report for a terminal, in the current language."""
        if self.refusal is not None:
            return f"{self.file}: {i18n.format_for_operator(self.refusal)}"
        tally = self.tally
        counts = (
            (_("read"), tally.read),
            (_("new"), tally.new),
            (_("updated"), tally.updated),
            (_("unchanged"), tally.unchanged),
            (_("duplicates"), tally.duplicates),
            (_("rejected"), tally.rejected),
            (_("folded"), tally.folded),
            (_("skipped"), tally.skipped),
        )
        lines = [
            f"{self.file}: "
            + " · ".join(
                f"{count} {name}" for name, count in counts if count or name == counts[0][0]
            )
        ]
        if self.recognised:
            lines.append("  " + _("This file was already imported. Nothing was changed."))
        if self.dry_run:
            lines.append("  " + _("Dry run: nothing was written."))
            lines.append(
                "  "
                + _(
                    "Read as {profile}, from the system {system}.",
                    profile=self.profile,
                    system=self.system,
                )
            )
            lines.extend(f"  {name} ← {column}" for name, column in self.mapping.items())
        for decision in self.decisions:
            texts = decision.as_json()
            evidence = f" ({texts['evidence']})" if texts["evidence"] else ""
            option = suggested_options.find_option(decision, self.kind) if self.dry_run else ""
            lines.append(
                f"  {texts['field']}: {texts['decision']}{evidence}"
                + (f" [{option}]" if option else "")
            )
        for title, kinds in (
            (_("skipped"), tally.skipped_kinds),
            (_("folded"), tally.folded_kinds),
            (_("rejected"), tally.reasons),
        ):
            lines.extend(
                f"  {title}: {count} × {reason_texts.describe(code)}"
                for code, count in sorted(kinds.items())
            )
        for column, reasons in sorted(tally.blanked.items()):
            lines.extend(
                f"  {column}: {count} × {reason_texts.describe(code)}, " + _("read as missing")
                for code, count in sorted(reasons.items())
            )
        lines.extend(f"  {oddity.format()}" for oddity in self.plausibility)
        if self.examination is not None:
            lines.extend(f"  {line}" for line in self.examination.as_lines())
        if self.quarantine:
            lines.append("  " + _("Rejected rows: {path}", path=str(self.quarantine)))
        return "\n".join(lines)
