"""The command line of Écoute (CONTRACT.md section 3): 0 done, 1 refused or failed in one clear line, 2 wrong usage."""

from __future__ import annotations

import sys

from qa_core.commands import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
