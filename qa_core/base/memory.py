"""Memory of the process."""

import pyarrow as pa


def give_back() -> None:
    """Give memory that is free back to the machine; else up to 100 MB stay with the process."""
    pa.system_memory_pool().release_unused()
