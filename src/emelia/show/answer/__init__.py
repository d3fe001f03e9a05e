"""Pictures of one answer, and of a long recording."""
