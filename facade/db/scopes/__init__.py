"""What is put around code: `atomic`, somebody else's connection, a session, the options of a query."""
