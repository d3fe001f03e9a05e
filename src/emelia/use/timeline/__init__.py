"""Timelines of long recordings and live sound: speech, windows, segments."""
