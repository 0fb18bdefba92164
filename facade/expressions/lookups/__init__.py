"""Comparisons of particular types: texts, moments, UUIDs, JSON, related objects. They register themselves."""
