"""From a request read to a promise kept: forwarded at once, or written to the outbox, then answered."""
