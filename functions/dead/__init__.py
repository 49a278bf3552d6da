"""Messages that a subscription gave up: each is kept as a record, for a person to look at."""
