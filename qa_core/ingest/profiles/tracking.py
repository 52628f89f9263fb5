"""Call-tracking exports: which campaign, source or number brought a contact."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from qa_core.ingest.chunks import Chunk, Context, as_moments
from qa_core.ingest.profiles import Field, Profile, Reads, contact_fields
from qa_core.ingest.profiles.starts import build_start, say_clock_changes, settle_start

_FROM_CONTACTS = ("contact_id", "started_at", "date", "time", "tracking_number", "source", "medium", "campaign", "keyword", "landing_page")
_TEXTS = ("contact_id", "tracking_number", "source", "medium", "campaign", "keyword", "landing_page")

FIELDS = (
    *(field for field in contact_fields.FIELDS if field.name in _FROM_CONTACTS),
    Field(
        "customer",
        Reads.CUSTOMER,
        "customer phone number|caller number|caller id|caller phone|telephone client|numero appelant|appelant|phone|telephone|from|customer|ani",
    ),
)


def settle(context: Context) -> None:
    """A start is needed only where contacts are not named."""
    if context.has("started_at") or context.has("date"):
        settle_start(context)


def build(context: Context, chunk: Chunk) -> Mapping[str, pa.Array]:
    """One chunk of rows → tracking."""
    columns = {name: chunk.text(name) for name in _TEXTS if context.has(name)}
    named = columns["contact_id"].is_valid().to_numpy(zero_copy_only=False) if "contact_id" in columns else np.zeros(len(chunk), bool)
    by_number = np.zeros(len(chunk), bool)
    if "start" in context.notes:
        own, utc, local = build_start(context, chunk)
        columns |= {"started_at": as_moments(utc), "local_start": as_moments(local)}
        if "tracking_number" in columns:
            by_number = ~np.isnat(own) & columns["tracking_number"].is_valid().to_numpy(zero_copy_only=False)
    chunk.reject(~named & ~by_number, "missing_key")
    if context.has("customer"):
        columns["customer_key"] = chunk.customer("customer")
    return columns


PROFILE = Profile("generic", "tracking", FIELDS, (("contact_id", "tracking_number"),), settle, build, say_clock_changes)
