"""Models and their instances: how they are put together, made, checked, saved and deleted."""
