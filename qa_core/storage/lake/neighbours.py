"""Neighbours of a contact: the time until, and since, the other contacts of the same
customer.

Contacts of one customer are ordered by start, then by key, so that the order of imports
never matters.
"""

from qa_core.storage.facts.schema import CONTACT_KEY, NEIGHBOUR_DAYS, NEIGHBOURS

INPUTS = ("customer_key", "started_at", "direction", "reason", "outcome")
"""Columns that neighbours depend on; a change to any other column leaves them as they are."""

REACH = f"INTERVAL {NEIGHBOUR_DAYS} DAY"

_ORDER = "ORDER BY started_at, " + ", ".join(CONTACT_KEY)
_AFTER = f"{_ORDER} ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING"
_BEFORE = f"{_ORDER} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"


def select_neighbours(events: str) -> str:
    """Write a SELECT of the rows of `events` with their neighbours in seconds, null
    beyond 31 days.

    `events` names a relation with the key and `INPUTS`, holding every contact of the
    customers concerned; its other columns pass through. Reasons match when equal or
    when either is missing. Contacts without direction count as inbound.
    """
    to_next = _within(
        "next_any",
        "least(next_same, next_without)",
        "date_diff('microsecond', started_at, {found})",
    )
    since_previous = _within(
        "previous_any",
        "greatest(previous_same, previous_without)",
        "date_diff('microsecond', {found}, started_at)",
    )
    return f"""
        SELECT * EXCLUDE (next_any, next_without, next_same, previous_any, previous_without,
            previous_same, reached_any, is_inbound, is_answered),
            {to_next} AS {NEIGHBOURS[0]},
            {since_previous} AS {NEIGHBOURS[1]},
            CASE WHEN reached_any <= started_at + {REACH} THEN date_diff('microsecond', started_at,
                reached_any) / 1000000.0 END AS {NEIGHBOURS[2]}
        FROM (
            SELECT *,
                min(started_at) FILTER (WHERE is_inbound) OVER after_any AS next_any,
                min(started_at) FILTER (WHERE is_inbound AND reason IS NULL) OVER after_any AS
                    next_without,
                min(started_at) FILTER (WHERE is_inbound) OVER after_same AS next_same,
                max(started_at) FILTER (WHERE is_inbound AND is_answered) OVER before_any AS
                    previous_any,
                max(started_at) FILTER (WHERE is_inbound AND is_answered
                    AND reason IS NULL) OVER before_any AS previous_without,
                max(started_at) FILTER (WHERE is_inbound AND is_answered) OVER before_same AS
                    previous_same,
                min(started_at) FILTER (WHERE is_answered AND coalesce(direction,
                    'inbound') <> 'internal') OVER after_any AS reached_any
            FROM (
                SELECT *, coalesce(direction, 'inbound') = 'inbound' AS is_inbound,
                    coalesce(outcome = 'answered', false) AS is_answered FROM {events}
            )
            WINDOW
                after_any AS (PARTITION BY customer_key {_AFTER}),
                before_any AS (PARTITION BY customer_key {_BEFORE}),
                after_same AS (PARTITION BY customer_key, reason {_AFTER}),
                before_same AS (PARTITION BY customer_key, reason {_BEFORE})
        )"""


def _within(any_reason: str, matching: str, distance: str) -> str:
    time = f"CASE WHEN reason IS NULL THEN {any_reason} ELSE {matching} END"
    seconds = f"{distance.format(found=time)} / 1000000.0"
    return f"CASE WHEN {seconds} <= {NEIGHBOUR_DAYS} * 86400 THEN {seconds} END"
