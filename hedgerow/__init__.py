"""Hedgerow's core: the seams, the records and the rules that several functions share.

Importing it touches no network, no clock, no environment and no Google library.
"""

__version__ = "0.1.0"
