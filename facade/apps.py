"""The registry of models and applications."""

from __future__ import annotations

from facade.meta.registry import AppConfig, Apps, apps, isolate_apps

__all__ = ["AppConfig", "Apps", "apps", "isolate_apps"]
