"""Long recordings and streams: speech, windows, segments."""
