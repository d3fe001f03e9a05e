"""Known corpora of European languages other than English."""
