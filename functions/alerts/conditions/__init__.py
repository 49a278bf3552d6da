"""Conditions: how a rule judges a series. Pure: a series in, a verdict out."""
