"""Blocks: statements and streams that share a connection, and how their work is kept or undone."""
