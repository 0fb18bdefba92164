"""Bridges to frameworks, schemas and tools; each module needs its own package."""
