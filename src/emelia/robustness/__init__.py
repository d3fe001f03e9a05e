"""What a model answers under stress: noise, rooms, telephones, codecs, levels, pauses, length.

`conditions` are changes of the sound, `cases` the clips they are done to, `listeners` the models
that answer, and `running` asks these about those and keeps what is finished.
"""
