"""Statements on what imports keep beside the facts: pending rows and before-images."""

import sqlalchemy as sa

from qa_core.storage.facts.guard import Unscoped


def unscoped_import_rows(statement: sa.Select) -> Unscoped:
    """Exempt a statement on pending rows or before-images from the viewer's scope."""
    return Unscoped(
        statement,
        "Rows of a file wait for their contacts, and are undone, by their keys. A file belongs "
        "to no scope, and no person sees the rows.",
    )
