"""Tables and lists that name recordings: manifests of corpora, lists for `predict` and `score`."""
