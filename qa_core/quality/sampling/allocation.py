"""Arithmetic of a draw: reproducible random order, and allocation of an advisor's share
to strata.

Each contact's ticket is the SHA-256 of seed, plan and key, independent of the machine
and of the rest of the frame. Within one advisor and stratum the smallest tickets are
drawn, so that each contact has the same chance.

Systematic allocation: an advisor's contacts are laid out stratum after stratum and
taken at equal distances from a random start. A stratum gets its proportional share
rounded down or up, and on average exactly that share. Rounding by largest remainder
would always favour the same strata.
"""

import hashlib
from collections.abc import Mapping

SEPARATOR = "\x1f"
_STARTS = 1 << 64


def build_prefix(seed: int, plan: str) -> str:
    """Return the prefix of the tickets of a draw, before hashing."""
    return f"{seed}{SEPARATOR}{plan}{SEPARATOR}"


def allocate(
    strata: Mapping[str, int], wanted: int, seed: int, plan: str, advisor_id: str
) -> dict[str, int]:
    """Return how many of one advisor's contacts to draw from each stratum (given its
    size): `wanted` in all, or all there are.

    Each stratum gets wanted × size / total, rounded down or up, and exactly that on
    average over seeds. Integer arithmetic.
    """
    total = sum(strata.values())
    if wanted >= total:
        return dict(strata)
    start = int.from_bytes(
        hashlib.sha256(f"{build_prefix(seed, plan)}start{SEPARATOR}{advisor_id}".encode()).digest()[
            :8
        ],
        "big",
    )
    # The k-th contact is at (start + k) × total / wanted, in units of 1 / _STARTS;
    # compare products, to avoid fractions.
    points = [(start + number * _STARTS) * total for number in range(wanted)]
    allocated, end, position = {}, 0, 0
    for name in sorted(strata):
        end += strata[name]
        first = position
        while position < wanted and points[position] < end * wanted * _STARTS:
            position += 1
        allocated[name] = position - first
    return allocated
