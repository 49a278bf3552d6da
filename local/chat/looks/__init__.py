"""How each service's app would show a message. Every text of a message is escaped on its way."""
