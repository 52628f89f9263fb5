"""Application of changed rules of the centre once no import is running."""

from qa_core.ingest.load import recovery
from qa_core.ingest.rules import apply
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import CENTRE_RULES


def apply_due() -> int:
    """Apply requested rules, interrupted imports first; whoever changes a rule calls
    this next, or the next start does. Returns contacts changed.
    """
    store.require_ready()
    if not due_work.is_due(CENTRE_RULES):
        return 0
    with store.one_import_at_a_time():
        recovery.finish_batches()
        return apply.apply_if_due()
