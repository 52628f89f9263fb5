"""Parquet file on the standard input, its rows out as lines of JSON, in a process with
limits. Imports nothing of the project. Argument: the number of rows at once. Writes the
rows, of text and nested as in the file; ends with 3 for one that needs too much memory.
"""

import datetime
import json
import resource
import sys

MEMORY = 2 * 1024**3
CPU_SECONDS = 600


def as_plain(value):
    if isinstance(value, dict):
        return {name: as_plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(part) for part in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def main(rows_at_once):
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(sys.stdin.buffer, memory_map=False)
        for batch in file.iter_batches(int(rows_at_once), use_threads=False):
            for row in batch.to_pylist():
                sys.stdout.write(json.dumps(as_plain(row)) + "\n")
    except (MemoryError, pa.ArrowMemoryError):
        sys.exit(3)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main(*sys.argv[1:2])
    sys.stdout.flush()
