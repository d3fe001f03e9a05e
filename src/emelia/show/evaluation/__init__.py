"""What a model answers for clips whose emotion is known: tables, sentences and a page."""
