"""Sphinx's configuration."""

from __future__ import annotations

project = "facade"
author = "The facade authors"
extensions = ["myst_parser", "sphinx_inline_tabs"]
exclude_patterns = ["_build", "changes"]
myst_heading_anchors = 3
# `:::{tab} Sync` … `:::`: what is no site shows the code in it all the same.
myst_enable_extensions = ["colon_fence"]
html_theme = "furo"
html_title = "facade"
