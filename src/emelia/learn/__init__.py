"""From corpus to model file; the only wing with torch."""
