"""Exports of the demo centre's tools: the contacts of three systems as files would give
them, gaps included.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base import environment
from qa_core.cli.demo.contacts import (
    ANSWERED,
    CHANNELS,
    FAILED,
    INBOUND,
    INTERNAL,
    OUTCOMES,
    PHONE,
    REASONS,
    UNANSWERED,
    WITHHELD,
    Wave,
)
from qa_core.cli.demo.plan import DemoPlan
from qa_core.cli.demo.staff import QUEUES, Staff
from qa_core.ingest.pseudonyms import Pseudonyms

SYSTEMS = ("telephony", "messaging", "helpdesk")
SYSTEM_OF_CHANNEL = np.array([0, 2, 1, 1, 2])
DIRECTIONS = ("inbound", "outbound", "internal")
PURPOSES = ("quality", "training", "evaluation")
RECORDED_SHARE = 0.085
"""Share of answered calls that are recorded: about one in twelve (docs/compliance.md, R2)."""


class Extracts:
    """Contacts with their ids, and what was noted about each; `tables` are the exports
    of the three systems.
    """

    def __init__(self, plan: DemoPlan, staff: Staff, wave: Wave) -> None:
        self.plan, self.staff, self.wave = plan, staff, wave
        self.chance = plan.chance("extracts")
        self.system = SYSTEM_OF_CHANNEL[wave.channel]
        self.ids = _number_by_system(self.system)
        self.answered = wave.outcome == ANSWERED
        self.inbound = wave.direction == INBOUND
        self._record()

    def _record(self) -> None:
        """Draw who is recorded: some answered calls, after the notice, without an objection."""
        chance, size = self.chance, len(self.wave)
        phone = self.answered & (self.wave.channel == PHONE) & (self.wave.direction != INTERNAL)
        self.may_be_recorded = phone
        chosen = phone & (chance.random(size) < RECORDED_SHARE)
        self.notice = np.where(self.inbound, chance.random(size) < 0.992, chance.random(size) < 0.9)
        self.objected = chosen & self.notice & (chance.random(size) < 0.014)
        self.stopped = chosen & (chance.random(size) < 0.006)
        # Staff representatives may call from a line that is never recorded.
        self.private = phone & (chance.random(size) < 0.002)
        self.recorded = chosen & self.notice & ~self.objected & ~self.stopped & ~self.private
        self.purpose = chance.choice(len(PURPOSES), size, p=[0.55, 0.25, 0.2])

    def customer_keys(self) -> pa.Array:
        """Compute the pseudonym of each customer; null for withheld numbers and unknown writers."""
        known = np.unique(self.wave.customer[self.wave.customer != WITHHELD])
        keys = Pseudonyms.current().find_keys(
            pa.array(
                [f"demo customer {self.plan.seed}-{customer}" for customer in known], pa.string()
            )
        )
        return pick(
            keys, np.searchsorted(known, self.wave.customer), self.wave.customer != WITHHELD
        )

    def tables(self, tracking_number: pa.Array) -> dict[str, pa.Table]:
        """Build one export per system. The telephony knows the number that was called,
        and advisors by their extension.
        """
        wave, chance, size = self.wave, self.chance, len(self.wave)
        # The reason is entered by whoever answers, and not always; the declaration
        # likewise, and on the bright side.
        reason_known = self.answered & (chance.random(size) > 0.06) | (chance.random(size) < 0.04)
        bright = np.where(
            wave.resolved, 0.97, 0.62 + self.staff.declares[np.maximum(wave.advisor, 0)]
        )
        declared, declares = (
            chance.random(size) < bright,
            self.answered & (chance.random(size) > 0.08),
        )
        # An advisor stands on a missed contact only where a call-back rang in vain.
        advised = self.answered | np.isin(wave.outcome, (UNANSWERED, FAILED)) & ~self.inbound
        names = {
            "telephony": self.staff.extensions,
            "messaging": self.staff.logins,
            "helpdesk": self.staff.ids,
        }
        moments = to_utc(wave.at)
        columns = {
            "contact_id": self.ids,
            "started_at": moments,
            "local_start": to_wall_clock(moments),
            "direction": pick(pa.array(DIRECTIONS), wave.direction),
            "channel": pick(pa.array(CHANNELS), wave.channel),
            "queue": pick(pa.array(QUEUES), wave.queue, wave.direction != INTERNAL),
            "reason": pick(
                pa.array([reason.name for reason in REASONS]),
                wave.reason,
                reason_known & (wave.direction != INTERNAL),
            ),
            "customer_key": self.customer_keys(),
            "outcome": pick(pa.array(OUTCOMES), wave.outcome),
            "wait_seconds": number(wave.wait),
            "talk_seconds": number(wave.talk),
            "declared_resolved": flag(declared, declares & self.inbound),
        }
        of_telephony = {
            "hold_seconds": number(wave.hold),
            "wrap_seconds": number(wave.wrap),
            "transfers": pa.array(wave.transfers, pa.int32(), mask=~self.answered),
            "tracking_number": tracking_number,
            "recorded": flag(self.recorded, self.may_be_recorded),
            "notice_played": flag(self.notice, self.may_be_recorded),
            "customer_objected": flag(self.objected, self.may_be_recorded & self.notice),
            "stopped_by_advisor": flag(self.stopped, self.may_be_recorded),
            "private_line": flag(self.private, self.may_be_recorded),
            "recording_purpose": pick(pa.array(PURPOSES), self.purpose, self.recorded),
        }
        more = {
            "telephony": of_telephony,
            "messaging": {name: of_telephony[name] for name in ("wrap_seconds", "transfers")},
            "helpdesk": {},
        }
        found = {}
        for position, system in enumerate(SYSTEMS):
            rows = pa.array(np.nonzero(self.system == position)[0])
            advisor = pick(pa.array(names[system]), np.maximum(wave.advisor, 0), advised)
            found[system] = pa.table({**columns, **more[system], "advisor": advisor}).take(rows)
        return found


def pick(values: pa.Array, positions: np.ndarray, known: np.ndarray | None = None) -> pa.Array:
    """Pick the values at these positions, as text; null where unknown."""
    return values.take(pa.array(positions, pa.int32(), mask=None if known is None else ~known))


def number(values: np.ndarray) -> pa.Array:
    """Convert to numbers, NaN as null."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def flag(values: np.ndarray, known: np.ndarray) -> pa.Array:
    return pa.array(values.astype(bool), pa.bool_(), mask=~known)


def to_utc(wall_clock: np.ndarray) -> pa.Array:
    """Convert the centre's clock to UTC without zone; March's missing hour is the one after."""
    aware = pc.assume_timezone(
        pa.array(wall_clock.astype("datetime64[us]")),
        environment.current().timezone,
        ambiguous="earliest",
        nonexistent="latest",
    )
    return aware.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us"))


def to_wall_clock(utc: pa.Array) -> pa.Array:
    return pc.local_timestamp(
        pc.assume_timezone(utc, "UTC").cast(pa.timestamp("us", tz=environment.current().timezone))
    )


def _number_by_system(system: np.ndarray) -> pa.Array:
    """Number the contacts as each tool does, in order of time."""
    ids = np.empty(len(system), dtype=object)
    for position, name in enumerate(SYSTEMS):
        rows = np.nonzero(system == position)[0]
        ids[rows] = [f"{name[0].upper()}{count:07d}" for count in range(1, len(rows) + 1)]
    return pa.array(ids, pa.string())
