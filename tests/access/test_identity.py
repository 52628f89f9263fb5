"""Sign-in by an identity provider: an honest one from PyPI, and one that errs or lies."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import oidc_provider_mock
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from qa_core.access import accounts, identity, sessions
from qa_core.access.roles import Role, Viewer
from qa_core.access.sessions import Browser
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.storage.records import store
from qa_core.storage.records.people import Account

HERE = Browser(b"0123456789abcdef", "Firefox", "192.0.2.7")
BACK = "http://localhost:8501/sign-in/corporate/callback"
KEY, OTHER_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))
GRANTS = """
[[provider.grant]]
group = "quality-managers"
role = "manager"
sites = ["Lyon"]
[[provider.grant]]
group = "leads-blue"
role = "team_lead"
teams = ["Blue"]
[[provider.grant]]
group = "leads-red"
role = "team_lead"
teams = ["Red"]
"""


def configure(issuer: str, username_claim: str = "preferred_username") -> identity.Provider:
    file = identity.config_file()
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(
        f"""[[provider]]
name = "corporate"
title = "Corporate account"
issuer = "{issuer}"
client_id = "ecoute"
client_secret = "secret"
username_claim = "{username_claim}"
{GRANTS}""",
        encoding="utf-8",
    )
    return identity.find_providers()["corporate"]


class LyingProvider(BaseHTTPRequestHandler):
    """Provider whose next token is what the test wants it to be."""

    claims: dict[str, Any] = {}
    key: Any = KEY
    algorithm = "RS256"
    nonce = ""

    def do_GET(self) -> None:
        issuer = f"http://localhost:{self.server.server_port}"
        if self.path.startswith("/keys"):
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            return self.answer({"keys": [{**public, "kid": "one", "use": "sig"}]})
        names = ("authorization", "token")
        return self.answer(
            {
                "issuer": issuer,
                "jwks_uri": f"{issuer}/keys",
                **{f"{name}_endpoint": f"{issuer}/{name}" for name in names},
            }
        )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        present = int(time.time())
        claims = {
            "iss": f"http://localhost:{self.server.server_port}",
            "sub": "1",
            "aud": "ecoute",
            "iat": present,
            "exp": present + 60,
            "nonce": LyingProvider.nonce,
            "preferred_username": "Ann",
            "name": "Ann Moreau",
            "groups": ["leads-blue"],
            **LyingProvider.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        key = None if LyingProvider.algorithm == "none" else LyingProvider.key
        token = jwt.encode(claims, key, LyingProvider.algorithm, headers={"kid": "one"})
        self.answer({"id_token": token, "access_token": "x", "token_type": "Bearer"})

    def answer(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_about: Any) -> None:
        pass


@pytest.fixture
def lying(centre) -> Iterator[identity.Provider]:
    server = ThreadingHTTPServer(("localhost", 0), LyingProvider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    LyingProvider.claims, LyingProvider.key, LyingProvider.algorithm = {}, KEY, "RS256"
    yield configure(f"http://localhost:{server.server_port}")
    server.shutdown()
    server.server_close()


def sign_in(provider: identity.Provider, **claims: Any) -> str:
    """Sign in, with a token of these claims; the name of the account."""
    address, kept = identity.begin(provider, BACK, HERE)
    asked = parse_qs(urlsplit(address).query)
    LyingProvider.claims, LyingProvider.nonce = claims, asked["nonce"][0]
    token = identity.finish(provider, kept, asked["state"][0], "code", HERE)
    return sessions.resume(token, HERE).viewer.username


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def test_a_person_signs_in_at_a_real_provider_and_has_the_role_of_their_group(centre) -> None:
    user = oidc_provider_mock.User(
        sub="ann@example.org", claims={"groups": ["quality-managers"], "name": "Ann Moreau"}
    )
    with oidc_provider_mock.run_server_in_thread(user_claims=[user]) as server:
        provider = configure(f"http://localhost:{server.server_port}", username_claim="sub")
        address, kept = identity.begin(provider, BACK, HERE)
        answer = requests.post(
            address, data={"sub": "ann@example.org"}, allow_redirects=False, timeout=10
        )
        given = parse_qs(urlsplit(answer.headers["Location"]).query)
        token = identity.finish(provider, kept, given["state"][0], given["code"][0], HERE)
        with pytest.raises(Refusal):  # the same answer again
            identity.finish(provider, kept, given["state"][0], given["code"][0], HERE)

    viewer = sessions.resume(token, HERE).viewer
    assert (viewer.username, viewer.role) == ("ann@example.org", Role.MANAGER)
    assert viewer.display_name == "Ann Moreau"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another client"},
        {"aud": ["ecoute", "another"], "azp": "another"},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_opens_nothing(
    lying: identity.Provider, claims: dict[str, Any]
) -> None:
    with pytest.raises(Refusal) as refused:
        sign_in(lying, **claims)
    assert refused.value.code == "identity_refused"
    with pytest.raises(AccessDenied):
        viewer_of("ann")


@pytest.mark.parametrize("way", ["none", "another key", "shared secret"])
def test_a_token_that_the_provider_did_not_sign_opens_nothing(
    lying: identity.Provider, way: str
) -> None:
    if way == "another key":
        LyingProvider.key = OTHER_KEY
    else:
        LyingProvider.algorithm = "none" if way == "none" else "HS256"
        LyingProvider.key = "secret" * 8
    with pytest.raises(Refusal) as refused:
        sign_in(lying)
    assert refused.value.code == "identity_refused"


def test_an_answer_is_of_its_browser_its_sign_in_and_ten_minutes(
    lying: identity.Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, kept = identity.begin(lying, BACK, HERE)
    state = parse_qs(urlsplit(address).query)["state"][0]

    for attempt in (
        lambda: identity.finish(lying, kept, "another state", "code", HERE),
        lambda: identity.finish(lying, kept, state, "code", Browser(b"another browser!")),
        lambda: identity.finish(lying, kept, state, "code", Browser(b"")),
        lambda: identity.finish(lying, "", state, "code", HERE),
        lambda: identity.finish(lying, kept[:-2] + "AA", state, "code", HERE),
    ):
        with pytest.raises(AccessDenied):
            attempt()
    late = time.time() + 601
    monkeypatch.setattr(identity.time, "time", lambda: late)
    with pytest.raises(AccessDenied):
        identity.finish(lying, kept, state, "code", HERE)


def test_groups_give_change_and_take_away(lying: identity.Provider) -> None:
    assert sign_in(lying, groups=["leads-red", "leads-blue", "other"]) == "ann"
    assert {span.team for span in viewer_of("ann").led_teams} == {"Blue", "Red"}

    assert sign_in(lying, groups=["quality-managers", "leads-red"]) == "ann"
    assert viewer_of("ann").role == Role.MANAGER

    with pytest.raises(Refusal) as refused:
        sign_in(lying, groups=["other"])
    assert refused.value.code == "no_group"
    with pytest.raises(AccessDenied):
        viewer_of("ann")
    with pytest.raises(Refusal) as refused:
        sign_in(lying, groups=["quality-managers"])
    assert refused.value.code == "closed_account"


def test_no_password_opens_such_an_account_and_no_provider_takes_a_local_one(
    lying: identity.Provider, add_person: Callable[..., str]
) -> None:
    sign_in(lying)
    for password in ("", "x"):
        with pytest.raises(Refusal) as refused:
            sessions.sign_in("ann", password, HERE, one_time_days=7)
        assert refused.value.code == "sign_in_failed"

    add_person("root", "admin")
    with pytest.raises(Refusal) as refused:
        sign_in(lying, sub="2", preferred_username="root")
    assert refused.value.code == "username_taken"
    with store.reading() as session:
        assert session.get(Account, "root").role == "admin"


@pytest.mark.parametrize("fault", ["open", "broken", "unknown role"])
def test_a_bad_file_is_refused_at_the_start(lying: identity.Provider, fault: str) -> None:
    file = identity.config_file()
    if fault == "open":
        file.chmod(0o644)
    else:
        content = "[[" if fault == "broken" else file.read_text().replace("team_lead", "emperor")
        file.write_text(content)
    with pytest.raises(Refusal):
        identity.find_providers()
