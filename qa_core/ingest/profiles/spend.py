"""Cost of campaigns by day."""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base.errors import Refusal
from qa_core.files.decision import NO_COLUMN
from qa_core.ingest.columns.column_inference import FileContext, RowBatch
from qa_core.ingest.staging.arrays import as_numbers, to_numpy
from qa_core.ingest.staging.declaration import Profile, ValueType, build_fields

CURRENCY, CENT = "EUR", 0.01
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}
FIELDS = build_fields(
    "spend",
    ("day last_day", ValueType.MOMENT),
    ("source medium campaign", ValueType.TEXT),
    ("amount", ValueType.NUMBER, 0),
    ("currency", ValueType.TEXT),
)


def decide_columns(context: FileContext) -> None:
    """Decide the currency where no column gives it. Raises Refusal for amounts of periods."""
    if context.has("last_day"):
        sample = context.take_sample()
        first, last = (sample.read_moment(name).day for name in ("day", "last_day"))
        if (last > first).any():
            column = context.get_header("last_day")
            raise Refusal(
                "spend_of_periods",
                "Rows hold the amount of several days, up to {column}, and would count on the "
                "first of them. Export one row per day, or leave the column aside.",
                options=(f"--map ignore={column}",),
                column=column,
            )
    if context.has("currency"):
        return
    header_currency = context.columns["amount"].header.currency
    marks = re.findall(r"[€$£]", context.evidence["amount"].example)
    currency, seen, column = CURRENCY, NO_COLUMN, ""
    if header_currency or marks:
        currency, seen = header_currency or _SIGNS[marks[0]], ""
        column = context.get_header("amount")
    context.notes["currency"] = currency
    context.decide("currency", "amounts in {currency}", seen, currency=currency, column=column)


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    day = batch.read_moment("day").day
    batch.reject(np.isnat(day), "missing_start")
    amount = batch.read_number("amount")
    batch.reject(np.isnan(amount), "missing_amount")
    columns = {"day": pa.array(day.astype("M8[D]")), "amount": as_numbers(amount)}
    columns |= batch.read_texts("source", "medium", "campaign")
    if "campaign" in columns:
        is_named = to_numpy(columns["campaign"].is_valid()).astype(bool)
        costs = np.where(np.isnat(day), 0, np.nan_to_num(amount))
        sums = [costs[rows].sum() for rows in (is_named, ~is_named)]
        context.notes["sums"] = context.notes.get("sums", np.zeros(2)) + sums
    if context.has("currency"):
        columns["currency"] = pc.fill_null(pc.utf8_upper(batch.read_text("currency")), CURRENCY)
    else:
        columns["currency"] = pa.array([context.notes["currency"]] * len(batch), pa.string())
    return columns


def finish(context: FileContext) -> None:
    """Raise Refusal where rows without a campaign are as much as all others: totals of them."""
    named, unnamed = context.notes.get("sums", (0, 0))
    if unnamed and abs(named - unnamed) < CENT and "campaign" not in context.options.columns:
        column = context.get_header("campaign")
        raise Refusal(
            "totals_among_rows",
            "Rows without a value in {column} amount to as much as all others. They are "
            "probably totals and would count twice. Remove them, or name the column if they are "
            "costs.",
            options=(f"--map campaign={column}",),
            column=column,
        )


PROFILE = Profile(
    "generic", "spend", FIELDS, (("day",), ("amount",)), decide_columns, build, finish
)
