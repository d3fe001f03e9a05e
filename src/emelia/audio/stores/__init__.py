"""Recordings that lie on other machines."""
