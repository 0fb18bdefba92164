"""Signals under the name that Django gives their module."""

from __future__ import annotations

from facade.signals import Signal, receiver

__all__ = ["Signal", "receiver"]
