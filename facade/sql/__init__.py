"""From what a queryset asks to what the database is sent: questions, Core, plans, writes, tables."""
