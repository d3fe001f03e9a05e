"""The page about the steps of processing."""
