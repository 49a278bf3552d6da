"""The event catalogue: checked, kept, reported, learnt, and written as typed functions."""
