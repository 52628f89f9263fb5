"""Settings of the documents as a site: `make docs`, into build/site/."""

import tomllib
from pathlib import Path

from pygments.lexers.special import TextLexer

PROJECT_FILE = Path(__file__).parents[1] / "pyproject.toml"

project = "Écoute"
release = version = tomllib.loads(PROJECT_FILE.read_text(encoding="utf-8"))["project"]["version"]
extensions = ["myst_parser"]
root_doc = "docs/index"
# The whole tree is the source, so that links between documents lead where they do on a code host.
include_patterns = ["*.md", "docs/**", "data/README.md"]
exclude_patterns = [".*", "build", "qa_core", "pages", "tests"]
myst_heading_anchors = 4
highlight_language = "text"
html_theme = "furo"
html_title = f"Écoute {version}"
html_show_copyright = False
html_show_sourcelink = False


def setup(app):
    """Show as plain text what has no colours here: diagrams, which a script of another host
    would draw, and Power Query.
    """
    for language in ("mermaid", "powerquery"):
        app.add_lexer(language, TextLexer)
