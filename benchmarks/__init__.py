"""Interleaved benchmarks: the bare driver, its floor, SQLAlchemy, Django and facade on the same rows."""
