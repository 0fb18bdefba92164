"""Databases: configuration, pools, drivers, transactions."""
