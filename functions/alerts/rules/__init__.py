"""Rules: their forms checked, kept, listed, foretold; the templates."""
