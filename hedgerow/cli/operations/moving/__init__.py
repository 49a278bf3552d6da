"""Moving data: exports and imports of a tenant or of everything, and the walk that lifts older records."""
