"""Visitors of a page, and the password of people in tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PASSWORD = "Violet-Harbour-27-lamps"


@dataclass(frozen=True)
class Visitor:
    """A browser as Streamlit knows it: what its connection brought along."""

    headers: tuple[tuple[str, str], ...] = (
        ("Host", "localhost:8501"),
        ("User-Agent", "a test"),
        ("Accept-Language", "en"),
    )
    cookies: Mapping[str, str] = field(default_factory=dict)
    remote_ip: str | None = "127.0.0.1"
