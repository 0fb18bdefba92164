"""An application whose models, programs and mistakes type checkers look at."""
