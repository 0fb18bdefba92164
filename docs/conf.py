"""Sphinx's configuration."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # for docs.extensions

import facade

logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of its plugins

project = "facade"
author = "The facade authors"
html_show_copyright = False
version = release = facade.__version__
extensions = [
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_inline_tabs",
    "docs.extensions.reference",
    "docs.extensions.tabs",
]
exclude_patterns = ["_build", "changes", "samples"]
# What is copied is what one types: no prompts, no results.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist", "tasklist"]
html_theme = "furo"
html_title = "facade"
add_module_names = False
python_display_short_literal_types = True
python_maximum_signature_line_length = 110
