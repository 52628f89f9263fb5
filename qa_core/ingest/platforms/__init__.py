"""Platforms: tools whose export is no plain table of contacts; one file each, which recognises its own exports and says what they mean."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_

if TYPE_CHECKING:
    from qa_core.files.sample import Sample
    from qa_core.ingest.platforms.call_legs import Chain
    from qa_core.ingest.platforms.reader import Bench, Work


@dataclass(frozen=True)
class Platform:
    """One tool, and how its export becomes contacts.

    `recognise` looks at the beginning of a file and must be sure: a plain table belongs to the generic profile.
    `read` streams the export as tables of `schema`: one record per leg or event, `line` first, identities already pseudonyms
    (`Work.tables` does it); what it does not yield it counts with `Work.skip` or `Work.reject`.
    `fold` is asked for the SELECT over the view `records` that gives one row per contact: `line`, `started_at` in UTC, and the columns
    of `staged.SCHEMAS`. Records beyond the rows it gives count as folded (`leg`), unless it says otherwise with `Work.fold`.
    `group`: the column that all records of one contact share. Large files are then folded part by part; None where the records of
    a contact are found only by following them.
    `chain`: how its legs name each other, where they may come in different files; `fold` then leaves the table `roots`.
    `is_local`: the export writes the wall clock of its server; `Work.tables` turns its moments into UTC.
    `finish` says what can be said only when everything is folded. `mapping`: field → what of the export it comes from,
    for the report. `shown`: what a rejected record shows of itself.
    """

    name: str
    title: str
    recognise: Callable[[Sample], bool]
    schema: pa.Schema
    read: Callable[[Work], Iterator[pa.Table]]
    fold: Callable[[Bench], str]
    mapping: Mapping[str, str]
    kinds: tuple[str, ...] = ("contacts",)
    group: str | None = None
    chain: Chain | None = None
    is_local: bool = False
    finish: Callable[[Work], None] | None = None
    shown: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=lambda: {"channel": "phone"})


@cache
def find_platforms() -> tuple[Platform, ...]:
    """Every platform, by name: one per module of this package."""
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return tuple(sorted((module.PLATFORM for module in modules), key=lambda platform: platform.name))


def find_platform(sample: Sample, kind: str, wanted: str | None = None) -> Platform | None:
    """The platform that a file is an export of: the one asked for by name, else the one that recognises it; None when it is none of them.

    Raises Refusal when the export says nothing of that kind.
    """
    platforms = find_platforms()
    if wanted is not None:
        found = next((platform for platform in platforms if platform.name == wanted), None)
    else:
        found = next((platform for platform in platforms if platform.recognise(sample)), None)
    if found is not None and kind not in found.kinds:
        if wanted is None and not sample.is_document and kind not in ("contacts", "tracking", "intervals"):
            return None
        raise Refusal(
            "other_kind",
            N_("{name} is an export of {platform}, which holds {kinds}, not {kind}."),
            options=tuple(f"import {known}" for known in found.kinds),
            name=sample.name,
            platform=found.title,
            kinds=", ".join(found.kinds) or "–",
            kind=kind,
        )
    return found
