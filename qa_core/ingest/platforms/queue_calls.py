"""Folding of a queue_log's events into calls, as their callers experienced them."""

from qa_core.ingest.platforms.reader import ExportReader, FoldSession

ENTRY, CONNECT = "ENTERQUEUE", "CONNECT"
COMPLETED = ("COMPLETEAGENT", "COMPLETECALLER")
TRANSFERS = ("BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER")
EXITS = {
    "ABANDON": "abandoned",
    "EXITWITHTIMEOUT": "timeout",
    "EXITEMPTY": "overflow",  # no agent is left in the queue, the dial plan sends the caller on
    "EXITWITHKEY": "overflow",  # the caller chose to leave the queue for something else
    "AGENTDUMP": "failed",
    "SYSCOMPAT": "failed",
}
"""Events that end the wait without an answer, and what a contact that ends so is."""

_EXITS = ", ".join(f"'{event}'" for event in EXITS)
_ANSWERS = ", ".join(f"'{event}'" for event in (CONNECT, *COMPLETED, *TRANSFERS))
_CLOSINGS = ", ".join(f"'{event}'" for event in (*COMPLETED, *TRANSFERS))
_TRANSFERS = ", ".join(f"'{event}'" for event in TRANSFERS)
_OUTCOMES = " ".join(f"WHEN '{event}' THEN '{outcome}'" for event, outcome in EXITS.items())


def fold(session: FoldSession) -> str:
    """Fold the events of each call. The wait lasts until the first answer, in all
    queues; the talk of all agents is added up. Most calls enter one queue, are answered
    once at most and end once: they are summed up directly, only the others event by
    event.
    """
    connection = session.connection
    _order_events(session)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE calls AS {_CALLS}")
    loose = session.counts(
        "SELECT lower(event), count(*) FROM events SEMI JOIN (SELECT callid FROM calls WHERE "
        "NOT is_call) USING (callid) GROUP BY 1"
    )
    for kind, rows in loose.items():
        session.export.tally.skip(f"{kind}_without_call", rows)
    connection.execute("DELETE FROM calls WHERE NOT is_call")
    kinds = session.counts("SELECT lower(event), count(*) FROM events GROUP BY 1")
    first = session.counts("SELECT lower(first_event), count(*) FROM calls GROUP BY 1")
    for kind, rows in kinds.items():
        session.export.tally.fold(kind, rows - first.get(kind, 0) - loose.get(kind, 0))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE whole AS {_SIMPLE}")
    if session.count("SELECT count(*) FROM calls WHERE NOT is_simple"):
        connection.execute(f"INSERT INTO whole BY NAME {_WHOLE}")
    _count_gaps(session)
    return (
        "SELECT line, callid AS contact_id, started_at, 'inbound' AS direction, queue, "
        "customer_key, agent AS advisor, outcome, wait_seconds, talk_seconds, "
        "transfers, did AS tracking_number FROM whole"
    )


def _order_events(session: FoldSession) -> None:
    """Create `events` with the `place` of each in time; a repeated one counts once."""
    whole = "callid, moment, event, queue, agent, wait, talk, did"
    is_ordered = session.export.notes.get("in_order", True)
    place = "line" if is_ordered else "row_number() OVER (ORDER BY moment, line)"
    events = f"CREATE OR REPLACE TEMP VIEW events AS SELECT *, {place} AS place FROM"
    repeated = session.count(f"SELECT count(*) - count(DISTINCT hash({whole})) FROM records")
    if not repeated:
        session.connection.execute(f"{events} records")
        return
    session.connection.execute("DROP VIEW IF EXISTS events; DROP TABLE IF EXISTS once")
    session.connection.execute(
        "CREATE TEMP TABLE once AS SELECT * EXCLUDE (copy) "
        f"FROM (SELECT *, row_number() OVER (PARTITION BY {whole} ORDER BY line) AS copy FROM "
        "records) WHERE copy = 1"
    )
    dropped = "SELECT (SELECT count(*) FROM records) - (SELECT count(*) FROM once)"
    session.export.tally.fold("repeated_event", session.count(dropped))
    session.connection.execute(f"{events} once")


_CALLS = f"""
    SELECT *, is_call AND opening = '{ENTRY}' AND entries = 1 AND connects <= 1
        AND closings <= connects AND connects + exits <= 1 AS is_simple
    FROM (
        SELECT callid, arg_min(line, place) AS line, arg_min(event, place) AS first_event,
            arg_min(event, place) FILTER (event NOT IN ('DID', 'RINGNOANSWER',
                'RINGCANCELED')) AS opening,
            min(place) FILTER (event IN ({_ANSWERS})) AS answered_place,
            bool_or(event = '{ENTRY}' OR event IN ({_ANSWERS}) OR event IN ({_EXITS})) AS is_call,
            count(*) FILTER (event = '{ENTRY}') AS entries, count(*) FILTER (event = '{CONNECT}') AS
                connects,
            count(*) FILTER (event IN ({_CLOSINGS})) AS closings,
                count(*) FILTER (event IN ({_EXITS})) AS exits,
            count(*) FILTER (event IN ({_TRANSFERS})) AS transfers,
            min(moment) FILTER (event = '{ENTRY}') AS entered_at,
                max(moment) FILTER (event = '{CONNECT}' OR event IN ({_EXITS})) AS left_at,
            any_value(wait) FILTER (event = '{CONNECT}' OR event IN ({_EXITS})) AS waited,
            any_value(talk) FILTER (event IN ({_CLOSINGS})) AS talked,
            any_value(event) FILTER (event IN ({_EXITS})) AS exit,
            arg_min(customer_key, place) AS customer_key, arg_min(did, place) AS did,
            arg_max(agent, place) FILTER (event IN ({_ANSWERS}) AND agent IS NOT NULL) AS agent,
            coalesce(arg_max(queue, place) FILTER (event IN ({_ANSWERS}) AND queue IS NOT NULL),
                arg_max(queue, place) FILTER (queue IS NOT NULL AND event <> 'DID')) AS queue
        FROM events GROUP BY callid
    )"""

_SIMPLE = f"""
    SELECT line, callid, entered_at AS started_at, queue, customer_key, agent, did, opening,
        CASE WHEN connects = 1 THEN 'answered' ELSE CASE exit {_OUTCOMES}
            ELSE 'unanswered' END END AS outcome,
        coalesce(waited, CASE WHEN left_at IS NOT NULL THEN greatest(0, date_diff('microsecond',
            entered_at, left_at) / 1e6) END) AS wait_seconds,
        CASE WHEN connects = 1 THEN talked END AS talk_seconds,
        CASE WHEN connects = 1 THEN CAST(transfers AS INTEGER) END AS transfers,
        connects = 1 AND talked IS NULL AS is_open
    FROM calls WHERE is_simple"""

_WHOLE = f"""
    WITH numbered AS (
        SELECT e.*, c.opening, c.answered_place, sum(CASE WHEN event = '{CONNECT}' THEN 1
            ELSE 0 END) OVER (PARTITION BY callid ORDER BY e.place) AS leg
        FROM events e JOIN calls c USING (callid) WHERE NOT c.is_simple
    ),
    legs AS (
        SELECT callid, leg, bool_or(event IN ({_ANSWERS})) AS is_answered,
            max(talk) FILTER (event IN ({_CLOSINGS})) AS talk,
            max(CASE WHEN event IN ({_TRANSFERS}) THEN 1 ELSE 0 END) AS transfers
        FROM numbered GROUP BY callid, leg
    ),
    talks AS (
        SELECT callid, CASE WHEN bool_and(talk IS NOT NULL) FILTER (is_answered)
            THEN sum(talk) END AS talk_seconds, sum(transfers) AS transfers,
            bool_or(is_answered) AS is_answered
        FROM legs GROUP BY callid
    ),
    waits AS (
        SELECT callid,
            CASE WHEN any_value(opening) = '{ENTRY}' THEN min(moment) FILTER (event = '{ENTRY}')
                ELSE min(CASE WHEN event = '{ENTRY}' THEN moment WHEN event IN ({_ANSWERS},
                    {_EXITS})
                    THEN moment - to_microseconds(CAST(1000000 * (coalesce(wait, 0) + coalesce(talk,
                        0)) AS BIGINT)) END)
            END AS started_at,
            count(*) FILTER (event = '{ENTRY}' AND place < coalesce(answered_place,
                9223372036854775807)) AS entries,
            count(wait) FILTER (is_end) AS known, sum(wait) FILTER (is_end) AS waited,
                max(moment) FILTER (is_end) AS waited_until,
            arg_max(event, place) FILTER (event = '{ENTRY}' OR event IN ({_EXITS})) AS last_step
        FROM (SELECT *, (event IN ({_EXITS}) AND place < coalesce(answered_place,
            9223372036854775807)) OR place = answered_place AS is_end FROM numbered)
        GROUP BY callid
    )
    SELECT c.line, callid, w.started_at, c.queue, c.customer_key, c.agent, c.did,
        CASE WHEN t.is_answered THEN 'answered' ELSE CASE w.last_step {_OUTCOMES}
            ELSE 'unanswered' END END AS outcome,
        CASE WHEN w.entries <= 1 AND w.known = 1 OR w.known = w.entries THEN w.waited
            WHEN t.is_answered OR w.last_step <> '{ENTRY}' THEN greatest(0, date_diff('microsecond',
                w.started_at, w.waited_until) / 1e6) END AS wait_seconds,
        CASE WHEN t.is_answered THEN t.talk_seconds END AS talk_seconds,
        CASE WHEN t.is_answered THEN CAST(t.transfers AS INTEGER) END AS transfers,
        c.opening, t.talk_seconds IS NULL AND t.is_answered AS is_open
    FROM calls c JOIN talks t USING (callid) JOIN waits w USING (callid)"""


def _count_gaps(session: FoldSession) -> None:
    """Add up over the parts of the file what could only be reconstructed, for `finish`."""
    notes = session.export.notes.setdefault("queue_log", [0, 0, 0])
    row = session.connection.execute(
        "SELECT count(*) FILTER (outcome = 'unanswered'), count(*) FILTER (is_open), count(*) "
        f"FILTER (opening <> '{ENTRY}') FROM whole"
    ).fetchall()[0]
    notes[:] = [before + int(found) for before, found in zip(notes, row, strict=True)]


def finish(export: ExportReader) -> None:
    said = ", ".join(f"{event} → {outcome}" for event, outcome in EXITS.items())
    export.decide(
        "outcome",
        "answered if an advisor was connected, else by how the caller left the queue: {said}",
        said=said,
    )
    unclosed, talking, headless = export.notes["queue_log"]
    if unclosed:
        export.decide(
            "outcome",
            "unanswered, because the log does not say how they ended",
            "{count} calls that entered a queue and did not leave it",
            count=unclosed,
        )
    if talking:
        export.decide(
            "talk_seconds",
            "missing where the end of a conversation is missing",
            "{count} answered calls without an end",
            count=talking,
        )
    if headless:
        export.decide(
            "started_at",
            "computed from durations, because the log begins after these calls arrived",
            "{count} calls",
            count=headless,
        )
