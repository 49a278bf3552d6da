"""`hedgerow doctor`: looks at an installation, area by area, and says what is wrong and which command mends it."""
