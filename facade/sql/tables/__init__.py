"""Models as SQLAlchemy tables, and their creation."""
