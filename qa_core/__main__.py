"""The command line of Écoute (docs/contract.md, section 3): 0 done, 1 refused or failed
in one clear line, 2 wrong usage.
"""

from __future__ import annotations

import gc
import sys

OBJECTS_BETWEEN_COLLECTIONS = 500_000
"""Python's own 700 spend a fifth of a start on looking for garbage among what stays."""

if __name__ == "__main__":
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    from qa_core.cli.app import run  # loads thousands of objects that stay

    # A file's name, or a text in it, may hold what the terminal cannot show; that is no
    # reason to fail.
    sys.stdout.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:])
    gc.freeze()  # leaving would look through everything once more, which takes 0.4 s
    sys.exit(code)
