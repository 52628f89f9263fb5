"""Components with a script of our own, served as files as the security policy asks."""

import functools
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest


def declare(name: str, folder: Path, script: str, html: str = "", css: str = "") -> Any:
    """Return that component (`room.part`), with `script`, `html`, `css` of its folder."""
    manager = get_bidi_component_manager()
    if manager.get_component_asset_root(name) is None:
        room, part = name.split(".")
        manager.register_from_manifest(
            ComponentManifest(room, "1", [ComponentConfig(part, folder.name)]), folder.parent
        )
    return _declare(name, folder, script, html, css)


@functools.cache
def _declare(name: str, folder: Path, script: str, html: str, css: str) -> Any:
    texts = {
        kind: (folder / file).read_text(encoding="utf-8")
        for kind, file in (("html", html), ("css", css))
        if file
    }
    return st.components.v2.component(name, js=script, **texts)
