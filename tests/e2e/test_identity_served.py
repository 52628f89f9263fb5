"""The way to an identity provider and back, on the served app, without a browser."""

from __future__ import annotations

from pathlib import Path

import oidc_provider_mock
import raw
import requests
from builders.servers import living_in, serve
from builders.visitors import PASSWORD

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.storage.records import store
from qa_core.ui import browser


def test_a_sign_in_leads_to_the_provider_and_back_into_the_app(tmp_path: Path) -> None:
    user = oidc_provider_mock.User(sub="dora", claims={"groups": ["privacy"], "name": "Dora"})
    with (
        living_in(tmp_path),
        oidc_provider_mock.run_server_in_thread(user_claims=[user]) as provider,
    ):
        store.migrate()
        accounts.add(Viewer.SYSTEM, "root", "admin", password=PASSWORD)
        file = tmp_path / "identity.toml"
        file.touch(mode=0o600)
        file.write_text(
            f"""[[provider]]
name = "corporate"
title = "Corporate account"
issuer = "http://localhost:{provider.server_port}"
client_id = "ecoute"
client_secret = "secret"
username_claim = "sub"
[[provider.grant]]
group = "privacy"
role = "dpo"
""",
            encoding="utf-8",
        )
        with serve(tmp_path) as server:
            assert "Sign in with Corporate account" in raw.visit(server.host).text
            visitor = requests.Session()
            visitor.cookies.set("_streamlit_xsrf", raw.generate_xsrf_token_string())
            there = visitor.get(f"{server.url}/sign-in/corporate", allow_redirects=False)
            back = requests.post(
                there.headers["Location"], data={"sub": "dora"}, allow_redirects=False
            ).headers["Location"]
            assert back.startswith(f"{server.url}/sign-in/corporate/callback?")

            stolen = requests.get(back, allow_redirects=False)
            assert stolen.status_code == 403
            arrived = visitor.get(back, allow_redirects=False)
            assert (arrived.status_code, arrived.headers["Location"]) == (303, "/")

            cookies = {"_streamlit_xsrf": visitor.cookies["_streamlit_xsrf"]}
            cookies[browser.COOKIE] = visitor.cookies[browser.COOKIE]
            assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Journal"]
            assert requests.get(f"{server.url}/sign-in/nobody").status_code == 403
