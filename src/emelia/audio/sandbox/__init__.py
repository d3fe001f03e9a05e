"""Decode uploaded recordings in child processes with limited rights, memory and time.

An upload may be made to exploit a fault of a decoder. So a fork server, a process with the
decoders loaded and an empty environment, forks a child for every recording. The child gives up its
rights (`rights`) before it reads a byte of the file. Its output, mono float32 at 16 kHz, is checked
(`replies`); a child that crashes costs one recording, not the server.
"""

from emelia.audio.sandbox.parent import DecoderFault, Sandbox

__all__ = ["DecoderFault", "Sandbox"]
