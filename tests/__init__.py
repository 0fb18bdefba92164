"""The tests: one file per feature; what they share stands in `conftest.py`, `fix_*.py` and `models.py`."""
