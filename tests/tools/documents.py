"""Write the generated parts of the documents between their markers: python
tests/tools/documents.py, or `make documents`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]


def draw_rooms() -> str:
    """Draw the rooms and their arrows from the imports."""
    from tools import rooms

    return rooms.draw_diagram(rooms.find_arrows(rooms.find_imports(rooms.find_modules())))


def list_unscoped() -> str:
    """List the statements without a scope."""
    from tools import row_access

    return row_access.list_reasons(row_access.UNSCOPED)


def list_beyond() -> str:
    """List the statements that look beyond a scope."""
    from tools import row_access

    return row_access.list_reasons(row_access.BEYOND)


def list_system() -> str:
    """List what asks as the system."""
    from tools import row_access

    return row_access.list_system()


PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("architecture.md", "rooms"): draw_rooms,
    ("access.md", "unscoped"): list_unscoped,
    ("access.md", "beyond"): list_beyond,
    ("access.md", "system"): list_system,
}
"""The generated parts: document and name of the part."""


def fill(text: str, part: str, content: str) -> str:
    """Put the content between `<!-- part -->` and `<!-- /part -->`."""
    return re.sub(
        rf"(<!-- {part} -->\n).*?(<!-- /{part} -->)",
        lambda found: found[1] + content + "\n" + found[2],
        text,
        count=1,
        flags=re.DOTALL,
    )


def refresh() -> None:
    """Bring every generated part up to date."""
    for (document, part), build in PARTS.items():
        path = PROJECT / "docs" / document
        path.write_text(fill(path.read_text(encoding="utf-8"), part, build()), encoding="utf-8")


if __name__ == "__main__":
    refresh()
