"""Expressions: what may stand in a filter, an annotation, an ordering or an update."""
