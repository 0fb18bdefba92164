"""The fast roads, one module per driver, and the general road through SQLAlchemy."""
