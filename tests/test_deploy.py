"""What an installation is made of: units, image, compose file and proxy name commands,
options, variables and files that are there. No engine and no systemd is needed.
"""

from __future__ import annotations

import configparser
import functools
import ipaddress
import os
import re
import shlex
import socket
import threading
import tomllib
import urllib.request
from contextlib import ExitStack
from email.message import Message
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from builders import nginx
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from streamlit import config
from tools import documents

from qa_core.base import environment
from qa_core.ui import asgi

PROJECT = environment.PROJECT
DEPLOY = PROJECT / "deploy"
RELEASE = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
SHIPPED = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text("utf-8"))["server"]
SERVICES = sorted(DEPLOY.glob("*.service"))
HARDENING = {
    "User": "ecoute",
    "EnvironmentFile": "/etc/ecoute/ecoute.env",
    "UMask": "0077",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "CapabilityBoundingSet": "",
}
OWN_LINES = {"Type", "ExecStart", "ExecStartPost", "Restart", "RestartSec", "TimeoutStopSec",
             "LimitNOFILE", "ReadWritePaths"}  # fmt: skip
"""Lines of a unit's own; all others are the same in every unit."""


def read_unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(path, encoding="utf-8")
    return parser


@functools.cache
def find_known_variables() -> set[str]:
    """Find the variables that the product or Streamlit reads."""
    sources = (path.read_text("utf-8") for path in (PROJECT / "qa_core").rglob("*.py"))
    own = {name for text in sources for name in re.findall(r"\bQA_[A-Z_]+[A-Z]\b", text)}
    secrets = {f"QA_SECRET_{name.upper()}" for name in environment.SECRETS}
    return own | secrets | {option.env_var for option in config._config_options_template.values()}


def require_command(words: list[str]) -> None:
    """Fail unless these words start the product: a command of it, or the app."""
    words = words[1:] if words[0] == "exec" else words
    if words[0].endswith("streamlit"):
        assert words[1:3] == ["run", "app.py"] and (PROJECT / "app.py").exists()
        assert {word[2:] for word in words[3::2]} <= set(config._config_options_template)
        return
    assert words[0].endswith("python") and words[1:3] == ["-m", "qa_core"], words
    known = dict(documents.find_commands())
    length = next(length for length in (2, 1) if " ".join(words[3 : 3 + length]) in known)
    name = " ".join(words[3 : 3 + length])
    known[name].make_context(name, words[3 + length :])


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_starts_the_product_as_a_user_that_may_do_nothing_else(path: Path) -> None:
    service = read_unit(path)["Service"]
    words = shlex.split(service["ExecStart"])

    assert HARDENING.items() <= dict(service).items()
    require_command(shlex.split(words[2]) if words[0] == "/bin/sh" else words)


def test_all_units_are_hardened_alike() -> None:
    shared = [
        {name: value for name, value in read_unit(path)["Service"].items() if name not in OWN_LINES}
        for path in SERVICES
    ]
    assert len(shared) == 5 and all(one == shared[0] for one in shared)


def test_units_name_units_and_files_that_are_there() -> None:
    for path in DEPLOY.glob("*.*"):
        for named in re.findall(r"/opt/ecoute/([\w./-]+)", path.read_text("utf-8")):
            assert named.startswith(".venv/") or (PROJECT / named).exists(), (path.name, named)
    assert read_unit(DEPLOY / "ecoute-backup.timer")["Timer"]["OnCalendar"]
    assert (DEPLOY / "ecoute-backup.service").exists()


def read_environment() -> dict[str, str]:
    """Read every variable of the example, those that are commented out too."""
    lines = (DEPLOY / "ecoute.env").read_text("utf-8").splitlines()
    found = (re.fullmatch(r"#?([A-Z_]+)=(.+)", line) for line in lines)
    return {match[1]: shlex.split(match[2])[0] for match in found if match}


def test_the_example_environment_sets_variables_that_are_read() -> None:
    values = read_environment()

    assert set(values) <= find_known_variables()
    assert values["QA_HOME"] == "/var/lib/ecoute" and "QA_DATABASE_URL" in values
    # Streamlit splits a list at blanks: with commas, no host would be served.
    assert "," not in values["STREAMLIT_SERVER_ALLOWED_HOSTS"]
    assert "127.0.0.1" in values["STREAMLIT_SERVER_ALLOWED_HOSTS"].split()


def test_the_example_of_proxies_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_PROXIES", read_environment()["QA_PROXIES"])

    assert len(environment.find_proxies()) == 2


DOCKERFILE = (PROJECT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((PROJECT / "compose.yaml").read_text("utf-8"))


def test_the_image_is_built_from_locked_packages_and_this_version() -> None:
    assert "--require-hashes -r /tmp/requirements.lock -r /tmp/requirements-postgresql.lock" in (
        DOCKERFILE
    )
    assert f'image.version="{RELEASE["version"]}"' in DOCKERFILE
    assert COMPOSE["x-ecoute"]["image"] == f"ecoute:{RELEASE['version']}"
    for version in re.findall(r"^FROM python:([\d.]+)-slim", DOCKERFILE, flags=re.M):
        assert version in SpecifierSet(RELEASE["requires-python"])


def test_the_image_holds_what_the_product_reads_and_nothing_else() -> None:
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.M)
        for name in line.split()
    ]
    ignore = (PROJECT / ".dockerignore").read_text("utf-8").split()
    let_in = [line[1:].rstrip("/") for line in ignore if line.startswith("!")]

    assert all((PROJECT / name).exists() for name in copied)
    assert ignore[0] == "*" and sorted(copied) == sorted(let_in)
    assert {"qa_core", "pages", "app.py", "pyproject.toml", ".streamlit"} <= set(copied)


def test_the_image_runs_without_rights_and_is_asked_for_its_health() -> None:
    user, command = DOCKERFILE.index("\nUSER ecoute"), DOCKERFILE.index("\nCMD ")
    asked = re.search(r"http://127\.0\.0\.1:8501(/\w+)", DOCKERFILE)

    assert user < command and "\nVOLUME /var/lib/ecoute" in DOCKERFILE
    assert asked and asked[1] in {route.path for route in asgi.ROUTES}
    require_command(yaml.safe_load(DOCKERFILE[command + 4 :]))
    names = set(re.findall(r"\b((?:QA|STREAMLIT)_[A-Z_]+)=", DOCKERFILE))
    assert names and names <= find_known_variables()


def test_the_compose_file_starts_what_is_there() -> None:
    services = COMPOSE["services"]
    app, watch, caddy = services["app"], services["watch"], services["caddy"]
    variables = app["environment"]

    assert set(services) == {"app", "watch", "pull", "database", "caddy"}
    assert set(variables) <= find_known_variables()
    assert app["cap_drop"] == watch["cap_drop"] == ["ALL"] and app["read_only"]
    # Scratch files of a process that is gone are known by its number.
    assert watch["pid"] == "service:app"
    require_command(watch["command"])
    pull = services["pull"]
    require_command(pull["command"])
    assert pull["pid"] == watch["pid"] and "front" in pull["networks"]  # which leads outside
    address = caddy["networks"]["front"]["ipv4_address"]
    [network] = COMPOSE["networks"]["front"]["ipam"]["config"]
    assert variables["QA_PROXIES"] == address
    assert ipaddress.ip_address(address) in ipaddress.ip_network(network["subnet"])
    assert caddy["volumes"][0].startswith("./deploy/Caddyfile:")
    named = {mount.split(":")[0] for service in services.values() for mount in service["volumes"]}
    assert {name for name in named if not name.startswith(".")} == set(COMPOSE["volumes"])


class _Assets(BaseHTTPRequestHandler):
    """An application that has one script, and answers with data elsewhere."""

    def do_GET(self) -> None:
        is_script = self.path.startswith("/static/")
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if is_script else "application/json")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, *_said: object) -> None:
        pass


def test_nginx_compresses_scripts_sends_hsts_and_answers_no_other_name(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with ExitStack() as opened:
        servers = [ThreadingHTTPServer(("127.0.0.1", 0), _Assets) for _number in range(2)]
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            opened.callback(server.shutdown)
        folder = tmp_path_factory.mktemp("nginx")
        proxy = opened.enter_context(nginx.serve(folder, [str(one.server_port) for one in servers]))

        def ask(path: str) -> tuple[Message, int]:
            request = urllib.request.Request(
                f"https://{proxy.host}{path}", headers={"Accept-Encoding": "gzip"}
            )
            with urllib.request.urlopen(request, context=proxy.tls) as answer:
                return answer.headers, len(answer.read())

        for path, is_small in (("/static/x.js", True), ("/api/kpi", False), ("/audio/x", False)):
            headers, size = ask(path)
            assert headers["Strict-Transport-Security"] == "max-age=31536000"
            assert (headers["Content-Encoding"] == "gzip") == (size < 1_000) == is_small
        written = (folder / "ecoute.conf").read_text()
        port = int(re.search(r"127.0.0.1:(\d+) default_server", written)[1])
        for host, first in (("dashboard.example", b"HTTP/1.1 301"), ("evil.example", b"")):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
                plain.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert plain.recv(100)[:12] == first


def test_caddy_lets_pass_what_the_app_takes_and_logs_no_query() -> None:
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    sizes = [int(size) for size in re.findall(r"max_size (\d+)MiB", text)]

    assert text.count("{") == text.count("}")
    assert sizes == [SHIPPED["maxUploadSize"] + 1]
    assert "encode @assets zstd gzip" in text and "Strict-Transport-Security" in text
    assert f"127.0.0.1:{SHIPPED['port']}" in text and "request>uri regexp" in text
    given = COMPOSE["services"]["caddy"]["environment"]
    assert set(re.findall(r"{\$(\w+)", text)) == set(given)


PAGES = sorted((PROJECT / "docs").rglob("*.md"))


def find_blocks(page: Path) -> list[str]:
    """Find the lines that a page has in blocks of commands."""
    blocks = re.findall(r"^```\n(.*?)^```", page.read_text("utf-8"), flags=re.DOTALL | re.M)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_a_page_names_variables_files_units_and_addresses_that_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    lines = "\n".join(find_blocks(page))
    for_tests = {"QA_REAL_DATA", "QA_CHROMIUM", "QA_GENERATED_FILES", "QA_BENCH_PROCESSES"}
    variables = {
        name.removesuffix("_OLD")
        for name in re.findall(r"\b(?:QA|STREAMLIT)_[A-Z_]+[A-Z]\b", text)
        if not re.match(r"QA_(?:TEST_|SECRET_NAME)", name)
    }
    files = re.findall(r"(?<![\w/.])((?:deploy/|requirements)[\w.@*/-]*)", lines)
    units = [
        word
        for line in re.findall(r"systemctl \w+(?: --now)? (.+)", lines)
        for word in line.split()
        if word.startswith("ecoute")
    ]

    assert variables <= find_known_variables() | for_tests
    assert [name for name in files if not list(PROJECT.glob(name))] == []
    for unit in units:
        name = re.sub(r"@\d+", "@", unit)
        assert (DEPLOY / (name if "." in name else f"{name}.service")).exists(), unit
    for address in re.findall(r"http://127\.0\.0\.1:8501(/\w+)", lines):
        assert address in {route.path for route in asgi.ROUTES}


def test_the_pages_for_operators_have_commands() -> None:
    for name in ("install", "upgrade", "backup", "guides/administrator"):
        assert len(find_blocks(PROJECT / "docs" / f"{name}.md")) >= 5, name


@pytest.mark.parametrize(
    "name", ["requirements-postgresql", "requirements-sources", "requirements-docs"]
)
def test_further_requirements_are_pinned(name: str) -> None:
    lines = (PROJECT / f"{name}.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line[:1].isalpha()]

    assert pinned and all(
        any(one.operator in ("~=", "==") for one in requirement.specifier) for requirement in pinned
    )


@pytest.mark.parametrize(
    ("name", "packages"),
    [
        ("requirements-postgresql.lock", {"psycopg", "psycopg-binary"}),
        ("requirements-sources.lock", {"boto3", "pymysql"}),
    ],
)
def test_locked_drivers_fit_the_other_locked_packages(name: str, packages: set[str]) -> None:
    def read(name: str) -> dict[str, str]:
        text = (PROJECT / name).read_text("utf-8")
        return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.M))

    driver, others = read(name), read("requirements.lock")

    assert packages <= set(driver)
    assert all(others.get(name, version) == version for name, version in driver.items())


def test_the_changelog_begins_with_this_version() -> None:
    text = (PROJECT / "CHANGELOG.md").read_text("utf-8")

    assert re.search(r"^## (\S+)", text, flags=re.M)[1] == RELEASE["version"]


def test_every_document_is_in_the_table_of_contents() -> None:
    index = (PROJECT / "docs" / "index.md").read_text("utf-8")
    listed = [
        line
        for block in re.findall(r"```{toctree}\n(.*?)```", index, flags=re.DOTALL)
        for line in block.splitlines()
        if line and not line.startswith(":")
    ]
    pages = [*PROJECT.glob("*.md"), PROJECT / "data" / "README.md", *PROJECT.glob("docs/**/*.md")]
    for page in pages:
        name = os.path.relpath(page, PROJECT / "docs").removesuffix(".md")
        assert name == "index" or any(fnmatch(name, pattern) for pattern in listed), name
