"""The attributes at both ends of a relation, and the managers behind them."""
