"""`hedgerow dead`: what died, published again or dropped."""
