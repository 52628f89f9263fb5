"""The draw in plain Python over a frame in memory: the twin of what the engine draws from
the lake.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from qa_core.quality.sampling.allocation import SEPARATOR, allocate, build_prefix


def compute_ticket(seed: int, plan: str, source_system: str, contact_id: str) -> str:
    """Return the sort key of a contact in that draw: 64 hexadecimal digits."""
    return hashlib.sha256(
        f"{build_prefix(seed, plan)}{source_system}{SEPARATOR}{contact_id}".encode()
    ).hexdigest()


def draw(
    frame: Mapping[str, Mapping[str, list[tuple[str, str]]]],
    wanted: Mapping[str, int],
    seed: int,
    plan: str,
) -> list[tuple[str, tuple[str, str]]]:
    """Draw from a frame in memory (advisor → stratum → keys); return (advisor, key) in
    drawn order.
    """
    drawn = []
    for advisor_id, strata in frame.items():
        allocated = allocate(
            {name: len(keys) for name, keys in strata.items()},
            wanted.get(advisor_id, 0),
            seed,
            plan,
            advisor_id,
        )
        for name, count in allocated.items():
            order = (
                sorted(strata[name], key=lambda key: compute_ticket(seed, plan, *key))
                if count
                else []
            )
            drawn += [(advisor_id, key) for key in order[:count]]
    return sorted(drawn, key=lambda entry: (compute_ticket(seed, plan, *entry[1]), entry[1]))
