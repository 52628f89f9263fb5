"""The arithmetic of a draw, without any store: a random order that anybody can make
again, and how an advisor's share is spread over strata.

Each contact gets a ticket, the SHA-256 of seed, plan and key: the same on every
machine, in every version, whatever else is in the frame. Within one advisor and one
stratum the smallest tickets are drawn, so that each of its contacts has the same
chance.

How many a stratum gets: the contacts of an advisor are thought of in a row, stratum
after stratum, and the share is taken at equal distances from a random start. A stratum
gets its proportional share rounded down or up, and on average exactly that share: the
largest strata are not always the ones that are heard, as rounding by largest remainder
would have it, and each contact of an advisor has the same chance of all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

SEPARATOR = "\x1f"
_STARTS = 1 << 64


def prefix_of(seed: int, plan: str) -> str:
    """What the tickets of a draw begin with, before they are hashed."""
    return f"{seed}{SEPARATOR}{plan}{SEPARATOR}"


def ticket(seed: int, plan: str, source_system: str, contact_id: str) -> str:
    """The place of a contact in the order of that draw: 64 hexadecimal digits, the
    smallest first.
    """
    return hashlib.sha256(
        f"{prefix_of(seed, plan)}{source_system}{SEPARATOR}{contact_id}".encode()
    ).hexdigest()


def allocate(
    strata: Mapping[str, int], wanted: int, seed: int, plan: str, advisor_id: str
) -> dict[str, int]:
    """How many of one advisor's contacts to draw from each stratum (its size given):
    `wanted` in all, or all there are.

    Each stratum gets wanted × size / all, rounded down or up, and that exactly on
    average over seeds. Exact in whole numbers.
    """
    total = sum(strata.values())
    if wanted >= total:
        return dict(strata)
    start = int.from_bytes(
        hashlib.sha256(f"{prefix_of(seed, plan)}start{SEPARATOR}{advisor_id}".encode()).digest()[
            :8
        ],
        "big",
    )
    # The k-th is taken at (start + k) × total / wanted along the row; compared as
    # products, without a fraction.
    points = [(start + number * _STARTS) * total for number in range(wanted)]
    taken, end, place = {}, 0, 0
    for name in sorted(strata):
        end += strata[name]
        first = place
        while place < wanted and points[place] < end * wanted * _STARTS:
            place += 1
        taken[name] = place - first
    return taken


def draw(
    frame: Mapping[str, Mapping[str, list[tuple[str, str]]]],
    wanted: Mapping[str, int],
    seed: int,
    plan: str,
) -> list[tuple[str, tuple[str, str]]]:
    """A whole draw from a frame in memory (advisor → stratum → keys): (advisor, key) in
    the order drawn. What the engine does over the lake.
    """
    drawn = []
    for advisor_id, strata in frame.items():
        taken = allocate(
            {name: len(keys) for name, keys in strata.items()},
            wanted.get(advisor_id, 0),
            seed,
            plan,
            advisor_id,
        )
        for name, count in taken.items():
            order = sorted(strata[name], key=lambda key: ticket(seed, plan, *key)) if count else []
            drawn += [(advisor_id, key) for key in order[:count]]
    return sorted(drawn, key=lambda entry: (ticket(seed, plan, *entry[1]), entry[1]))
