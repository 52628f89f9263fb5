"""Files as accidents leave them: cut, overwritten, sprinkled with what no export should
hold.
"""

from __future__ import annotations

import random


def mutate(rng: random.Random, content: bytes) -> bytes:
    """The file with one to twelve places changed: something put in, some bytes lost,
    one byte become another.
    """
    pieces = [
        b",",
        b'"',
        b"\n",
        b";",
        b"\x00",
        b"\xff",
        b"NULL",
        b"-1",
        b"99999999999999999999",
        b"\r",
        b"31/02/2024",
        b"=cmd()",
        b"\xc3\xa9",
        b"  ",
        b"1e999",
        b"0:99:99",
    ]
    changed = bytearray(content)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(changed) + 1)
        choice = rng.random()
        if choice < 0.5:
            changed[at:at] = rng.choice(pieces)
        elif choice < 0.8:
            del changed[at : at + rng.randint(1, 30)]
        else:
            changed[at : at + 1] = bytes([rng.randrange(256)])
    return bytes(changed)
