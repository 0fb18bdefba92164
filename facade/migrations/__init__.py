"""Migrations on Alembic: facade's tables as Alembic compares and writes them."""
