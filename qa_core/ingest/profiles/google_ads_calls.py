"""Call details of Google Ads: contacts that an advert brought, without their numbers."""

from collections.abc import Mapping

import pyarrow as pa

from qa_core.files.decision import VALUE
from qa_core.files.signatures import Headers
from qa_core.ingest.columns.column_inference import FileContext, RowBatch
from qa_core.ingest.profiles import contacts

SOURCE, MEDIUM = "google", "cpc"
FIELDS = contacts.take_fields("google_ads_calls")


def decide_columns(context: FileContext) -> None:
    contacts.decide_columns(context)
    context.decide("source", VALUE, "Google Ads", value=f"{SOURCE} / {MEDIUM}")


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    source, medium = (pa.repeat(value, len(batch)) for value in (SOURCE, MEDIUM))
    return {**contacts.build(context, batch), "source": source, "medium": medium}


PROFILE = contacts.derive(
    "google_ads_calls",
    FIELDS,
    Headers(("start time", "duration", "caller country code", "status")),
    needs=(("started_at",),),
    decide_columns=decide_columns,
    build=build,
)
