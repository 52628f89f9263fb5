"""Telephone selling: what a file says of its outbound calls, and whether they were made
within the hours of the Code de la consommation (D. 223-9), on the consumer's clock.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base import environment
from qa_core.files.header_text import simplify
from qa_core.ingest.staging.arrays import map_texts
from qa_core.ingest.staging.pseudonyms import find_number
from qa_core.ingest.words.tables import index_words

HOURS = (*range(10, 13), *range(14, 20))
"""Hours that a call may begin in, Monday to Friday."""
WORDS = {
    "purpose_of_call": index_words("call_purposes", str),
    "prior_consent": index_words("consents", str),
}
UNKNOWN_ZONE = "Etc/Unknown"


def build_selling(columns: Mapping[str, pa.Array], numbers: pa.Array) -> dict[str, pa.Array]:
    """Build the columns on selling, and the hours of a file that says what its calls are for.
    `numbers`: of the consumers, whose prefix gives the time zone where the file does not.
    """
    selling = {
        name: map_texts(lambda text, words=words: words.get(simplify(text)), columns[name])
        for name, words in WORDS.items()
        if name in columns
    }
    given = columns.get("customer_zone")
    if given is not None:
        known = available_timezones()
        given = map_texts(lambda text: text if text in known else None, given)
        selling["customer_zone"] = given
    if "purpose_of_call" not in columns:
        return selling
    country = environment.current().country
    zones = map_texts(lambda text: _find_zone(text, country), numbers)
    zones = zones if given is None else pc.coalesce(given, zones)
    # Without a time of day it is not known whether a call was inside the hours.
    has_time = pc.is_null(columns["time_missing"])
    moments = pc.if_else(has_time, columns["started_at"], None).to_pylist()
    outside = [
        moment and is_outside_hours(moment, zone)
        for moment, zone in zip(moments, zones.to_pylist(), strict=True)
    ]
    return {
        **selling,
        "customer_zone": zones,
        "outside_sales_hours": pa.array(outside, pa.bool_()),
    }


def is_outside_hours(moment: datetime, zone: str | None) -> bool:
    """Return whether a call at that moment (UTC) is outside the hours for selling. A consumer
    whose zone is not known has the centre's.
    """
    clock = ZoneInfo(zone) if zone else environment.current().zone
    local = moment.replace(tzinfo=UTC).astimezone(clock)
    return local.weekday() > 4 or local.hour not in HOURS or local.date() in _list_holidays()


@cache
def _list_holidays() -> Mapping[datetime, str]:
    import holidays

    return holidays.country_holidays("FR")


def _find_zone(text: str, country: str) -> str | None:
    from phonenumbers import timezone

    number = find_number(text, country)
    parsed = phonenumbers.parse(number) if number else None
    zones = timezone.time_zones_for_geographical_number(parsed) if parsed else ()
    return zones[0] if len(zones) == 1 and zones[0] != UNKNOWN_ZONE else None
