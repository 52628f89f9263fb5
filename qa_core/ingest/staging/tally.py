"""Counts of a file's rows by their result: every row counts exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qa_core.base.i18n import N_
from qa_core.storage import lake

COUNTS = (
    N_("read"), N_("new"), N_("updated"), N_("unchanged"), N_("duplicates"), N_("rejected"),
    N_("folded"), N_("skipped"),
)  # fmt: skip
BREAKDOWNS = ("folded_kinds", "skipped_kinds", "reasons")


@dataclass
class ImportTally:
    """Rows of one file (docs/contract.md, section 4), always `read = new + updated +
    unchanged + duplicates + rejected + folded + skipped`. Each stage adds to its tally.
    """

    read: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    folded_kinds: Counter[str] = field(default_factory=Counter)
    skipped_kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    blanked: dict[str, Counter[str]] = field(default_factory=dict)
    """Values made missing in rows that were kept: column → reason → how many."""

    @property
    def rejected(self) -> int:
        return self.reasons.total()

    @property
    def folded(self) -> int:
        return self.folded_kinds.total()

    @property
    def skipped(self) -> int:
        return self.skipped_kinds.total()

    @property
    def pending(self) -> int:
        """Number of rows read that are not accounted for yet."""
        return 2 * self.read - sum(getattr(self, name) for name in COUNTS)

    def skip(self, kind: str, rows: int = 1) -> None:
        """Count rows that add nothing and are no fault."""
        if rows:
            self.skipped_kinds[kind] += int(rows)

    def fold(self, kind: str, rows: int) -> None:
        """Count rows merged into another row of the file."""
        if rows:
            self.folded_kinds[kind] += int(rows)

    def reject(self, reasons: Mapping[str, int]) -> None:
        self.reasons.update(reasons)

    def add(self, counts: lake.MergeResult) -> None:
        self.new += counts.new
        self.updated += counts.updated
        self.unchanged += counts.unchanged

    def require_identity(self, file: str, pending: int = 0) -> None:
        """Raise AccountingError unless all rows but `pending` are accounted for."""
        if self.pending != pending:
            raise AccountingError(
                f"{file}: {self.pending} rows pending instead of {pending}: {self.as_counts()}"
            )

    def as_counts(self) -> dict[str, Any]:
        """Build the counts as a batch stores them and `import --json` prints them."""
        breakdowns = {name: getattr(self, name) for name in BREAKDOWNS}
        return (
            {name: getattr(self, name) for name in COUNTS}
            | {
                name: {kind: count for kind, count in sorted(kinds.items()) if count}
                for name, kinds in breakdowns.items()
            }
            | {
                "blanked": {
                    column: dict(sorted(kinds.items()))
                    for column, kinds in sorted(self.blanked.items())
                }
            }
        )

    @staticmethod
    def from_counts(counts: Mapping[str, Any]) -> ImportTally:
        return ImportTally(
            *(counts.get(name, 0) for name in COUNTS[:5]),
            *(Counter(counts.get(name, {})) for name in BREAKDOWNS),
            {name: Counter(kinds) for name, kinds in counts.get("blanked", {}).items()},
        )


class AccountingError(Exception):
    """Rows that were lost or counted twice: a defect, so the import is not committed."""
