"""What imports keep beside the facts: rows that wait for their contact, and how records
were before a batch changed them.
"""

from __future__ import annotations

import sqlalchemy as sa

from qa_core.storage.guard import Unscoped


def of_files(statement: sa.Select) -> Unscoped:
    """A statement on the waiting rows and the before-images of imports."""
    return Unscoped(
        statement,
        "Rows of files wait for their contacts, and are undone, by their keys alone: no person "
        "sees them, and no scope divides what a file brought.",
    )
