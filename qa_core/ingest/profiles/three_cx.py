"""Call log of 3CX: newest first, totals below, talk time on unanswered calls."""

from collections.abc import Mapping

import pyarrow as pa

from qa_core.files.signatures import Headers
from qa_core.ingest.columns.column_inference import FileContext, RowBatch
from qa_core.ingest.profiles import contacts
from qa_core.ingest.staging.arrays import as_words
from qa_core.ingest.staging.declaration import BY_EXTERNAL_PARTY, Field, ValueType
from qa_core.ingest.staging.pseudonyms import find_outside_number
from qa_core.storage.facts.schema import Direction

FIELDS = (
    *contacts.take_fields("3cx"),
    Field("from_party", ValueType.PARTY, "caller id|from|caller"),
    Field("to_party", ValueType.PARTY, "destination|to|callee"),
)


def decide_columns(context: FileContext) -> None:
    """Decide as for any contacts; the direction follows from caller and called."""
    contacts.decide_columns(context)
    context.defaults.pop("direction", None)
    context.decisions[:] = [item for item in context.decisions if item.field != "direction"]
    context.decide("direction", BY_EXTERNAL_PARTY)


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    columns = dict(contacts.build(context, batch))
    sources = batch.read_text("from_party").to_pylist()
    callers = map(find_outside_number, sources)
    others = (
        batch.read_text("to_party").to_pylist() if context.has("to_party") else [None] * len(batch)
    )
    called = map(find_outside_number, others)
    directions, customers, extensions = [], [], []
    for caller, source, target, other in zip(callers, sources, called, others, strict=True):
        direction = Direction.OUTBOUND if target else Direction.INTERNAL
        if caller or not source or not _is_extension(source):
            direction = Direction.INBOUND
        directions.append(direction)
        customers.append(caller if direction == Direction.INBOUND else target)
        extensions.append(source if direction == Direction.OUTBOUND else other)
    outcomes = columns["outcome"].to_pylist() if "outcome" in columns else [None] * len(batch)
    columns["direction"] = as_words(directions)
    columns["customer_key"] = context.pseudonyms.find_keys(pa.array(customers, pa.string()))
    columns["advisor"] = as_words(
        extension if outcome == "answered" and not find_outside_number(extension) else None
        for extension, outcome in zip(extensions, outcomes, strict=True)
    )
    return columns


def _is_extension(text: str) -> bool:
    """Return whether a cell shows an extension: `101`, `Ext. 101`, `Marie Curie (101)`."""
    digits = "".join(letter for letter in text if letter.isdigit())
    return 2 <= len(digits) <= 5


PROFILE = contacts.derive(
    "3cx",
    FIELDS,
    Headers(("call time", "caller id", "ringing", "talking")),
    needs=(("started_at",), ("from_party",)),
    decide_columns=decide_columns,
    build=build,
)
