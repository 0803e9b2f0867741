"""Pictures at the planned times."""
