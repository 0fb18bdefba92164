"""A small publisher's service: SQLAlchemy's ORM and facade side by side on the same tables, in the same sessions."""
