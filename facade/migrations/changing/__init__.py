"""The changes that lead from a database to the models: in an order that works, and whole."""
