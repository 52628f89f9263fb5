"""Import of files from other tools: reading, checking, matching, loading, undoing."""

from qa_core.ingest.load.batches import find_batches
from qa_core.ingest.pipeline import resume, run, run_upload, undo
