"""Register of the sources: added with their secret, listed, removed."""

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Misuse, Refusal, build_unknown, require_known
from qa_core.base.i18n import N_
from qa_core.base.row_values import build_from_row
from qa_core.files.options import ImportOptions, require_kind
from qa_core.sources import platforms
from qa_core.sources.protocol.declaration import SourceAccess, SourcePlatform
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.sources import PulledSource

PLATFORMS: Mapping[str, SourcePlatform] = {
    name: importlib.import_module(f"{platforms.__name__}.{name}").PLATFORM
    for name in platforms.NAMES
}
OWN_KINDS = ("contacts", "intervals", "spend")
"""Kinds whose rows are known within their system alone."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class SourceEntry:
    """Source without its secret."""

    name: str
    platform: str
    kind: str
    address: str
    statement: str | None
    options: Mapping[str, Any]
    since: date

    @property
    def declared(self) -> SourcePlatform:
        return PLATFORMS[self.platform]

    @property
    def timezone(self) -> str:
        return self.options.get("timezone") or environment.current().timezone

    @property
    def system(self) -> str | None:
        """Name of the system of its rows; None: the name of its reader, or any system for rows
        that join contacts.
        """
        is_own = self.kind in OWN_KINDS and not self.declared.profile
        return self.options.get("system") or (self.name if is_own else None)

    def build_options(self, dry_run: bool = False) -> ImportOptions:
        """Build the options of the import of what it brings."""
        return ImportOptions(
            system=self.system,
            profile=self.options.get("profile") or self.declared.profile,
            timezone=self.options.get("timezone"),
            dry_run=dry_run,
        )

    def open(self, wait: Callable[[float], None]) -> SourceAccess:
        path = _find_secret_file(self.name)
        secret = environment.read_private(path).decode() if path.exists() else None
        return SourceAccess(self.address, secret, self.statement, self.timezone, wait)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "platform": self.platform,
            "kind": self.kind,
            "url": self.address,
            "basis": self.declared.basis,
            "since": self.since.isoformat(),
            **self.options,
        }


def add(
    viewer: Viewer,
    name: str,
    platform: str,
    kind: str,
    address: str | None = None,
    statement: str | None = None,
    since: date | None = None,
    secret: str | None = None,
    options: Mapping[str, str | None] | None = None,
) -> SourceEntry:
    """Add a source; its days from `since` on (default: today) are pulled from now on. Needs
    MANAGE_SETTINGS. Raises Misuse or Refusal for values that do not fit, and for a host that
    the operator does not allow.
    """
    viewer.require(Permission.MANAGE_SETTINGS)
    require_known(platform, PLATFORMS, "unknown_platform")
    require_kind(kind)
    declared = PLATFORMS[platform]
    if not _NAME.fullmatch(name):
        raise Misuse(
            "bad_source_name", "Name a source with a-z, 0-9, - and _, not {name}.", name=name
        )
    address = address or declared.address
    values = {"address": address, "secret": secret, "statement": statement}
    if missing := [item for item in declared.asks if not values[item]]:
        raise Misuse("missing_value", "This platform needs {names}.", names=", ".join(missing))
    chosen = {key: value for key, value in (options or {}).items() if value}
    entry = SourceEntry(
        name, platform, kind, address, statement, chosen, since or environment.today()
    )
    entry.build_options()  # raises Misuse
    entry = replace(entry, address=declared.check(address, statement))
    if find(name) is not None:
        raise Refusal("known_source", "{name} already exists. Choose another name.", name=name)
    if secret:
        environment.write_private(_find_secret_file(name), secret.strip().encode(), overwrite=True)
    with store.writing() as session:
        session.add(
            PulledSource(
                name=name, platform=platform, kind=kind, address=entry.address, statement=statement,
                options=chosen, since=entry.since, created_by=viewer.username,
            )
        )  # fmt: skip
        audit_log.record(session, viewer.username, "source_added", name)
    return entry


def remove(viewer: Viewer, name: str) -> None:
    """Remove a source and its secret; what it brought stays. Needs MANAGE_SETTINGS."""
    viewer.require(Permission.MANAGE_SETTINGS)
    get(name)
    with store.writing() as session:
        session.execute(sa.delete(PulledSource).where(PulledSource.name == name))
        audit_log.record(session, viewer.username, "source_removed", name)
    _find_secret_file(name).unlink(missing_ok=True)


def find_sources(viewer: Viewer) -> list[SourceEntry]:
    """List the sources by name. Needs MANAGE_IMPORTS."""
    viewer.require(Permission.MANAGE_IMPORTS)
    with store.reading() as session:
        rows = session.scalars(sa.select(PulledSource).order_by(PulledSource.name)).all()
        return [build_from_row(SourceEntry, row) for row in rows]


def find(name: str) -> SourceEntry | None:
    with store.reading() as session:
        row = session.get(PulledSource, name)
        return row and build_from_row(SourceEntry, row)


def get(name: str) -> SourceEntry:
    """Get a source. Raises Refusal for an unknown one."""
    entry = find(name)
    if entry is None:
        raise build_unknown("unknown_source", N_("Source"), name, "python -m qa_core sources list")
    return entry


def _find_secret_file(name: str) -> Path:
    return environment.current().secrets_folder / f"source-{name}"
