"""Output of every command: one JSON document, and exit codes."""

import json
import sys
from typing import Any

DONE, REFUSED, WRONG_USAGE = 0, 1, 2


def print_json(document: Any) -> None:
    """Print the one JSON document of a command on stdout."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")
