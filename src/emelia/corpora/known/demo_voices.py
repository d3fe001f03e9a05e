"""Speakers and sentences of the embedded corpus, and rules how emotions change the prosody.

A `Prosody` is eight differences from neutral speech, in units that can be added (semitones,
octaves, decibels). A clip is

    habit of the speaker + strength x (rule of the emotion + the speaker's own style) + chance

so that emotions overlap, as in human speech, and no two speakers act an emotion alike.

The directions of the rules are those that Murray and Arnott (1993, J. Acoust. Soc. Am.
93(2), 1097-1108) and Scherer (2003, Speech Communication 40, 227-256) found common to
many studies of acted speech, Banse and Scherer's (1996, J. Pers. Soc. Psychol. 70(3),
614-636) among them. That rules can put such emotions into a formant synthesiser was shown
by Burkhardt and Sendlmeier (2000, ISCA Workshop on Speech and Emotion); Schröder (2001,
Eurospeech, 561-564) compares rules. The sizes are our own, chosen so that a small CNN is
mostly but not always right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray


class Prosody(NamedTuple):
    """Differences of a way of speaking from neutral."""

    pitch: float = 0.0  # semitones, of the whole contour
    range: float = 0.0  # octaves of the contour's width: 1 is twice as wide
    rate: float = 0.0  # octaves of tempo: 1 is twice as fast
    level: float = 0.0  # dB
    pause: float = 0.0  # ms more between words; below 0 is none
    tilt: float = 0.0  # dB per octave above 500 Hz: a tense voice is bright, a slack one dark
    breath: float = 0.0  # dB of aspiration noise
    tremor: float = 0.0  # semitones the pitch trembles up and down; below 0 is none


RULES = {
    # Both reviews: faster, louder, higher and wider; Scherer: strong high frequencies.
    "anger": Prosody(pitch=2.5, range=0.6, rate=0.2, level=6.0, tilt=4.0),
    # Murray and Arnott: very much slower, very much lower, slightly wider, softer, from the
    # chest. Scherer's table has no disgust: it is the emotion studies agree least on.
    "disgust": Prosody(pitch=-4.0, range=0.2, rate=-0.4, level=-2.0, pause=20.0, tilt=-0.5),
    # Murray and Arnott: much faster, very much higher, wider, of normal level, voiced
    # irregularly; Burkhardt and Sendlmeier: falsetto, which here is a breathy voice.
    "fear": Prosody(pitch=7.0, range=0.3, rate=0.35, breath=14.0, tremor=0.8),
    # Both: much higher and much wider, louder; Murray and Arnott: faster or slower, breathy.
    "happiness": Prosody(pitch=5.0, range=1.0, rate=0.05, level=4.0, tilt=1.5, breath=3.0),
    # Both: slower, lower, narrower, softer; Scherer: weak high frequencies, more pauses.
    "sadness": Prosody(
        pitch=-1.5, range=-1.2, rate=-0.25, level=-6.0, pause=40.0, tilt=-3.5, breath=5.0
    ),
}

# How a sentence may end, one drawn for each clip. eSpeak's contour falls at a full stop,
# starts higher at an exclamation mark and rises at a question mark. Murray and Arnott:
# happiness bends upward, sadness and disgust downward.
ENDINGS = {"anger": "!!.", "disgust": ".", "fear": "?!.", "happiness": "!!?", "sadness": "."}

# One standard deviation of chance from clip to clip, and the share of it that a speaker's
# habit (in all clips the same) and style (in all clips of an emotion the same) have.
SPREAD = Prosody(
    pitch=1.0, range=0.2, rate=0.08, level=2.0, pause=8.0, tilt=0.4, breath=1.5, tremor=0.1
)
HABIT = 0.5
STYLE = 0.5
STRENGTH = (0.6, 1.4)  # of acting, evenly drawn: every voice has its half-hearted moments


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice variant of eSpeak NG, shifted in pitch so that no two sound alike."""

    variant: str
    gender: str  # the variant's own
    pitch: float  # semitones


SPEAKERS = {
    "f1": Speaker("f2", "female", -1.0),
    "f2": Speaker("Annie", "female", 0.0),
    "f3": Speaker("f4", "female", 2.0),
    "m1": Speaker("m3", "male", 0.0),
    "m2": Speaker("m2", "male", 3.0),
    "m3": Speaker("m1", "male", -1.0),
}

# All speakers say all sentences in every emotion, so that words do not tell the emotion.
SENTENCES = {
    "de1": "Der Schlüssel liegt am Fenster",
    "de2": "Um sieben kommt der Zug",
    "el1": "Το βιβλίο είναι εδώ",
    "el2": "Αύριο πάμε στην αγορά",
    "en1": "The kettle is by the window",
    "en2": "We will meet at the station",
    "pl1": "Rower stoi w ogrodzie",
    "pl2": "Jutro idziemy na targ",
}
TAKE = "1"  # everything is said once


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip to synthesise, with all random values drawn."""

    name: str  # anger/f1_de1_1.wav
    voice: str  # eSpeak's, e.g. de+f2
    text: str
    prosody: Prosody


def clips() -> Iterator[Clip]:
    """All clips, in the order of synthesis."""
    for emotion in RULES:
        for speaker in SPEAKERS:
            for sentence in SENTENCES:
                yield _clip(emotion, speaker, sentence)


def chance(key: str) -> np.random.RandomState:
    """A random generator that depends on a name alone, not on earlier draws."""
    # numpy promises that RandomState's stream never changes; that of default_rng may.
    return np.random.RandomState(crc32(key.encode()))


def _clip(emotion: str, speaker: str, sentence: str) -> Clip:
    name = f"{emotion}/{speaker}_{sentence}_{TAKE}.wav"
    who, dice = SPEAKERS[speaker], chance(name)
    habit = np.array(Prosody(pitch=who.pitch)) + HABIT * _deviation(chance(speaker))
    style = STYLE * _deviation(chance(f"{emotion}/{speaker}"))
    strength = dice.uniform(*STRENGTH)
    way = habit + strength * (np.array(RULES[emotion]) + style) + _deviation(dice)
    return Clip(
        name=name,
        voice=f"{sentence[:2]}+{who.variant}",
        text=SENTENCES[sentence] + ENDINGS[emotion][dice.randint(len(ENDINGS[emotion]))],
        prosody=Prosody(*way.tolist()),
    )


def _deviation(dice: np.random.RandomState) -> NDArray[np.float64]:
    return np.array(SPREAD) * dice.standard_normal(len(SPREAD))
