"""Finds a Chromium for the browser tests, or installs one where that can be done; run
as a script it says what it did.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("chromium-headless-shell", "chromium")
"""The first is the same engine without windows: it takes a quarter less of the processor."""
NAMES = (*PACKAGES, "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of a Chromium: `QA_CHROMIUM`, one on the PATH, or the one that
    Playwright downloaded.
    """
    for candidate in (os.environ.get("QA_CHROMIUM"), *(shutil.which(name) for name in NAMES)):
        if candidate and Path(candidate).exists():
            return candidate
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> str | None:
    """Try the system's packages where we are root, then Playwright's own download."""
    attempts = []
    if shutil.which("apt-get") and os.geteuid() == 0:
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "fonts-liberation"]
        attempts += [["apt-get", "update", "-qq"], *([*install, name] for name in PACKAGES)]
    attempts.append([sys.executable, "-m", "playwright", "install", "chromium"])
    for command in attempts:
        try:
            subprocess.run(
                command,
                check=False,
                timeout=600,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if found := find():
            return found
    return None


if __name__ == "__main__":
    found = find() or install()
    print(
        f"Browser tests run in {found}"
        if found
        else "No Chromium was found and none could be installed: the browser tests will be skipped."
    )
