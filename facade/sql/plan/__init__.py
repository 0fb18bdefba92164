"""Shapes and plans: what is kept of a query, so that it is made and compiled once."""
