"""Cost of campaigns by day."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base import declared
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.decision import NO_COLUMN
from qa_core.files.header_text import simplify
from qa_core.ingest.columns.column_inference import FileContext, RowBatch, refuse_totals
from qa_core.ingest.columns.header_matching import name_field
from qa_core.ingest.columns.numbers import CURRENCIES, CURRENCY_SIGNS
from qa_core.ingest.columns.numbers import CURRENCY as CURRENCY_SIGN
from qa_core.ingest.columns.table_bounds import is_footer
from qa_core.ingest.staging.arrays import as_numbers
from qa_core.ingest.staging.declaration import Profile, build_fields
from qa_core.ingest.words.tables import list_words

CURRENCY = "EUR"
_LABELS = ("source", "medium", "campaign")
MIN_MONTHS = 3
"""Different days from which on a file asks, where all are the first of a month or of a week."""
_A_DAY = re.compile(r"days?|jour|tag|dia|giorno|dag|dzien")
"""Header of a single day, whatever days of the whole report stand beside it."""
_CODE = re.compile(rf"\b(?:{CURRENCIES})\b|€|£")
_OF_ALL = list_words("of_all")
_TOTAL = re.compile(r"(?:grand |sub)?totals?\b", re.IGNORECASE)
_FACTORS: list[dict[str, Any]] = declared.read(__file__)["factors"]
"""Parts and multiples of the currency in a header."""
FIELDS = build_fields("spend")


def decide_columns(context: FileContext) -> None:
    """Decide the currency where no column gives it. Raises Refusal for amounts of periods."""
    amount = context.columns["amount"].header
    for part in _FACTORS:
        if re.search(part["pattern"], simplify(amount.text)):
            reading = context.readings["amount"]
            context.readings["amount"] = replace(reading, factor=part["factor"])
            context.decide("amount", part["message"])
    if not context.has("day"):
        raise _refuse_periods(context.get_header("period"))
    days = np.unique(context.take_sample().read_moment("day").day)
    days = days[~np.isnat(days)]
    is_monthly = (days.astype("M8[M]").astype("M8[D]") == days).all()
    is_weekly = not (np.diff(days).astype(int) % 7).any()
    if len(days) >= MIN_MONTHS and (is_monthly or is_weekly) and context.is_open("day"):
        column = context.get_header("day")
        raise _refuse_periods(column, f"--map day={column}")
    if context.has("last_day") and _A_DAY.fullmatch(simplify(context.get_header("day"))):
        context.drop_replaced("last_day", "day")
    if context.has("last_day"):
        sample = context.take_sample()
        first, last = (sample.read_moment(name).day for name in ("day", "last_day"))
        if (last > first).any():
            column = context.get_header("last_day")
            raise _refuse_periods(column, f"--map ignore={column}")
    _require_no_totals(context)
    if context.is_open("amount"):
        _require_own_amounts(context)
    if context.has("currency"):
        return
    header_currency = amount.currency
    cells = context.sample_cells(context.columns["amount"].index).unique().to_pylist()
    signs = (match[0].upper() for match in map(CURRENCY_SIGN.search, cells) if match)
    marks = sorted({CURRENCY_SIGNS.get(sign, sign) for sign in signs})
    if len(marks) > 1:
        raise context.refuse(
            "mixed_currencies",
            "{column} has several currencies. Write the currency of each row in its own column.",
            "amount",
            "--map currency=COLUMN",
        )
    currency, seen, column = CURRENCY, NO_COLUMN, ""
    above = {code for line in context.notes["beside"] for code in _CODE.findall(line)}
    if len(above) == 1 and not (header_currency or marks):
        sign = above.pop()
        currency, seen = CURRENCY_SIGNS.get(sign, sign), ""
        context.inferred.add("currency")
    elif header_currency or marks:
        currency, seen = header_currency or marks[0], ""
        column = context.get_header("amount")
    context.notes["currency"] = currency
    context.decide("currency", "amounts in {currency}", seen, currency=currency, column=column)


def _require_own_amounts(context: FileContext) -> None:
    """Raise Refusal where another column has amounts too, or all amounts count up to their day."""
    sample = context.take_sample()
    for _index, text in context.find_unused():
        if name_field(text, FIELDS) == "amount":
            raise context.refuse(
                "repeated_header",
                "{column} and {other} hold amounts. Say which counts.",
                "amount",
                "--map amount={column}",
                f"--map amount={text}",
                other=text,
            )
    labels = sample.read_texts(*_LABELS).values()
    series = [*zip(*(cells.to_pylist() for cells in labels), strict=True)] or [()] * len(sample)
    days, amounts = sample.read_moment("day").day, sample.read_number("amount")
    context.require_own("amount", series, days, [amounts])


def _require_no_totals(context: FileContext) -> None:
    """Raise Refusal where a column, used or not, says that rows are totals of others, by its words
    or by their amounts.
    """
    sample = context.take_sample()
    days, amounts = sample.read_moment("day").day, sample.read_number("amount")
    amounts = np.where(np.isnat(days), 0, amounts)
    fields = {context.columns[name].index: name for name in _LABELS if context.has(name)}
    shares = {index: context.compute_share(index, r"\pL") for index, _ in context.find_unused()}
    before: list[list[str | None]] = []
    for index in sorted((*fields, *(index for index, share in shares.items() if share))):
        name, column = fields.get(index, "ignore"), context.headers[index]
        option, values = f"--map {name}={column}", context.sample_cells(index).unique().to_pylist()
        words = [value for value in values if simplify(value) in _OF_ALL]
        if index not in fields:  # a campaign may have such a name
            words += [value for value in values if is_footer([value]) and _TOTAL.match(value)]
        is_open = index not in fields or context.is_open(name)
        if is_open and words and len(values) > len(words):
            raise refuse_totals(column, ", ".join(words[:3]), option)
        for dates in (days.tolist(), [None] * len(sample)):
            if is_open and not context.options.is_stated:
                groups = [*zip(dates, *before, strict=True)]
                context.require_no_sums(sample, index, option, groups, [amounts])
        if shares.get(index, 1) > 1 / 2:
            before.append(sample.cells[index].to_pylist())


def _refuse_periods(column: str, *options: str) -> Refusal:
    return Refusal(
        "spend_of_periods",
        N_(
            "Rows hold the amount of several days ({column}), and would count on the first of "
            "them. Export one row per day, or accept that day with the option."
        )
        if options
        else N_(
            "Rows hold the amount of a week or a month ({column}). Export one row per day, or "
            "add a column with the day on which each amount counts."
        ),
        options=options,
        column=column,
    )


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    day = batch.read_moment("day").day
    batch.reject(np.isnat(day), "missing_start")
    amount = batch.read_number("amount")
    batch.reject(np.isnan(amount), "missing_amount")
    columns = {"day": pa.array(day.astype("M8[D]")), "amount": as_numbers(amount)}
    columns |= batch.read_texts("source", "medium", "campaign")
    if context.has("currency"):
        columns["currency"] = pc.fill_null(pc.utf8_upper(batch.read_text("currency")), CURRENCY)
    else:
        columns["currency"] = pa.array([context.notes["currency"]] * len(batch), pa.string())
    return columns


PROFILE = Profile(
    "generic", "spend", FIELDS, (("day", "period"), ("amount",)), decide_columns, build
)
