"""What rooms, microphones, telephones and codecs do to a waveform: signal functions without draws.

Training makes its changed copies of them (`learn.data.transmission`), the stress test its
conditions (`robustness`). A waveform is float32 (T,) at 16 kHz, full scale at 1.
"""
