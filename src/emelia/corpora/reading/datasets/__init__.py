"""Data sets kept as tables: those of Hugging Face, and databases in audformat."""
