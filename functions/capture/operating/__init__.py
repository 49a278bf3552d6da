"""The five operations: alias, event, identity, page, screen."""
