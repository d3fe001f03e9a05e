"""The page that `emelia explore` writes about a corpus."""
