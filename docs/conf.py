"""How the site is built: `make site` runs Sphinx over the whole tree twice, once for each language.

The source directory is the project's root, so that a link means the same here and where the files are browsed.
"""

import logging

import jieba
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from sanfen import __version__

jieba.setLogLevel(logging.WARNING)  # it talks while it loads

project = "sanfen 三分"
author = "sanfen developers"
project_copyright = "sanfen developers, Apache-2.0"
release = version = __version__

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "README.md",
    "README.zh-CN.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "THREAT_MODEL.md",
]
exclude_patterns = [".*", "adapters", "benchmarks", "build", "changes", "config", "dist", "htmlcov", "plugin", "tests"]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
templates_path = ["templates"]
highlight_language = "text"

language = "en"
locale_dirs = ["docs/locale"]
gettext_compact = False
gettext_location = False
gettext_last_translator = "sanfen developers"
gettext_language_team = "sanfen developers"

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "language.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}


def setup(app: Sphinx) -> None:
    """Chats are shown as they are."""
    app.add_lexer("transcript", TextLexer)
