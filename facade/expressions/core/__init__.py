"""SQLAlchemy Core inside of querysets."""
