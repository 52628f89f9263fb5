"""Files of other tools become facts: read, understood, checked, joined, and undone
again when that was a mistake.
"""

from qa_core.ingest.load.batches import find_batches
from qa_core.ingest.load.erasure import ErasureCounts, erase_customer
from qa_core.ingest.pipeline import resume, run, run_upload, undo
