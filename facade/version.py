"""The version of facade, and what pickles say about the one that made them."""

from __future__ import annotations

import warnings

__version__ = "0.1.0.dev0"
"""The version of facade, by PEP 440."""

VERSION_KEY = "_facade_version"


def warn_of_version(version: str | None, kind: str) -> None:
    """Warn where a pickled `kind` was made by another version of facade than this one."""
    if version != __version__:
        made = f"with facade {version}, this is {__version__}" if version else "without a version"
        warnings.warn(f"Pickled {kind} was made {made}.", RuntimeWarning, stacklevel=3)
