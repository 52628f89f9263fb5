"""Contacts of simulated customers: a need, a first contact, and its repeats."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from qa_core.cli.demo.plan import DemoPlan
from qa_core.cli.demo.seasons import DAY_SECONDS, Calendar
from qa_core.cli.demo.staff import QUEUES, Staff

CHANNELS = ("phone", "email", "chat", "messaging", "social")
PHONE, EMAIL, CHAT, MESSAGING, SOCIAL = range(5)
CHANNEL_SHARES = np.array([0.63, 0.14, 0.12, 0.07, 0.04])
CHANNEL_DRIFT = np.array([0.92, 0.94, 1.3, 1.5, 1.1])
"""Share of each channel on the last day, compared with the first."""

INBOUND, OUTBOUND, INTERNAL = range(3)
OUTCOMES = (
    "answered",
    "abandoned",
    "timeout",
    "overflow",
    "voicemail",
    "closed",
    "refused",
    "failed",
    "unanswered",
)
ANSWERED, ABANDONED, TIMEOUT, OVERFLOW, VOICEMAIL, CLOSED, REFUSED, FAILED, UNANSWERED = range(9)


@dataclass(frozen=True)
class ContactReason:
    """Reason of contacts: queue, share of needs, resolution, duration, months."""

    name: str
    queue: int
    share: float
    resolved: float
    talk_seconds: float
    months: tuple[tuple[int, float], ...] = ()


REASONS = (
    ContactReason("Facturation", 0, 0.20, 0.775, 300, ((1, 1.15), (9, 1.1))),
    ContactReason("Panne box", 1, 0.18, 0.68, 470, ((1, 1.15), (7, 1.15), (11, 1.25), (12, 1.15))),
    ContactReason("Installation", 1, 0.08, 0.71, 410, ((9, 1.4), (10, 1.2))),
    ContactReason("Mot de passe", 1, 0.08, 0.895, 165),
    ContactReason("Déménagement", 2, 0.07, 0.73, 370, ((6, 1.4), (7, 1.7), (8, 1.8), (9, 1.2))),
    ContactReason("Livraison", 2, 0.09, 0.79, 215, ((11, 1.3), (12, 1.8), (1, 1.2))),
    ContactReason("Option et forfait", 3, 0.14, 0.85, 320, ((9, 1.15), (12, 1.2))),
    ContactReason("Nouvelle offre", 3, 0.08, 0.865, 400, ((9, 1.2), (11, 1.3), (12, 1.3))),
    ContactReason("Résiliation", 4, 0.04, 0.78, 350, ((1, 1.3), (9, 1.2))),
    ContactReason("Réclamation", 4, 0.04, 0.585, 520, ((1, 1.2),)),
)
BILLING = BILLING_QUEUE = 0
LAUNCH_MORE, LAUNCH_LESS_RESOLVED, LAUNCH_LOADS = 1.0, 0.19, (0.32, 0.08)
"""At the worst of the launch: more needs, fewer resolved, load of the queues."""

CONTACTS_PER_NEED = 1.492
"""Contacts per need, measured on this simulation with repeats, call-backs and outbound calls."""
CUSTOMERS_PER_CONTACT = 0.42
WITHHELD = -1
CODES = ("channel", "reason", "direction", "depth", "tries", "queue", "outcome", "transfers")
TYPES = {"customer": np.int32, "advisor": np.int32, **dict.fromkeys(CODES, np.int8)}


@dataclass
class Wave:
    """Contacts as parallel arrays. Wall-clock times; missing: NaN, missing codes −1."""

    at: np.ndarray
    customer: np.ndarray
    channel: np.ndarray
    reason: np.ndarray
    direction: np.ndarray
    depth: np.ndarray
    """Earlier answered contacts of this need."""
    tries: np.ndarray
    """Missed contacts of this need just before."""
    queue: np.ndarray | None = None
    advisor: np.ndarray | None = None
    outcome: np.ndarray | None = None
    wait: np.ndarray | None = None
    talk: np.ndarray | None = None
    hold: np.ndarray | None = None
    wrap: np.ndarray | None = None
    transfers: np.ndarray | None = None
    resolved: np.ndarray | None = None
    """Truth that nobody records; the declaration and the survey are made from it."""

    def __len__(self) -> int:
        return len(self.at)

    def pack(self) -> Wave:
        """Return the same contacts with codes in the smallest types that hold them."""
        columns = {item.name: getattr(self, item.name) for item in fields(self)}
        return Wave(
            **{name: array.astype(TYPES.get(name, array.dtype)) for name, array in columns.items()}
        )

    def keep(self, rows: np.ndarray) -> Wave:
        return Wave(
            *(
                None if (value := getattr(self, item.name)) is None else value[rows]
                for item in fields(self)
            )
        )

    @staticmethod
    def join(waves: list[Wave]) -> Wave:
        columns = ([getattr(wave, item.name) for wave in waves] for item in fields(Wave))
        return Wave(*(None if column[0] is None else np.concatenate(column) for column in columns))


class Simulation:
    """Simulation of the contacts, wave by wave: first contacts, then their consequences."""

    def __init__(self, plan: DemoPlan, calendar: Calendar, staff: Staff) -> None:
        self.plan, self.calendar, self.staff = plan, calendar, staff
        self.chance = plan.chance("contacts")
        self.reason_queue = np.array([reason.queue for reason in REASONS])
        self.reason_resolved = np.array([reason.resolved for reason in REASONS])
        self.reason_talk = np.array([reason.talk_seconds for reason in REASONS])
        customers = max(20, round(plan.contacts * CUSTOMERS_PER_CONTACT))
        self.loyalty = np.cumsum(self.chance.gamma(0.9, 1, customers))
        self.withholds = self.chance.random(customers) < 0.05

    def run(self) -> Wave:
        """Simulate every contact of the centre, in order of time."""
        wave, done = self._first_contacts(), []
        while len(wave):
            self._live(wave)
            done.append(wave.pack())
            wave = Wave.join([self._come_back(wave), self._try_again(wave), self._call_back(wave)])
            wave = wave.keep(self.calendar.position(wave.at) < self.calendar.size)
        done.append(self._outbound(sum(len(wave) for wave in done)).pack())
        everything = Wave.join(done)
        done.clear()
        return everything.keep(np.argsort(everything.at, kind="stable"))

    def _first_contacts(self) -> Wave:
        calendar, chance = self.calendar, self.chance
        needs = round(self.plan.contacts / CONTACTS_PER_NEED)
        # Needs per day, reason and channel follow the season, the mood of the day and
        # the launch.
        months = np.ones((len(REASONS), 12))
        for position, reason in enumerate(REASONS):
            for month, factor in reason.months:
                months[position, month - 1] = factor
        by_reason = (
            np.array([reason.share for reason in REASONS])[:, None] * months[:, calendar.month]
        )
        by_reason[BILLING] *= 1 + LAUNCH_MORE * calendar.trouble
        drift = CHANNEL_SHARES[:, None] * CHANNEL_DRIFT[:, None] ** (
            np.arange(calendar.size) / calendar.size
        )
        by_channel = drift * np.where(
            np.isin(np.arange(5), (PHONE, CHAT))[:, None], calendar.usual, calendar.usual_written
        )
        cells = np.cumsum(by_reason[:, None, :] * by_channel[None, :, :] * calendar.surprise)
        cell = np.minimum(
            np.searchsorted(cells, chance.random(needs) * cells[-1], side="right"), len(cells) - 1
        )
        reason, channel, day = np.unravel_index(cell, (len(REASONS), len(CHANNELS), calendar.size))
        at = calendar.draw_moments(day, ~np.isin(channel, (PHONE, CHAT)), chance)
        shut = (channel == PHONE) & (chance.random(needs) < 0.032)
        at[shut] = calendar.draw_closed_moments(
            chance.integers(0, calendar.size, shut.sum()), chance
        )
        customer = np.searchsorted(
            self.loyalty, chance.random(needs) * self.loyalty[-1], side="right"
        )
        customer = np.minimum(customer, len(self.loyalty) - 1)
        unknown = np.array([0.015, 0.01, 0.1, 0.03, 0.18])[channel]
        customer[
            (self.withholds[customer] & (channel == PHONE)) | (chance.random(needs) < unknown)
        ] = WITHHELD
        nothing = np.zeros(needs, dtype=np.int64)
        return Wave(
            at,
            customer,
            channel,
            reason,
            nothing + INBOUND,
            nothing.copy(),
            nothing.copy(),
        )

    def _live(self, wave: Wave) -> None:
        """Draw how each contact went: wait, outcome, advisor, durations, resolution."""
        chance, size, calendar = self.chance, len(wave), self.calendar
        day, hour = calendar.position(wave.at), calendar.hour(wave.at)
        misrouted = chance.random(size) < 0.05
        wave.queue = np.where(
            misrouted, chance.integers(0, len(QUEUES), size), self.reason_queue[wave.reason]
        )
        outbound = wave.direction == OUTBOUND
        self._queue_up(wave, day, hour, outbound)
        answered = wave.outcome == ANSWERED
        # What comes in while the centre is closed is taken when it opens.
        served = np.where(
            calendar.is_open[day], day, np.minimum(calendar.next_open[day], calendar.size - 1)
        )
        half = np.where((served == day) & (hour >= 14), 1, 0)
        wave.advisor = np.where(
            answered | outbound, self.staff.draw(served, half, wave.queue, chance), -1
        )
        self._talk(wave, answered, misrouted)
        advisor = np.maximum(wave.advisor, 0)
        trouble = calendar.trouble[day]
        odds = (
            self.reason_resolved[wave.reason]
            + self.staff.resolves[advisor]
            + 0.05 * np.minimum(wave.depth, 3)
        )
        odds -= np.where(wave.reason == BILLING, LAUNCH_LESS_RESOLVED, 0.02) * trouble
        odds -= 0.09 * np.exp(-self.staff.tenure[served, advisor] / 60)
        odds -= 0.1 * (wave.transfers > 0) + np.array([0, 0.035, 0.01, 0.02, 0.05])[wave.channel]
        wave.resolved = answered & (chance.random(size) < np.clip(odds, 0.05, 0.98))

    def _queue_up(
        self, wave: Wave, day: np.ndarray, hour: np.ndarray, outbound: np.ndarray
    ) -> None:
        chance, size, calendar = self.chance, len(wave), self.calendar
        rush = (
            1
            + 0.1 * np.exp(-((hour - 10.7) ** 2) / 2)
            + 0.07 * np.exp(-((hour - 15) ** 2) / 3)
            - 0.08 * (hour > 18)
        )
        load = (
            calendar.surprise[day]
            * rush
            * (1 + np.where(wave.queue == BILLING_QUEUE, *LAUNCH_LOADS) * calendar.trouble[day])
            * np.where(calendar.weekday[day] == 0, 1.04, 1.0)
        )
        at_once = np.clip(0.83 - 0.95 * (load - 1), 0.1, 0.95)
        queued = chance.exponential(76 * np.clip(load, 0.7, 2) ** 2.6)
        wait = np.where(chance.random(size) < at_once, chance.gamma(2.2, 3.1, size), 12 + queued)
        wait = np.where(wave.channel == CHAT, wait * 1.3 + 4, wait)
        patience = chance.lognormal(np.log(165), 0.95, size)
        patience = np.where(chance.random(size) < 0.022, chance.random(size) * 5, patience)
        left = patience < wait
        outcome = np.where(left, ABANDONED, np.where(wait > 420, TIMEOUT, ANSWERED))
        wait = np.where(left, patience, np.where(wait > 420, 420, wait))
        aside = chance.random(size)
        long_enough = (wait > 25) & (outcome == ANSWERED) & (wave.channel == PHONE)
        outcome = np.where(
            long_enough & (aside < 0.035),
            OVERFLOW,
            np.where(long_enough & (aside > 0.95), VOICEMAIL, outcome),
        )
        odd = chance.random(size)
        outcome = np.where(
            (wave.channel == PHONE) & (odd < 0.0015),
            FAILED,
            np.where((wave.channel == PHONE) & (odd > 0.999), REFUSED, outcome),
        )
        written = np.isin(wave.channel, (EMAIL, MESSAGING, SOCIAL))
        outcome = np.where(written, np.where(odd < 0.012, UNANSWERED, ANSWERED), outcome)
        shut = np.isin(wave.channel, (PHONE, CHAT)) & ~calendar.is_open_at(wave.at) & ~outbound
        outcome = np.where(
            shut, np.where((aside < 0.25) & (wave.channel == PHONE), VOICEMAIL, CLOSED), outcome
        )
        wave.outcome = np.where(outbound, np.where(aside < 0.68, ANSWERED, UNANSWERED), outcome)
        # The mail tool and the messengers export no wait, and now and then the
        # telephony loses one.
        unknown = (
            written
            | shut
            | outbound
            | (chance.random(size) < 0.008)
            | np.isin(wave.outcome, (FAILED, REFUSED))
        )
        wave.wait = np.where(unknown, np.nan, np.round(wait, 1))

    def _talk(self, wave: Wave, answered: np.ndarray, misrouted: np.ndarray) -> None:
        chance, size = self.chance, len(wave)
        phone = wave.channel == PHONE
        chat = wave.channel == CHAT
        written = np.isin(wave.channel, (EMAIL, MESSAGING, SOCIAL))
        pace = (
            self.staff.handles[np.maximum(wave.advisor, 0)]
            * np.array([1, 0.9, 1.45, 1.05, 0.7])[wave.channel]
        )
        talk = self.reason_talk[wave.reason] * chance.lognormal(-0.16, 0.56, size) * pace
        wave.talk = np.where(
            answered & (chance.random(size) > 0.004), np.maximum(8, np.round(talk)), np.nan
        )
        holds = chance.random(size) < 0.24
        hold = np.where(holds, np.round(chance.gamma(1.8, 38, size)), 0)
        wave.hold = np.where(answered & phone, hold, np.nan)
        wrap = np.round(chance.lognormal(np.log(38), 0.7, size) * pace)
        wave.wrap = np.where(
            answered & (phone | chat | (wave.channel == MESSAGING)) & (chance.random(size) > 0.03),
            wrap,
            np.nan,
        )
        moved = chance.random(size) < np.where(misrouted, 0.5, np.where(chat, 0.03, 0.055))
        transfers = moved * np.where(chance.random(size) < 0.12, 2, 1)
        wave.transfers = np.where(answered & ~written, transfers, 0)

    def _come_back(self, wave: Wave) -> Wave:
        """Draw repeats of unsettled needs, mostly within days; a few repeat anyway."""
        chance, answered = self.chance, wave.outcome == ANSWERED
        again = answered & (
            chance.random(len(wave)) < np.where(wave.resolved, 0.07, 0.9 * 0.9**wave.depth)
        )
        after = wave.keep(again)
        days = np.where(
            after.resolved,
            0.3 + chance.exponential(5, len(after)),
            chance.lognormal(np.log(1.6), 1.05, len(after)),
        )
        other = after.resolved & (chance.random(len(after)) < 0.35)
        after.reason = np.where(other, chance.integers(0, len(REASONS), len(after)), after.reason)
        after.channel = np.where(chance.random(len(after)) < 0.55, PHONE, after.channel)
        after.depth, after.tries = after.depth + 1, np.zeros_like(after.tries)
        return self._follow(after, days * DAY_SECONDS, INBOUND)

    def _try_again(self, wave: Wave) -> Wave:
        """Draw new tries of the missed: soon, or on the next day after closed hours."""
        chance = self.chance
        missed = (wave.outcome != ANSWERED) & (wave.direction == INBOUND)
        after = wave.keep(missed & (chance.random(len(wave)) < 0.64 * 0.8**wave.tries))
        after.tries = after.tries + 1
        return self._follow(after, chance.lognormal(np.log(1500), 1.5, len(after)), INBOUND)

    def _call_back(self, wave: Wave) -> Wave:
        """Draw call-backs of missed callers with a number; those reached may need nothing more."""
        chance = self.chance
        missed = (
            np.isin(wave.outcome, (ABANDONED, TIMEOUT, OVERFLOW, VOICEMAIL))
            & (wave.direction == INBOUND)
            & (wave.channel == PHONE)
        )
        called = missed & (wave.customer != WITHHELD) & ~(wave.wait <= 5)
        after = wave.keep(called & (chance.random(len(wave)) < 0.34))
        return self._follow(after, 600 + chance.lognormal(np.log(5400), 0.9, len(after)), OUTBOUND)

    def _follow(self, after: Wave, seconds: np.ndarray, direction: int) -> Wave:
        calendar, size = self.calendar, len(after)
        at = after.at + seconds.astype("timedelta64[s]")
        day = np.minimum(calendar.position(at), calendar.size)
        inside = np.minimum(day, calendar.size - 1)
        live = np.isin(after.channel, (PHONE, CHAT))
        # Nobody gets in touch after exactly 24 hours: beyond half a day the hour is
        # chosen anew.
        anew = (seconds > DAY_SECONDS / 2) & (day < calendar.size)
        shut = live & ~calendar.is_open_at(at)
        past_closing = shut & calendar.is_open[inside] & (calendar.hour(at) > 12)
        moved = np.where(
            live,
            np.where(
                shut | anew, calendar.next_open[np.minimum(day + past_closing, calendar.size)], day
            ),
            day,
        )
        redraw = (anew | shut) & (moved < calendar.size)
        at = np.where(
            moved >= calendar.size, calendar.start + np.timedelta64(calendar.size, "D"), at
        )
        at[redraw] = calendar.draw_moments(moved[redraw], ~live[redraw], self.chance)
        order = np.maximum(at, after.at + np.timedelta64(60, "s"))
        return Wave(
            order,
            after.customer,
            after.channel,
            after.reason,
            np.full(size, direction),
            after.depth,
            after.tries,
        )

    def _outbound(self, inbound: int) -> Wave:
        """Draw outbound calls of the centre's own accord, and internal calls."""
        chance, calendar = self.chance, self.calendar
        size = round(inbound * 0.034)
        days = np.searchsorted(
            np.cumsum(calendar.usual), chance.random(size) * calendar.usual.sum(), side="right"
        )
        at = calendar.draw_moments(
            np.minimum(days, calendar.size - 1), np.zeros(size, dtype=bool), chance
        )
        customer = np.minimum(
            np.searchsorted(self.loyalty, chance.random(size) * self.loyalty[-1]),
            len(self.loyalty) - 1,
        )
        internal = chance.random(size) < 0.2
        customer[internal] = WITHHELD
        nothing = np.zeros(size, dtype=np.int64)
        reason = chance.integers(0, len(REASONS), size)
        wave = Wave(
            at,
            customer,
            nothing + PHONE,
            reason,
            nothing + OUTBOUND,
            nothing.copy(),
            nothing.copy(),
        )
        self._live(wave)
        wave.direction = np.where(internal, INTERNAL, OUTBOUND)
        return wave
