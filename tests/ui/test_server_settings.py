"""The settings that the app ships with: what protects, what says nothing to strangers,
and one theme in light and dark.
"""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from builders.forked_python import forked_python
from builders.wires import Wire

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.centre import settings
from qa_core.storage.records import store
from qa_core.ui.server import connections

CONFIG = tomllib.loads(
    (environment.PROJECT / ".streamlit" / "config.toml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("server", "address", "127.0.0.1"),
        ("server", "enableCORS", True),
        ("server", "enableXsrfProtection", True),
        ("server", "allowedHosts", ["localhost", "127.0.0.1", "::1"]),
        ("server", "maxUploadSize", 20),
        ("server", "enableStaticServing", False),
        ("server", "enableAgentApi", False),
        ("server", "disconnectedSessionTTL", 30),
        ("server", "trustedUserHeaders", {connections.BROWSER_HEADER: "browser"}),
        ("server", "headless", True),
        ("client", "showErrorDetails", "none"),
        ("client", "toolbarMode", "minimal"),
        ("client", "disableDataExport", True),
        ("browser", "gatherUsageStats", False),
        ("runner", "magicEnabled", False),
    ],
)
def test_the_app_ships_with_safe_settings(section: str, name: str, value: object) -> None:
    assert CONFIG[section][name] == value


def test_every_setting_is_one_that_streamlit_knows() -> None:
    from streamlit import config

    flat = {
        f"{section}.{name}"
        for section, entries in CONFIG.items()
        if section != "theme"
        for name in entries
    }
    assert flat <= set(config._config_options_template)


def test_both_themes_set_the_same_colours() -> None:
    light, dark = CONFIG["theme"]["light"], CONFIG["theme"]["dark"]

    assert light.keys() == dark.keys()
    assert len(light["chartCategoricalColors"]) == len(dark["chartCategoricalColors"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [("short", "shorter than 32 bytes"), ("open", "Other users of this machine can read")],
)
def test_the_server_does_not_start_on_a_weak_secret(wrong: str, message: str, centre: Path) -> None:
    environment.secret("cookie")
    path = centre / "secrets" / "cookie"
    if wrong == "short":
        path.write_bytes(b"short")
    else:
        path.chmod(0o644)

    done = start_server(centre, "print('served')")

    assert done.returncode == 1 and "served" not in done.stdout
    assert message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("mode", [None, 0o777])
def test_what_the_server_writes_is_its_owners_alone(tmp_path: Path, mode: int | None) -> None:
    home = tmp_path / "home"
    if mode is not None:
        home.mkdir()
        home.chmod(mode)

    after = "print(resource.getrlimit(resource.RLIMIT_CORE))"  # no image of its memory
    done = start_server(home, after, before="import os, resource; os.umask(0)")

    assert done.returncode == 0 and done.stdout.endswith("\n(0, 0)\n"), done.stderr
    assert {path.stat().st_mode & 0o077 for path in (home, *home.rglob("*"))} == {0}


def start_server(centre: Path, then: str, before: str = "") -> subprocess.CompletedProcess[str]:
    script = f"{before}\nfrom qa_core.ui import asgi; asgi.check_start()\n{then}"
    return subprocess.run(
        [*forked_python(), "-c", script],
        capture_output=True,
        text=True,
        cwd=environment.PROJECT,
        env={**os.environ, "QA_HOME": str(centre)},
    )


def test_no_log_of_the_server_quotes_what_an_error_quotes(centre: Path) -> None:
    done = start_server(
        centre,
        """
import logging, sys
for name in ("qa_core", "qa_core.journal", "streamlit", "uvicorn.error", "asyncio"):
    try:
        int(sys.argv[0] + "0612345678")
    except ValueError as error:
        logging.getLogger(name).error("it failed \\33[2J", exc_info=RuntimeError(error))
        logging.getLogger(name).exception("it failed")
""",
    )

    assert done.stderr.count("it failed") == 10
    assert "0612345678" not in done.stderr and "\33" not in done.stderr
    assert [done.stderr.count(name) for name in ("ValueError", "RuntimeError")] == [5, 5]


def test_files_are_taken_from_who_may_send_them_and_an_unknown_provider_is_refused(
    add_person: Callable[..., str],
) -> None:
    wires = [Wire(add_person(role, role)) for role in ("dpo", "manager", "admin")]

    sent = [wire.ask("/_stcore/upload_file/one/two", method="PUT")[0] for wire in wires]

    # No file is waited for there: past the wall, nothing is found.
    assert sent == [403, 403, 404]
    assert wires[0].ask("/sign-in/nobody")[0] == 403
    with store.writing() as session:
        settings.set_value(session, Viewer.SYSTEM, "second_factor", "deciding")
    assert wires[2].ask("/_stcore/upload_file/one/two", method="PUT")[0] == 403
