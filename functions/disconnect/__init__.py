"""Ending a connection, and purging what it left."""
