"""Files before they are decoded: which kind they are, and what is wrong with their headers."""
