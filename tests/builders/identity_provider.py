"""An identity provider whose tokens are what the test wants them to be, honest or not."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from qa_core.access import identity

KEY, OTHER_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))
PUBLIC_KEY = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
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
[[provider.grant]]
group = "privacy"
role = "dpo"
"""


class Provider(ThreadingHTTPServer):
    """A provider that sends every visitor back at once. A claim that is None is left out."""

    def __init__(self) -> None:
        super().__init__(("localhost", 0), _Handler)
        self.issuer = f"http://localhost:{self.server_port}"
        self.claims: dict[str, Any] = {}
        self.answer: dict[str, str | None] = {}
        self.discovery: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.key: Any = KEY
        self.algorithm, self.kid = "RS256", "one"
        self.asked: dict[str, str] = {}
        self.codes: dict[str, str] = {}
        self.takes_codes_twice = False

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign a token; by hand where the library refuses to make one so wrong."""
        present = int(time.time())
        usual = {"iss": self.issuer, "aud": "ecoute", "iat": present, "exp": present + 60}
        claims = {name: value for name, value in (usual | claims).items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.kid}
        if self.algorithm != "HS256":
            key = None if self.algorithm == "none" else self.key
            return jwt.encode(claims, key, self.algorithm, headers=header)
        text = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{encode(hmac.digest(self.key, text.encode(), hashlib.sha256))}"

    def build_logout(self, **claims: Any) -> str:
        """Build a logout token: of the subject, unless the claims say else."""
        usual = {
            "sub": "1",
            "jti": secrets.token_hex(8),
            "events": {identity.LOGOUT_EVENT: {}},
        }
        return self.sign(usual | claims)

    def build_id_token(self, nonce: str) -> str:
        """Build the ID token of a sign-in: of Ann, unless the claims say else."""
        usual = {
            "sub": "1",
            "nonce": nonce,
            "auth_time": int(time.time()),
            "preferred_username": "Ann",
            "name": "Ann Moreau",
            "groups": ["leads-blue"],
        }
        return self.sign(usual | self.claims)


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        provider, parts = self.server, urlsplit(self.path)
        if parts.path == "/keys":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            self.send({"keys": [{**public, "kid": "one", "use": "sig"}]})
        elif parts.path == "/authorization":
            provider.asked = {name: value for name, [value] in parse_qs(parts.query).items()}
            code = secrets.token_hex(8)
            provider.codes[code] = provider.asked["nonce"]
            answer = {"code": code, "state": provider.asked["state"], **provider.answer}
            answer = {name: value for name, value in answer.items() if value is not None}
            self.send_response(302)
            self.send_header("Location", f"{provider.asked['redirect_uri']}?{urlencode(answer)}")
            self.end_headers()
        elif parts.path == "/userinfo":
            self.send(provider.userinfo)
        else:
            endpoints = {
                f"{name}_endpoint": f"{provider.issuer}/{name}"
                for name in ("authorization", "token", "userinfo", "end_session")
            }
            known = {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/keys"}
            told = {**known, **endpoints, **provider.discovery}
            self.send({name: value for name, value in told.items() if value is not None})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        nonce = self.server.codes.pop(form["code"][0], None)
        if self.server.takes_codes_twice:
            self.server.codes[form["code"][0]] = nonce
        if nonce is None:
            self.send({"error": "invalid_grant"}, 400)
        else:
            token = self.server.build_id_token(nonce)
            self.send({"id_token": token, "access_token": "x", "token_type": "Bearer"})

    def send(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_about: Any) -> None:
        pass


@contextmanager
def run() -> Iterator[Provider]:
    """A running provider, until the block ends."""
    identity._read_discovery.cache_clear()  # a port may have been another provider's
    with Provider() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def configure(**issuers: str) -> None:
    """Write `identity.toml` with these providers, by name."""
    file = identity.config_file()
    file.touch(mode=0o600)
    file.write_text(
        "".join(
            f"""[[provider]]
name = "{name}"
title = "Account of {name}"
issuer = "{issuer}"
client_id = "ecoute"
client_secret = "secret"
{GRANTS}"""
            for name, issuer in issuers.items()
        ),
        encoding="utf-8",
    )


def encode(content: bytes) -> str:
    """Encode a part of a token."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()
