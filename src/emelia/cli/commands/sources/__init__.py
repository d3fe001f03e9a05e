"""Commands about the sources of recordings."""
