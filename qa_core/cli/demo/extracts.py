"""Exports of the demo centre's three systems, with the gaps of real files."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base import environment
from qa_core.cli.demo import contacts
from qa_core.cli.demo.staff import QUEUES, Staff
from qa_core.cli.demo.story import STORY, DemoPlan
from qa_core.ingest.staging.pseudonyms import Pseudonyms

SYSTEMS = ("telephony", "messaging", "helpdesk")
SYSTEM_OF_CHANNEL = np.array([SYSTEMS.index(channel.system) for channel in STORY.channels], np.int8)
DIRECTIONS = ("inbound", "outbound", "internal")
PURPOSES = ("quality", "training", "evaluation")
HANDLERS = pa.array(["person", "machine", "machine_then_person"])
SLICE = 500_000
"""Contacts of an export that are built at once."""
RECORDED_SHARE = 0.085
"""Share of answered calls that are recorded: about one in twelve (docs/compliance.md, R2)."""


class Extracts:
    """Contacts with their ids and notes; `export` gives one system's."""

    def __init__(self, plan: DemoPlan, staff: Staff, wave: contacts.Wave) -> None:
        self.plan, self.staff, self.wave = plan, staff, wave
        self.chance = plan.chance("extracts")
        self.system = SYSTEM_OF_CHANNEL[wave.channel]
        self.ids = _number_by_system(self.system)
        self.answered = wave.outcome == contacts.ANSWERED
        self.inbound = wave.direction == contacts.INBOUND
        self._answer_by_machine()
        self._record()
        self._declare()
        self._name_customers()

    def _answer_by_machine(self) -> None:
        """Draw which calls a machine took, alone or until a person answered or was not there."""
        wave, machine, chance = self.wave, STORY.machine, self.plan.chance("machines")
        since = np.datetime64(self.plan.last_day - timedelta(days=machine.age))
        names = [reason.name for reason in contacts.REASONS]
        taken = self.inbound & (wave.channel == contacts.PHONE) & (wave.at >= since)
        taken &= np.isin(wave.reason, [names.index(name) for name in machine.reasons])
        taken &= chance.random(len(wave)) < machine.share
        taken &= self.answered | (wave.outcome == contacts.ABANDONED)
        keeps = np.where(wave.resolved, machine.keeps[1], machine.keeps[0])
        self.is_alone = taken & self.answered & (chance.random(len(wave)) < keeps)
        self.is_handed_over = taken & ~self.is_alone
        seconds = chance.uniform(*machine.seconds, len(wave)).round()
        self.machine_seconds = np.where(taken, seconds, np.nan)

    def _record(self) -> None:
        """Draw who is recorded: some answered calls, after the notice, without an objection."""
        chance, size = self.chance, len(self.wave)
        is_internal = self.wave.direction == contacts.INTERNAL
        phone = self.answered & (self.wave.channel == contacts.PHONE) & ~is_internal
        phone &= ~self.is_alone
        self.may_be_recorded = phone
        chosen = phone & (chance.random(size) < RECORDED_SHARE)
        self.notice = np.where(self.inbound, chance.random(size) < 0.992, chance.random(size) < 0.9)
        self.objected = chosen & self.notice & (chance.random(size) < 0.014)
        self.stopped = chosen & (chance.random(size) < 0.006)
        # Staff representatives may call from a line that is never recorded.
        self.private = phone & (chance.random(size) < 0.002)
        self.recorded = chosen & self.notice & ~self.objected & ~self.stopped & ~self.private
        purpose = chance.choice(len(PURPOSES), size, p=[0.55, 0.25, 0.2])
        self.purpose = purpose.astype(np.int8)

    def _name_customers(self) -> None:
        self.customers = np.unique(self.wave.customer[self.wave.customer != contacts.WITHHELD])
        names = [f"demo customer {self.plan.seed}-{customer}" for customer in self.customers]
        self.customer_keys = Pseudonyms.current().find_keys(pa.array(names, pa.string()))

    def export(self, system: str, tracking_number: pa.Array) -> Iterator[pa.Table]:
        """Build the export of one system, slice by slice, so that a large centre needs
        little memory. The telephony knows the number that was called, and advisors by their
        extension.
        """
        rows = np.nonzero(self.system == SYSTEMS.index(system))[0]
        for start in range(0, max(len(rows), 1), SLICE):
            yield self._build_slice(system, rows[start : start + SLICE], tracking_number)

    def _declare(self) -> None:
        """Draw what advisors note: reasons with gaps, declarations that flatter."""
        wave, chance, size = self.wave, self.chance, len(self.wave)
        noted = self.answered & (chance.random(size) > 0.06)
        self.reason_known = noted | (chance.random(size) < 0.04)
        flattering = self.staff.declares[np.maximum(wave.advisor, 0)]
        bright = np.where(wave.resolved, 0.97, 0.62 + flattering)
        self.declared = chance.random(size) < bright
        self.declares = self.answered & ~self.is_alone & (chance.random(size) > 0.08) & self.inbound

    def _build_slice(self, system: str, rows: np.ndarray, tracking_number: pa.Array) -> pa.Table:
        wave = self.wave.keep(rows)
        is_internal = wave.direction == contacts.INTERNAL
        # An advisor stands on a missed contact only where a call-back rang in vain.
        in_vain = np.isin(wave.outcome, (contacts.UNANSWERED, contacts.FAILED))
        advised = self.answered[rows] | in_vain & ~self.inbound[rows]
        alone, handed_over = self.is_alone[rows], self.is_handed_over[rows]
        by_person, by_machine = advised & ~alone, alone | handed_over
        handlers = np.where(alone, 1, np.where(handed_over, 2, 0))
        known_as = (self.staff.extensions, self.staff.logins, self.staff.ids)
        names = dict(zip(SYSTEMS, known_as, strict=True))[system]
        reasons = pa.array([reason.name for reason in contacts.REASONS])
        customers = np.searchsorted(self.customers, wave.customer)
        moments = to_utc(wave.at)
        columns = {
            "contact_id": self.ids.take(pa.array(rows)),
            "started_at": moments,
            "local_start": to_wall_clock(moments),
            "direction": pick(pa.array(DIRECTIONS), wave.direction),
            "channel": pick(pa.array(contacts.CHANNELS), wave.channel),
            "queue": pick(pa.array(QUEUES), wave.queue, ~is_internal),
            "reason": pick(reasons, wave.reason, self.reason_known[rows] & ~is_internal),
            "customer_key": pick(self.customer_keys, customers, wave.customer != contacts.WITHHELD),
            "outcome": pick(pa.array(contacts.OUTCOMES), wave.outcome),
            "wait_seconds": number(np.where(by_machine, 0, wave.wait)),
            "talk_seconds": number(np.where(alone, np.nan, wave.talk)),
            "handled_by": pick(HANDLERS, handlers, self.answered[rows] | by_machine),
            "machine_seconds": number(self.machine_seconds[rows]),
            "handover_wait_seconds": number(np.where(handed_over, wave.wait, np.nan)),
            "declared_resolved": flag(self.declared[rows], self.declares[rows]),
            "advisor": pick(pa.array(names), np.maximum(wave.advisor, 0), by_person),
        }
        if system in ("telephony", "messaging"):
            columns |= {
                "wrap_seconds": number(np.where(alone, np.nan, wave.wrap)),
                "transfers": pa.array(
                    wave.transfers, pa.int32(), mask=~self.answered[rows] | alone
                ),
            }
        if system == "telephony":
            may_be, purposes = self.may_be_recorded[rows], pa.array(PURPOSES)
            columns |= {
                "hold_seconds": number(np.where(alone, np.nan, wave.hold)),
                "tracking_number": tracking_number.take(pa.array(rows)),
                "recorded": flag(self.recorded[rows], may_be),
                "notice_played": flag(self.notice[rows], may_be),
                "customer_objected": flag(self.objected[rows], may_be & self.notice[rows]),
                "stopped_by_advisor": flag(self.stopped[rows], may_be),
                "private_line": flag(self.private[rows], may_be),
                "recording_purpose": pick(purposes, self.purpose[rows], self.recorded[rows]),
            }
        return pa.table(columns)


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
    numbers = np.empty(len(system), dtype=np.int64)
    for position in range(len(SYSTEMS)):
        rows = np.nonzero(system == position)[0]
        numbers[rows] = np.arange(1, len(rows) + 1)
    letters = pick(pa.array([name[0].upper() for name in SYSTEMS]), system)
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 7, "0")
    return pc.binary_join_element_wise(letters, digits, "")
