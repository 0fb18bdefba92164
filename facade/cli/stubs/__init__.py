"""`facade stubs`: what type checkers cannot infer of models, written as `.pyi` files."""

from __future__ import annotations

from facade.cli.stubs.modules import HEADER, ForeignStub, stub_of, write_stub

__all__ = ["HEADER", "ForeignStub", "stub_of", "write_stub"]
