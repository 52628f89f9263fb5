"""What an import says afterwards: every row of the file accounted for, or why the file
was refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_core.base import i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.files.decision import Decision
from qa_core.ingest import reason_texts, suggested_options

if TYPE_CHECKING:
    from qa_core.ingest.dry_run import Examination


@dataclass
class FileReport:
    """The fate of one file (CONTRACT.md section 4); `read = new + updated + unchanged +
    duplicates + rejected + folded + skipped`.
    """

    file: str
    kind: str = ""
    system: str = ""
    profile: str = ""
    mapping: dict[str, str] = field(default_factory=dict)
    read: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    rejected: int = 0
    folded_kinds: dict[str, int] = field(default_factory=dict)
    skipped_kinds: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    quarantine: Path | None = None
    decisions: list[Decision] = field(default_factory=list)
    batch_id: str | None = None
    """Of the batch written, or of the one that had brought the same file; None in a dry
    run.
    """
    recognised: bool = False
    dry_run: bool = False
    refusal: Refusal | None = None
    dropped: tuple[str, ...] = ()
    """Columns of the file that are not kept."""
    headers: tuple[str, ...] = ()
    examination: Examination | None = None
    """What a dry run has looked at besides."""

    @property
    def folded(self) -> int:
        return sum(self.folded_kinds.values())

    @property
    def skipped(self) -> int:
        return sum(self.skipped_kinds.values())

    @property
    def brought_something(self) -> bool:
        """Whether figures may read otherwise for it."""
        return not (self.is_refused or self.dry_run or self.recognised) and bool(
            self.new or self.updated
        )

    @property
    def is_refused(self) -> bool:
        return self.refusal is not None

    def require_identity(self) -> None:
        """Raise unless every row read is accounted for exactly once."""
        accounted = (
            self.new
            + self.updated
            + self.unchanged
            + self.duplicates
            + self.rejected
            + self.folded
            + self.skipped
        )
        if accounted != self.read or self.rejected != sum(self.reasons.values()):
            raise AccountingError(
                f"{self.file}: {self.read} rows read, {accounted} accounted for: {self.as_counts()}"
            )

    def as_counts(self) -> dict[str, Any]:
        """The figures alone, as a batch keeps them."""
        names = (
            "read",
            "new",
            "updated",
            "unchanged",
            "duplicates",
            "rejected",
            "folded",
            "skipped",
            "folded_kinds",
            "skipped_kinds",
            "reasons",
        )
        return {name: getattr(self, name) for name in names}

    def take_counts(self, counts: Mapping[str, Any]) -> None:
        """Take over the figures that a batch kept."""
        for name in ("read", "new", "updated", "unchanged", "duplicates", "rejected"):
            setattr(self, name, counts.get(name, 0))
        for name in ("folded_kinds", "skipped_kinds", "reasons"):
            setattr(self, name, dict(counts.get(name, {})))

    def as_json(self) -> dict[str, Any]:
        """The object that `import --json` prints for this file."""
        if self.refusal is not None:
            error = {
                "code": self.refusal.code,
                "message": i18n.format_refusal(self.refusal),
                "options": list(self.refusal.options),
            }
            return {"file": self.file, "error": error}
        return {
            "file": self.file,
            "system": self.system,
            "profile": self.profile,
            "mapping": self.mapping,
            **self.as_counts(),
            "quarantine": str(self.quarantine) if self.quarantine else None,
            "decisions": [decision.as_json() for decision in self.decisions],
        }

    def as_text(self) -> str:
        """The same for a person at a terminal, in the language spoken."""
        if self.refusal is not None:
            hint = (
                " " + _("Try: {options}", options=" · ".join(self.refusal.options))
                if self.refusal.options
                else ""
            )
            return f"{self.file}: {i18n.format_refusal(self.refusal)}{hint}"
        counted = (
            (_("read"), self.read),
            (_("new"), self.new),
            (_("updated"), self.updated),
            (_("unchanged"), self.unchanged),
            (_("duplicates"), self.duplicates),
            (_("rejected"), self.rejected),
            (_("folded"), self.folded),
            (_("skipped"), self.skipped),
        )
        lines = [
            f"{self.file}: "
            + " · ".join(
                f"{count} {name}" for name, count in counted if count or name == counted[0][0]
            )
        ]
        if self.recognised:
            lines.append("  " + _("This file had been imported before; nothing was changed."))
        if self.dry_run:
            lines.append("  " + _("Dry run: nothing was written."))
            lines.append(
                "  "
                + _(
                    "Read as {profile}, of the system {system}.",
                    profile=self.profile,
                    system=self.system,
                )
            )
            lines.extend(f"  {name} ← {column}" for name, column in self.mapping.items())
        for decision in self.decisions:
            said = decision.as_json()
            evidence = f" ({said['evidence']})" if said["evidence"] else ""
            option = suggested_options.find_option(decision, self.kind) if self.dry_run else ""
            lines.append(
                f"  {said['field']}: {said['decision']}{evidence}"
                + (f" [{option}]" if option else "")
            )
        for title, kinds in (
            (_("skipped"), self.skipped_kinds),
            (_("folded"), self.folded_kinds),
            (_("rejected"), self.reasons),
        ):
            lines.extend(
                f"  {title}: {count} × {reason_texts.describe(code)}"
                for code, count in sorted(kinds.items())
            )
        if self.examination is not None:
            lines.extend(f"  {line}" for line in self.examination.as_lines())
        if self.quarantine:
            lines.append("  " + _("The rejected rows stand in {path}", path=str(self.quarantine)))
        return "\n".join(lines)


class AccountingError(Exception):
    """Rows of a file were lost or counted twice: a defect of the import, which
    therefore is not committed.
    """
