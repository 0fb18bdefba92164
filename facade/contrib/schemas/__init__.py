"""What schemas of every kind share: which values they have, how instances are read into them, and how they are written."""
