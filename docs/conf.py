"""Sphinx's configuration."""

from __future__ import annotations

project = "facade"
author = "The facade authors"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "facade"
