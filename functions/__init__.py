"""Hedgerow's cloud functions, one folder a family."""
