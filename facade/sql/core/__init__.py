"""From a query to SQLAlchemy Core, in the words of each database."""
