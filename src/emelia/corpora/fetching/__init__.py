"""Downloading corpora that may be downloaded freely, from the hosts named in `sources`."""
