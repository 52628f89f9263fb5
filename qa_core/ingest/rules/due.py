"""Changed rules of the centre: applied to everything stored once no import is under
way.
"""

from __future__ import annotations

from qa_core.ingest.load import recovery
from qa_core.ingest.rules import apply
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import CENTRE_RULES


def apply_due() -> int:
    """Apply what a changed rule requested, and finish interrupted imports first.

    Whoever changes a rule calls this next; killed in between, the next start does it.
    Returns the number of contacts that read otherwise for it.
    """
    store.require_ready()
    if not due_work.is_due(CENTRE_RULES):
        return 0
    with store.one_import_at_a_time():
        recovery.finish_batches()
        return apply.apply_if_due()
