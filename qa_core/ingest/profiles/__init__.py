"""Profiles: what a kind of file carries and how its rows become facts; data and small functions, one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_

if TYPE_CHECKING:
    from qa_core.ingest.columns.column_inference import Chunk, Context
    from qa_core.ingest.columns.header_matching import Column


class Reads(StrEnum):
    """What the cells of a field are read as."""

    TEXT = "text"
    LABEL = "label"  # a text whose different values are looked at
    MOMENT = "moment"
    DURATION = "duration"
    NUMBER = "number"
    WHOLE = "whole"
    MARK = "mark"
    BOOLEAN = "boolean"
    OUTCOME = "outcome"
    DIRECTION = "direction"
    CHANNEL = "channel"
    CUSTOMER = "customer"
    PARTY = "party"
    CRITERION = "criterion"


@dataclass(frozen=True)
class Field:
    """One field that a file may carry. `synonyms`: headers by which it is recognised, best first, separated by `|`; its name is one too.

    `low` and `high`: what a number may be at all. `of_many`: seconds of many contacts together, so that great numbers are no sign of milliseconds.
    """

    name: str
    reads: Reads
    synonyms: str = ""
    low: float | None = None
    high: float | None = None
    of_many: bool = False

    @property
    def is_identity(self) -> bool:
        return self.reads in (Reads.CUSTOMER, Reads.PARTY)


@dataclass(frozen=True)
class Profile:
    """One form that files take.

    `needs`: groups of fields of which each file has at least one. `claim` may take columns that no field names. `settle` is called
    once, when the whole file has been seen: it decides what the columns are used for. `build` turns one chunk of rows into the
    columns of `staged.SCHEMAS[kind]`. `finish` is called after the last one. `signature`: headers (simplified)
    which together belong to one product only, so that the profile recognises itself.
    """

    name: str
    kind: str
    fields: tuple[Field, ...]
    needs: tuple[tuple[str, ...], ...]
    settle: Callable[[Context], None]
    build: Callable[[Context, Chunk], Mapping[str, pa.Array]]
    finish: Callable[[Context], None] | None = None
    claim: Callable[[tuple[str, ...], dict[str, Column]], None] | None = None
    signature: tuple[str, ...] = ()

    def get_field(self, name: str) -> Field | None:
        return next((item for item in self.fields if item.name == name), None)


def find_profiles() -> tuple[Profile, ...]:
    """Every profile; the first of a kind is its generic one."""
    from qa_core.ingest.profiles import (
        advisors,
        contacts,
        evaluations,
        google_ads_calls,
        intervals,
        recordings,
        spend,
        surveys,
        three_cx,
        tracking,
        vocalcom_hermes,
    )

    generic = (contacts, tracking, surveys, spend, intervals, advisors, evaluations, recordings)
    return tuple(module.PROFILE for module in (*generic, three_cx, vocalcom_hermes, google_ads_calls))


def get_profile(kind: str, name: str | None) -> Profile:
    """The profile of that kind and name (default: the generic one). Raises Refusal when there is none."""
    from qa_core.ingest.platforms import find_platforms

    of_kind = [profile for profile in find_profiles() if profile.kind == kind]
    for profile in of_kind:
        if name in (None, profile.name):
            return profile
    names = [profile.name for profile in of_kind] + [platform.name for platform in find_platforms() if kind in platform.kinds]
    known = ", ".join(names)
    raise Refusal(
        "unknown_profile",
        N_("There is no profile {profile} for {kind}; there is: {known}."),
        options=tuple(f"--profile {name}" for name in names),
        profile=name or kind,
        kind=kind,
        known=known or "–",
    )
