"""Contacts of simulated customers: a need, a first contact, and its repeats."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from qa_core.cli.demo.seasons import LAUNCH, Calendar
from qa_core.cli.demo.staff import QUEUES, Staff
from qa_core.cli.demo.story import DAY_SECONDS, STORY, DemoPlan, column

CHANNELS = [channel.name for channel in STORY.channels]
PHONE, EMAIL, CHAT, MESSAGING, SOCIAL = range(5)
INBOUND, OUTBOUND, INTERNAL = range(3)
OUTCOMES = STORY.outcomes
ANSWERED, ABANDONED, TIMEOUT, OVERFLOW, VOICEMAIL, CLOSED, REFUSED, FAILED, UNANSWERED = range(9)

REASONS = STORY.reasons
BILLING = BILLING_QUEUE = 0
OWN_QUEUE, RESOLVED, TALK_SECONDS = (
    column(REASONS, name) for name in ("queue", "resolved", "talk_seconds")
)

CONTACTS_PER_NEED = 1.492
"""Contacts per need, measured on this simulation with repeats, call-backs and outbound calls."""
CUSTOMERS_PER_CONTACT = 0.42
WITHHELD = -1
CODES = ("channel", "reason", "direction", "depth", "tries", "queue", "outcome", "transfers")
TYPES = {"customer": np.int32, "advisor": np.int32, **dict.fromkeys(CODES, np.int8)}
OF_NEED = ("customer", "channel", "reason", "depth", "tries")
"""What a contact passes on to the one that follows it."""


class Wave(SimpleNamespace):
    """Contacts as parallel arrays; missing: NaN, missing codes −1.

    Each has `at` (wall clock), `customer`, `channel`, `reason`, `direction`, `depth`
    (earlier answered contacts of this need) and `tries` (missed ones just before); one
    that was lived also has `queue`, `advisor`, `outcome`, `wait`, `talk`, `hold`,
    `wrap`, `transfers`, and `resolved`: the truth that nobody records, from which the
    declaration and the survey are made.
    """

    def __len__(self) -> int:
        return len(self.at)

    def pack(self) -> Wave:
        """Return the same contacts with codes in the smallest types that hold them."""
        columns = vars(self).items()
        return Wave(**{name: array.astype(TYPES.get(name, array.dtype)) for name, array in columns})

    def keep(self, rows: np.ndarray) -> Wave:
        return Wave(**{name: array[rows] for name, array in vars(self).items()})

    @staticmethod
    def join(waves: list[Wave]) -> Wave:
        names = vars(waves[0])
        return Wave(**{n: np.concatenate([getattr(wave, n) for wave in waves]) for n in names})


class Simulation:
    """Simulation of the contacts, wave by wave: first contacts, then their consequences."""

    def __init__(self, plan: DemoPlan, calendar: Calendar, staff: Staff) -> None:
        self.plan, self.calendar, self.staff = plan, calendar, staff
        self.chance = plan.chance("contacts")
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
            for month, factor in reason.get("months", {}).items():
                months[position, int(month) - 1] = factor
        by_reason = column(REASONS, "share")[:, None] * months[:, calendar.month]
        by_reason[BILLING] *= 1 + LAUNCH.more_needs * calendar.trouble
        age = np.arange(calendar.size) / calendar.size
        channels = STORY.channels
        drift = column(channels, "share")[:, None] * column(channels, "drift")[:, None] ** age
        is_live = np.isin(np.arange(len(channels)), (PHONE, CHAT))[:, None]
        by_channel = drift * np.where(is_live, calendar.usual, calendar.usual_written)
        cells = np.cumsum(by_reason[:, None, :] * by_channel[None, :, :] * calendar.surprise)
        cell = _draw_weighted(cells, chance.random(needs))
        reason, channel, day = np.unravel_index(cell, (len(REASONS), len(channels), calendar.size))
        at = calendar.draw_moments(day, ~np.isin(channel, (PHONE, CHAT)), chance)
        shut = (channel == PHONE) & (chance.random(needs) < 0.032)
        days = chance.integers(0, calendar.size, shut.sum())
        at[shut] = calendar.draw_closed_moments(days, chance)
        customer = _draw_weighted(self.loyalty, chance.random(needs))
        withheld = self.withholds[customer] & (channel == PHONE)
        unknown = chance.random(needs) < column(channels, "unknown")[channel]
        customer[withheld | unknown] = WITHHELD
        return _begin(at, customer, channel, reason, INBOUND)

    def _live(self, wave: Wave) -> None:
        """Draw how each contact went: wait, outcome, advisor, durations, resolution."""
        chance, size, calendar = self.chance, len(wave), self.calendar
        day, hour = calendar.position(wave.at), calendar.hour(wave.at)
        misrouted = chance.random(size) < 0.05
        wave.queue = chance.integers(0, len(QUEUES), size)
        wave.queue[~misrouted] = OWN_QUEUE[wave.reason[~misrouted]]
        outbound = wave.direction == OUTBOUND
        self._queue_up(wave, day, hour, outbound)
        answered = wave.outcome == ANSWERED
        # What comes in while the centre is closed is taken when it opens.
        served = np.minimum(calendar.next_open[day], calendar.size - 1)
        half = np.where((served == day) & (hour >= 14), 1, 0)
        wave.advisor = self.staff.draw(served, half, wave.queue, chance)
        wave.advisor[~(answered | outbound)] = -1
        self._talk(wave, answered, misrouted)
        advisor = np.maximum(wave.advisor, 0)
        odds = RESOLVED[wave.reason] + self.staff.resolves[advisor]
        odds += 0.05 * np.minimum(wave.depth, 3)
        odds -= np.where(wave.reason == BILLING, LAUNCH.less_resolved, 0.02) * calendar.trouble[day]
        odds -= 0.09 * np.exp(-self.staff.tenure[served, advisor] / 60)
        odds -= 0.1 * (wave.transfers > 0) + column(STORY.channels, "unresolved")[wave.channel]
        wave.resolved = answered & (chance.random(size) < np.clip(odds, 0.05, 0.98))

    def _queue_up(
        self, wave: Wave, day: np.ndarray, hour: np.ndarray, outbound: np.ndarray
    ) -> None:
        """Draw the wait and the outcome of each contact."""
        chance, size, calendar = self.chance, len(wave), self.calendar
        phone, chat = wave.channel == PHONE, wave.channel == CHAT
        written = ~phone & ~chat
        rush = 1 + 0.1 * np.exp(-((hour - 10.7) ** 2) / 2)
        rush += 0.07 * np.exp(-((hour - 15) ** 2) / 3)
        rush -= 0.08 * (hour > 18)
        load = calendar.surprise[day] * rush
        load *= 1 + np.where(wave.queue == BILLING_QUEUE, *LAUNCH.loads) * calendar.trouble[day]
        load *= np.where(calendar.weekday[day] == 0, 1.04, 1.0)
        at_once = np.clip(0.83 - 0.95 * (load - 1), 0.1, 0.95)
        queued = chance.exponential(76 * np.clip(load, 0.7, 2) ** 2.6)
        wait = np.where(chance.random(size) < at_once, chance.gamma(2.2, 3.1, size), 12 + queued)
        wait = np.where(chat, wait * 1.3 + 4, wait)
        patience = chance.lognormal(np.log(165), 0.95, size)
        patience = np.where(chance.random(size) < 0.022, chance.random(size) * 5, patience)
        left = patience < wait
        outcome = np.where(wait > 420, TIMEOUT, ANSWERED)
        outcome[left] = ABANDONED
        wait = np.where(left, patience, np.minimum(wait, 420))
        aside, odd = chance.random(size), chance.random(size)
        long_enough = (wait > 25) & (outcome == ANSWERED) & phone
        outcome[long_enough & (aside < 0.035)] = OVERFLOW
        outcome[long_enough & (aside > 0.95)] = VOICEMAIL
        outcome[phone & (odd < 0.0015)] = FAILED
        outcome[phone & (odd > 0.999)] = REFUSED
        outcome[written] = ANSWERED
        outcome[written & (odd < 0.012)] = UNANSWERED
        shut = ~written & ~calendar.is_open_at(wave.at) & ~outbound
        outcome[shut] = CLOSED
        outcome[shut & phone & (aside < 0.25)] = VOICEMAIL
        outcome[outbound] = UNANSWERED
        outcome[outbound & (aside < 0.68)] = ANSWERED
        wave.outcome = outcome
        # The mail tool and the messengers export no wait, and now and then the
        # telephony loses one.
        lost = (chance.random(size) < 0.008) | np.isin(outcome, (FAILED, REFUSED))
        wave.wait = np.where(written | shut | outbound | lost, np.nan, np.round(wait, 1))

    def _talk(self, wave: Wave, answered: np.ndarray, misrouted: np.ndarray) -> None:
        """Draw talk, hold, wrap-up and transfers of the answered."""
        chance, size = self.chance, len(wave)
        phone, chat = wave.channel == PHONE, wave.channel == CHAT
        messaging, live = wave.channel == MESSAGING, phone | chat
        pace = self.staff.handles[np.maximum(wave.advisor, 0)]
        pace = pace * column(STORY.channels, "pace")[wave.channel]
        talk = TALK_SECONDS[wave.reason] * chance.lognormal(-0.16, 0.56, size) * pace
        timed = answered & (chance.random(size) > 0.004)
        wave.talk = np.where(timed, np.maximum(8, np.round(talk)), np.nan)
        holds = chance.random(size) < 0.24
        hold = np.where(holds, np.round(chance.gamma(1.8, 38, size)), 0)
        wave.hold = np.where(answered & phone, hold, np.nan)
        wrap = np.round(chance.lognormal(np.log(38), 0.7, size) * pace)
        wrapped = answered & (live | messaging) & (chance.random(size) > 0.03)
        wave.wrap = np.where(wrapped, wrap, np.nan)
        moved = chance.random(size) < np.where(misrouted, 0.5, np.where(chat, 0.03, 0.055))
        transfers = moved * np.where(chance.random(size) < 0.12, 2, 1)
        wave.transfers = np.where(answered & live, transfers, 0)

    def _come_back(self, wave: Wave) -> Wave:
        """Draw repeats of unsettled needs, mostly within days; a few repeat anyway."""
        chance, answered = self.chance, wave.outcome == ANSWERED
        again = chance.random(len(wave)) < np.where(wave.resolved, 0.07, 0.9 * 0.9**wave.depth)
        after = wave.keep(answered & again)
        size = len(after)
        days = np.where(
            after.resolved,
            0.3 + chance.exponential(5, size),
            chance.lognormal(np.log(1.6), 1.05, size),
        )
        other = after.resolved & (chance.random(size) < 0.35)
        after.reason = np.where(other, chance.integers(0, len(REASONS), size), after.reason)
        after.channel = np.where(chance.random(size) < 0.55, PHONE, after.channel)
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
        missed = np.isin(wave.outcome, (ABANDONED, TIMEOUT, OVERFLOW, VOICEMAIL))
        by_phone = (wave.direction == INBOUND) & (wave.channel == PHONE)
        called = missed & by_phone & (wave.customer != WITHHELD) & ~(wave.wait <= 5)
        after = wave.keep(called & (chance.random(len(wave)) < 0.34))
        return self._follow(after, 600 + chance.lognormal(np.log(5400), 0.9, len(after)), OUTBOUND)

    def _follow(self, after: Wave, seconds: np.ndarray, direction: int) -> Wave:
        """Build the contacts that follow these after some seconds, when somebody is there."""
        calendar, end = self.calendar, self.calendar.size
        at = after.at + seconds.astype("timedelta64[s]")
        day = np.minimum(calendar.position(at), end)
        inside = np.minimum(day, end - 1)
        live = np.isin(after.channel, (PHONE, CHAT))
        # Nobody gets in touch after exactly 24 hours: beyond half a day the hour is
        # chosen anew.
        anew = (seconds > DAY_SECONDS / 2) & (day < end)
        shut = live & ~calendar.is_open_at(at)
        past_closing = shut & calendar.is_open[inside] & (calendar.hour(at) > 12)
        opened = calendar.next_open[np.minimum(day + past_closing, end)]
        moved = np.where(live & (shut | anew), opened, day)
        redraw = (anew | shut) & (moved < end)
        at = np.where(moved >= end, calendar.start + np.timedelta64(end, "D"), at)
        at[redraw] = calendar.draw_moments(moved[redraw], ~live[redraw], self.chance)
        at = np.maximum(at, after.at + np.timedelta64(60, "s"))
        passed_on = {name: getattr(after, name) for name in OF_NEED}
        return Wave(at=at, direction=np.full(len(after), direction), **passed_on)

    def _outbound(self, inbound: int) -> Wave:
        """Draw outbound calls of the centre's own accord, and internal calls."""
        chance, calendar = self.chance, self.calendar
        size = round(inbound * 0.034)
        usual = np.cumsum(calendar.usual)
        days = np.searchsorted(usual, chance.random(size) * calendar.usual.sum(), side="right")
        days = np.minimum(days, calendar.size - 1)
        at = calendar.draw_moments(days, np.zeros(size, dtype=bool), chance)
        loyal = np.searchsorted(self.loyalty, chance.random(size) * self.loyalty[-1])
        customer = np.minimum(loyal, len(self.loyalty) - 1)
        internal = chance.random(size) < 0.2
        customer[internal] = WITHHELD
        reason = chance.integers(0, len(REASONS), size)
        wave = _begin(at, customer, np.full(size, PHONE), reason, OUTBOUND)
        self._live(wave)
        wave.direction = np.where(internal, INTERNAL, OUTBOUND)
        return wave


def _draw_weighted(cumulated: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Draw positions by their weights, given cumulated; `drawn` lies between 0 and 1."""
    positions = np.searchsorted(cumulated, drawn * cumulated[-1], side="right")
    return np.minimum(positions, len(cumulated) - 1)


def _begin(
    at: np.ndarray, customer: np.ndarray, channel: np.ndarray, reason: np.ndarray, direction: int
) -> Wave:
    """Build first contacts of a need."""
    none = np.zeros(len(at), dtype=np.int64)
    return Wave(
        at=at,
        customer=customer,
        channel=channel,
        reason=reason,
        direction=none + direction,
        depth=none,
        tries=none.copy(),
    )
