"""Back-tests: what a rule would have told, before it is switched on. Pure, but for reading files and the routes."""
