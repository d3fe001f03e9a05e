"""Known corpora: a module for each, and the embedded `demo` corpus of synthetic speech."""
