"""A box office: events in venues, accounts with money, and bookings."""
