"""Reading a corpus from disk: known corpora, folders, manifests, tables, and several joined."""
