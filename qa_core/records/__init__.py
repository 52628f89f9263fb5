"""Everything small that changes row by row. Both files of tables are loaded together: they refer to each other."""

from qa_core.records import listening, model

__all__ = ["listening", "model"]
