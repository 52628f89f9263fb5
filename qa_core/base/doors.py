"""Doors: the functions that write contacts, recordings, playbacks, draws and evaluations, by which
a rule of the law could be passed (docs/compliance.md, section 1).
"""

from collections.abc import Callable
from typing import TypeVar

Writer = TypeVar("Writer", bound=Callable[..., object])
DOORS: dict[str, str] = {}
"""Name of each function, with its module → the table that it writes."""


def writes(table: str) -> Callable[[Writer], Writer]:

    def register(function: Writer) -> Writer:
        DOORS[f"{function.__module__}.{function.__qualname__}"] = table
        return function

    return register
