"""The command line of Écoute (docs/contract.md, section 3): 0 done, 1 refused or failed
in one clear line, 2 wrong usage.
"""

from __future__ import annotations

import sys

from qa_core.cli.app import run

if __name__ == "__main__":
    # A file's name, or a text in it, may hold what the terminal cannot show; that is no
    # reason to fail.
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))
