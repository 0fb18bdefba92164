"""One value of many rows."""
