"""The page that `emelia process` writes about the steps before the network."""
