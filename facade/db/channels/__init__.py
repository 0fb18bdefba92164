"""What every road to a database keeps: the contract of a connection, its errors, limits of time and streams."""
