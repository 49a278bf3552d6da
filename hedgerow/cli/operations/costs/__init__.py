"""`hedgerow cost`: a month's bill, reckoned from dated prices and counted operations. No network, no clock of its own."""
