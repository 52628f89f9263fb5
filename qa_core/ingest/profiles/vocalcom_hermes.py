"""Calls of Vocalcom Hermes: flags for the outcome, NULL written out, last agents and queues."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from qa_core.files.signatures import Headers
from qa_core.ingest.columns.column_inference import FileContext, RowBatch
from qa_core.ingest.profiles import contacts
from qa_core.ingest.staging.arrays import as_numbers, as_words, to_numpy
from qa_core.ingest.staging.declaration import Field, ValueType
from qa_core.storage.facts.schema import Outcome

_FLAGS = (
    ("closed", Outcome.CLOSED),
    ("overflow", Outcome.OVERFLOW),
    ("no_agent", Outcome.UNANSWERED),
)
FIELDS = (
    *contacts.take_fields("vocalcom_hermes"),
    Field("closed", ValueType.BOOLEAN, "close|is closed"),
    Field("overflow", ValueType.BOOLEAN, "overflowed"),
    Field("no_agent", ValueType.BOOLEAN, "noagent"),
    Field("first_agent", ValueType.TEXT, ""),
)


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    """Build contacts; one that is not abandoned is answered only if somebody spoke with it."""
    columns = dict(contacts.build(context, batch))
    outcome = np.array(
        columns["outcome"].to_pylist() if "outcome" in columns else [None] * len(batch), object
    )
    spoke = np.zeros(len(batch), bool)
    if context.has("talk_seconds"):
        spoke |= np.nan_to_num(batch.read_number("talk_seconds")) > 0
    elif "advisor" in columns:
        spoke |= to_numpy(columns["advisor"].is_valid())
    silent = (outcome == Outcome.ANSWERED) & ~spoke
    outcome[silent] = Outcome.UNANSWERED
    for name, meaning in reversed(_FLAGS):
        if context.has(name):
            is_set = batch.read_word(name) == True  # noqa: E712 (element by element)
            outcome[~spoke & is_set & (outcome != Outcome.ABANDONED)] = meaning
    columns["outcome"] = as_words(outcome)
    if "talk_seconds" in columns:
        talk = to_numpy(columns["talk_seconds"])
        columns["talk_seconds"] = as_numbers(np.where(spoke, talk, np.nan))
    return columns


PROFILE = contacts.derive(
    "vocalcom_hermes",
    FIELDS,
    Headers(("ani", "wait duration", "conv duration", "abandon")),
    needs=(("started_at", "date"),),
    build=build,
    date_order="dmy",
)
