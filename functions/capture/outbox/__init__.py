"""What the engineer on call sees: what waits, where an event is, whether the books balance."""
