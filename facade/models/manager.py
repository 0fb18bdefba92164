"""Managers."""

from facade.orm.querysets.manager import BaseManager, EmptyManager, Manager, ManagerDescriptor

__all__ = ["BaseManager", "EmptyManager", "Manager", "ManagerDescriptor"]
