"""Sign-in by identity providers (OpenID Connect, authorisation code with PKCE): who somebody
is, and which account their groups give them.

`QA_HOME/identity.toml` names the providers and what each group gives (docs/access.md,
section 3). The provider decides: its groups change and close accounts at each sign-in.
"""

import functools
import hashlib
import logging
import re
import secrets
import time
import tomllib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
import requests

from qa_core.access import accounts, mail_choices, sessions
from qa_core.access.accounts import AccountTerms
from qa_core.access.roles import Role, Viewer
from qa_core.access.sessions import Browser, Origin
from qa_core.access.usernames import clean_display_name, parse_username
from qa_core.base import environment, signed_links
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_
from qa_core.storage.records import store
from qa_core.storage.records.people import Account, ExternalIdentity

LOG = logging.getLogger("qa_core")
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384")
"""Signatures by a key that the provider alone holds; never `none`, never a shared secret."""
SECONDS = 600
"""Time for a sign-in at the provider."""
TIMEOUT, CACHE_SECONDS, LEEWAY_SECONDS = 5, 3600, 30
LOGOUT_SECONDS = 600
"""Age from which a logout token is refused: its id has to be kept no longer."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_HINT = 3000
"""Characters of an ID token that goes back at the sign-out: proxies cut longer addresses."""
BAD_TOKEN = (jwt.PyJWTError, KeyError, TypeError, ValueError)
"""Errors of a token that is not what it should be."""
USE, HINT = "identity provider", "sign-out at a provider"
REFUSED = N_("The identity provider did not say who you are. Sign in again.")


@dataclass(frozen=True)
class Grant:
    """Role and bounds that a group gives."""

    group: str
    role: Role
    teams: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provider:
    """Identity provider: its address, what it knows us by, and what its groups give.

    The first grant that fits decides the role; all of that role add up. `sends_auth_time`:
    it says when the person last proved who they are there.
    """

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: str
    grants: tuple[Grant, ...]
    username_claim: str = "preferred_username"
    groups_claim: str = "groups"
    advisor_claim: str = ""
    scope: str = "openid profile email"
    sends_auth_time: bool = True

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        is_local = parts.hostname in ("localhost", "127.0.0.1")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
            raise ValueError(f"the issuer of {self.name} must start with https://")
        if not re.fullmatch(r"[a-z0-9-]+", self.name):
            raise ValueError(f"the name {self.name} takes small letters, digits and hyphens")


def config_file() -> Path:
    return environment.current().folder / "identity.toml"


def find_providers() -> dict[str, Provider]:
    """Read the providers, by name; none without the file. Raises Refusal for a bad file."""
    file = config_file()
    if not file.exists():
        return {}
    text = environment.read_private(file)
    try:
        content = tomllib.loads(text.decode("utf-8"))
        providers = [_build_provider(**entry) for entry in content.get("provider", [])]
        for field in ("name", "issuer"):
            values = [getattr(provider, field) for provider in providers]
            if len(values) > len(set(values)):
                raise ValueError(f"two providers have the same {field}")
    except (tomllib.TOMLDecodeError, TypeError, KeyError, ValueError) as error:
        raise Refusal(
            "bad_identity_file",
            "{path} cannot be read: {detail}. See docs/access.md, section 3.",
            path=str(file),
            detail=str(error),
        ) from error
    return {provider.name: provider for provider in providers}


def require_answer(provider: Provider) -> None:
    """Ask a provider for its description and its keys. Raises Refusal where it gives none."""
    try:
        _key_client(_discover(provider.issuer)["jwks_uri"]).get_signing_keys()
    except BAD_TOKEN as error:
        raise _refuse_silence() from error


def begin(provider: Provider, redirect_uri: str, browser: Browser) -> tuple[str, str]:
    """Start a sign-in. Returns the provider's address, and what the browser keeps, sealed."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    claims = {
        "provider": provider.name,
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "browser": hashlib.sha256(browser.token).hexdigest(),
        "redirect_uri": redirect_uri,
        "until": time.time() + SECONDS,
    }
    parameters = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": provider.scope,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "max_age": int(sessions.MAX_AGE.total_seconds()),
    }
    address = _discover(provider.issuer)["authorization_endpoint"]
    return f"{address}?{urlencode(parameters)}", signed_links.seal(USE, claims)


def finish(
    provider: Provider, ticket: str, state: str, code: str, browser: Browser, issuer: str = ""
) -> str:
    """End a sign-in with the code that the provider gave. `issuer`: who says that it answers
    (RFC 9207). Returns the id of the session.

    Raises AccessDenied for an answer to another browser, another sign-in, by another
    provider or too late; Refusal where the provider's word is not good, or its groups give
    nothing here.
    """
    request = signed_links.unseal(USE, ticket)
    if (
        request["provider"] != provider.name
        or not secrets.compare_digest(request["state"].encode(), state.encode())
        or request["browser"] != hashlib.sha256(browser.token).hexdigest()
        or request["until"] < time.time()
        or not browser.token
    ):
        raise AccessDenied()
    names_issuer = _discover(provider.issuer).get("authorization_response_iss_parameter_supported")
    if issuer != provider.issuer and (issuer or names_issuer):
        raise AccessDenied()
    with store.writing() as session:
        # Whatever the provider does with a code that comes twice.
        sessions.use_once(session, f"state {provider.name} {state}")
    try:
        claims, token = _fetch_claims(provider, request, code)
    except (requests.RequestException, *BAD_TOKEN) as error:
        LOG.warning("sign-in by %s refused: %.200r", provider.name, error)
        raise Refusal("identity_refused", REFUSED) from error
    username = _apply(provider, claims)
    hint = signed_links.seal(HINT, {"token": token}) if len(token) <= MAX_HINT else None
    origin = Origin(provider.name, str(claims["sid"]) if "sid" in claims else None, hint)
    return sessions.open_external(username, browser, origin)


def end_sessions(provider: Provider, token: str) -> None:
    """End the sessions that a logout token of the provider names (OpenID Connect
    Back-Channel Logout 1.0).

    Raises Refusal for a token that is not good; no store is opened before that is known.
    """
    try:
        claims = _decode(provider, token, "jti", "events")
        subject, sid = claims.get("sub"), claims.get("sid")
        if "nonce" in claims or not isinstance(claims["events"][LOGOUT_EVENT], dict):
            raise ValueError("this is no logout token")
        if not (subject or sid) or not isinstance(sid, str | None):
            raise ValueError("the logout token names nobody")
        if claims["iat"] < time.time() - LOGOUT_SECONDS:
            raise ValueError("the logout token is too old")
    except BAD_TOKEN as error:
        LOG.warning("logout by %s refused: %.200r", provider.name, error)
        raise Refusal("identity_refused", REFUSED) from error
    username = None
    if subject is not None:
        with store.reading() as session:
            link = session.get(ExternalIdentity, (provider.issuer, subject))
            if link is None:
                return
            username = link.username
    sessions.end_external(Origin(provider.name, sid), username, claims["jti"])


def find_sign_out(origin: Origin, return_to: str) -> str | None:
    """Build the address at which that provider signs the person out too, and leads back.
    None where it has none, or does not answer.
    """
    try:
        provider = find_providers()[origin.provider]
        address = _discover(provider.issuer)["end_session_endpoint"]
        parameters = {"client_id": provider.client_id, "post_logout_redirect_uri": return_to}
        if origin.id_token:
            parameters["id_token_hint"] = signed_links.unseal(HINT, origin.id_token)["token"]
    except (KeyError, Refusal):
        return None
    return f"{address}?{urlencode(parameters)}"


def _fetch_claims(
    provider: Provider, request: dict[str, Any], code: str
) -> tuple[dict[str, Any], str]:
    """Exchange the code. Returns the claims about the person, and the ID token."""
    endpoints = _discover(provider.issuer)
    answer = requests.post(
        endpoints["token_endpoint"],
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": request["redirect_uri"],
            "code_verifier": request["verifier"],
        },
        auth=(provider.client_id, provider.client_secret),
        timeout=TIMEOUT,
    )
    answer.raise_for_status()
    tokens = answer.json()
    claims = _check_token(provider, tokens["id_token"], request["nonce"])
    if provider.groups_claim not in claims and "userinfo_endpoint" in endpoints:
        more = requests.get(
            endpoints["userinfo_endpoint"],
            headers={"Authorization": f"Bearer {tokens['access_token']}"},
            timeout=TIMEOUT,
        )
        more.raise_for_status()
        if more.json()["sub"] != claims["sub"]:
            raise ValueError("the provider speaks of another person")
        claims = {**more.json(), **claims}
    return claims, tokens["id_token"]


def _check_token(provider: Provider, token: str, nonce: str) -> dict[str, Any]:
    claims = _decode(provider, token, "sub", "nonce")
    if not secrets.compare_digest(claims["nonce"], nonce):
        raise ValueError("the token answers another sign-in")
    audience = claims["aud"]
    if claims.get("azp", audience) not in (provider.client_id, [provider.client_id]):
        raise ValueError("the token is for another client")
    if provider.sends_auth_time:
        age, longest = time.time() - claims["auth_time"], sessions.MAX_AGE.total_seconds()
        if not -LEEWAY_SECONDS <= age <= longest + LEEWAY_SECONDS:
            raise ValueError("the person signed in at the provider too long ago")
    return claims


def _decode(provider: Provider, token: str, *required: str) -> dict[str, Any]:
    """Read a token that the provider signed for us, and that is valid now."""
    keys = _key_client(_discover(provider.issuer)["jwks_uri"])
    header = jwt.get_unverified_header(token)
    if "kid" in header:
        key = keys.get_signing_key(header["kid"])
    else:
        [key] = keys.get_signing_keys()  # a provider with one key may leave it unnamed
    return jwt.decode(
        token,
        key.key,
        algorithms=list(ALGORITHMS),
        audience=provider.client_id,
        issuer=provider.issuer,
        leeway=LEEWAY_SECONDS,
        options={"require": ["iss", "aud", "exp", "iat", *required]},
    )


def _apply(provider: Provider, claims: dict[str, Any]) -> str:
    """Make, change or close the account of that person. Returns its name."""
    terms = _find_terms(provider, claims)
    subject = str(claims["sub"])
    with store.reading() as session:
        link = session.get(ExternalIdentity, (provider.issuer, subject))
        username = link.username if link else None
        account = session.get(Account, username) if username else None
        present = account and (account.role, _bounds_of(account))
        is_active = account is not None and account.active
    if terms is None:
        if is_active:
            accounts.disable(Viewer.SYSTEM, username)
        raise Refusal("no_group", "None of your groups has access here. Ask an administrator.")
    if username is None:
        username = parse_username(str(claims.get(provider.username_claim) or ""))
        accounts.add_external(username, terms)
        with store.writing() as session:
            identity = ExternalIdentity(issuer=provider.issuer, subject=subject, username=username)
            session.add(identity)
    elif not is_active:
        raise Refusal("closed_account", "Your account here is closed. Ask an administrator.")
    elif present != (terms.role, (set(terms.teams), set(terms.sites), terms.advisor_id)):
        accounts.change(Viewer.SYSTEM, username, terms)
    mail_choices.note_provider_address(username, str(claims.get("email") or ""))
    return username


def _find_terms(provider: Provider, claims: dict[str, Any]) -> AccountTerms | None:
    groups = claims.get(provider.groups_claim) or []
    groups = set(map(str, groups if isinstance(groups, list | dict) else [groups]))
    own_grants = [grant for grant in provider.grants if grant.group in groups]
    if not own_grants:
        return None
    role = own_grants[0].role
    own_grants = [grant for grant in own_grants if grant.role == role]
    advisor = claims.get(provider.advisor_claim) if provider.advisor_claim else None
    return AccountTerms(
        role,
        clean_display_name(str(claims.get("name") or "")),
        tuple(dict.fromkeys(team for grant in own_grants for team in grant.teams)),
        tuple(dict.fromkeys(site for grant in own_grants for site in grant.sites)),
        str(advisor) if advisor and role == Role.ADVISOR else None,
    )


def _bounds_of(account: Account) -> tuple[Any, ...]:
    led_teams = {span.team_name for span in account.led_teams if span.ends_on is None}
    return led_teams, {site.site_name for site in account.sites}, account.advisor_id


def _build_provider(*, grant: list[dict[str, Any]], **fields: Any) -> Provider:
    grants = tuple(
        Grant(
            group["group"],
            Role(group["role"]),
            tuple(group.get("teams", ())),
            tuple(group.get("sites", ())),
        )
        for group in grant
    )
    return Provider(grants=grants, **fields)


def _discover(issuer: str) -> dict[str, Any]:
    return _read_discovery(issuer, int(time.monotonic() // CACHE_SECONDS))


@functools.lru_cache(maxsize=8)
def _read_discovery(issuer: str, _hour: int) -> dict[str, Any]:
    try:
        answer = requests.get(
            f"{issuer.rstrip('/')}/.well-known/openid-configuration", timeout=TIMEOUT
        )
        answer.raise_for_status()
        discovery = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise _refuse_silence() from error
    if discovery.get("issuer") != issuer:
        raise Refusal("identity_refused", REFUSED)
    return discovery


def _refuse_silence() -> Refusal:
    message = N_("The identity provider does not answer. Try again in a minute.")
    return Refusal("identity_unreachable", message)


@functools.lru_cache(maxsize=8)
def _key_client(address: str) -> jwt.PyJWKClient:
    return jwt.PyJWKClient(address, timeout=TIMEOUT)
