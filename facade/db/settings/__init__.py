"""The configuration of a database: its URL, the words of its connection, its names."""
