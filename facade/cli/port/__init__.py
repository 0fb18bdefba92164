"""``facade port``: rewrites the imports of a Django project's modules, and reports what has no counterpart."""
