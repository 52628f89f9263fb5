"""Count the product's lines by room, as the formatter lays them out at 100 columns:
Python, CSS, JS, HTML.

Run: python tests/tools/count_lines.py [FOLDER]. Blank lines and comments count;
catalogues, documents and tests do not. What is declared in TOML and Markdown under
qa_core is counted apart.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

COLUMNS = 100
PROJECT = Path(__file__).resolve().parents[2]
SUFFIXES = (".py", ".css", ".js", ".html")
DECLARED = (".toml", ".md")


def count(project: Path = PROJECT) -> Counter[str]:
    """Count lines by room: `metrics` for qa_core/metrics/, `pages` for pages/, `app`
    for app.py and the package's own files.
    """
    lines: Counter[str] = Counter()
    for path in sorted(
        [project / "app.py", *(project / "pages").rglob("*"), *(project / "qa_core").rglob("*")]
    ):
        if path.suffix not in SUFFIXES:
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            command = [
                "ruff",
                "format",
                "--isolated",
                "--line-length",
                str(COLUMNS),
                "--stdin-filename",
                str(path),
                "-",
            ]
            text = subprocess.run(
                [str(Path(sys.executable).with_name(command[0])), *command[1:]],
                input=text,
                text=True,
                capture_output=True,
                check=True,
            ).stdout
        lines[_room_of(path.relative_to(project))] += text.count("\n")
    return lines


def count_declared(project: Path = PROJECT) -> Counter[str]:
    """Count the lines under qa_core/ that are declared, by suffix and room."""
    return Counter(
        f"{path.suffix[1:]} of {_room_of(path.relative_to(project))}"
        for path in (project / "qa_core").rglob("*")
        if path.suffix in DECLARED
        for _line in path.read_text(encoding="utf-8").splitlines()
    )


def _room_of(path: Path) -> str:
    if path.parts[0] == "qa_core" and len(path.parts) > 2:
        return path.parts[1]
    return path.parts[0] if len(path.parts) > 1 and path.parts[0] == "pages" else "app"


if __name__ == "__main__":
    project = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PROJECT
    for counted, what in (
        (count(project), "in all"),
        (count_declared(project), "declared, not in the sum above"),
    ):
        for room, number in sorted(counted.items()):
            print(f"{number:7,}  {room}")
        print(f"{counted.total():7,}  {what}")
