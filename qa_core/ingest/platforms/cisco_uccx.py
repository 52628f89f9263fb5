"""Cisco UCCX real-time statistics: a wallboard at one moment, neither contacts nor intervals."""

from collections.abc import Iterator

import pyarrow as pa

from qa_core.files.sample import Sample
from qa_core.ingest.declaration import Platform
from qa_core.ingest.platforms import reader


def recognise(sample: Sample) -> bool:
    """Tell whether all objects have an id, an operation, and one named after what it counts."""
    return sample.has_keys("id", "operation") and all(
        any(name.endswith(("Stats", "Statistics")) for name in item) for item in sample.objects
    )


def read(export: reader.ExportReader) -> Iterator[pa.Table]:
    """Raise Refusal: totals since a reset, without a date, would count as something else."""
    raise export.refuse(
        "real_time_statistics",
        "{name} holds real-time statistics of Cisco UCCX: a wallboard at one moment, without "
        "a date. Export a historical report instead. Import Contact Service Queue Activity by "
        "Interval as intervals, or Contact Detail as contacts.",
        options=("import intervals", "import contacts"),
    )


PLATFORM = Platform(
    name="cisco_uccx_statistics",
    title="Cisco UCCX",
    recognise=recognise,
    schema=reader.record_schema("contact_id started_at"),
    read=read,
    fold=reader.select_all,
    mapping={},
    kinds=("contacts", "tracking", "intervals", "surveys", "spend", "advisors", "evaluations"),
)
