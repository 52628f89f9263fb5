"""Cisco UCCX real-time statistics: a wallboard at one moment, neither contacts nor intervals."""

from collections.abc import Iterator

import pyarrow as pa

from qa_core.files.signatures import Keys
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.reader import ExportReader


def read(export: ExportReader) -> Iterator[pa.Table]:
    """Raise Refusal: totals since a reset, without a date, would count as something else."""
    raise export.refuse(
        "real_time_statistics",
        "{name} holds real-time statistics of {platform}, without a date. Import the historical "
        "reports Contact Service Queue Activity by Interval as intervals, or Contact Detail as "
        "contacts.",
        options=("import intervals", "import contacts"),
    )


PLATFORM = Platform(
    name="cisco_uccx_statistics",
    title="Cisco UCCX",
    signatures=(Keys(("id", "operation"), endings=("Stats", "Statistics")),),
    fields={},
    read=read,
    kinds=("contacts", "tracking", "intervals", "surveys", "spend", "advisors", "evaluations"),
)
