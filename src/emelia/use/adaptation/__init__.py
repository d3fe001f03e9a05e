"""Getting used to a source of recordings without labels."""
