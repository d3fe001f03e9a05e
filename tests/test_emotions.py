"""Words for emotions: which count as a shared name, and which stay what they are."""

from __future__ import annotations

import unicodedata

import pytest

from emelia.corpora import CORPORA
from emelia.emotions import EMOTIONS, canonical, renamed


@pytest.mark.parametrize(
    ("words", "emotion"),
    [
        ("Angry ANG 01_angry 1-angry wütend Wut WUT wuetend rabbia colère colere ira θυμός ΘΥΜΟΣ "
         "złość zlosc öfke kızgın خشم غصہ রাগ 愤怒 生气 ንዴት", "anger"),
        ("ekel disgusto dégoût asco αηδία wstręt iğrenme 厌恶", "disgust"),
        ("scared Angst paura peur miedo φόβος strach korku ترس خوف ভয় 害怕 ፍርሃት", "fear"),
        ("joyful Freude glücklich gioia joie alegría χαρά radość mutlu شادی خوشی আনন্দ 高兴 ደስታ",
         "happiness"),
        ("neutro neutre ουδέτερο neutralny nötr خنثی নিরপেক্ষ 中性 ገለልተኛ", "neutral"),
        ("traurig tristezza tristesse tristeza λύπη smutek üzgün غم اداسی দুঃখ 悲伤 ሀዘን", "sadness"),
        ("pleasant_surprise Überraschung ueberraschung sorpresa έκπληξη zaskoczenie şaşkın تعجب "
         "حیرت বিস্ময় 惊讶 መገረም", "surprise"),
        ("fru frustrated frustration", "frustration"),
        ("exc excited excitement", "excitement"),
    ],
)  # fmt: skip
def test_words_of_many_languages_count_as_a_shared_name(words: str, emotion: str) -> None:
    assert {word: canonical(word) for word in words.split()} == dict.fromkeys(
        words.split(), emotion
    )
    written = [unicodedata.normalize("NFD", word).upper() for word in words.split()]
    assert {canonical(word) for word in written} == {emotion}


@pytest.mark.parametrize(
    "word", ["hate", "nefrat", "love", "stress", "wutang", "01", "3", "angry 2"]
)
def test_other_words_stay_what_they_are(word: str) -> None:
    assert canonical(word) == word


def test_labels_of_known_corpora_keep_their_names() -> None:
    names = {name for spec in CORPORA.values() for name in spec.emotions} | set(EMOTIONS)
    assert {name: canonical(name) for name in names} == {name: name for name in names}


def test_what_counts_as_another_is_said_in_one_sentence() -> None:
    labels = ("traurig", "Angry", "wütend", "odd", "sad", "01_happy")
    told = renamed({label: canonical(label) for label in labels})
    assert told == "01_happy counts as happiness, traurig as sadness, wütend as anger."
    assert renamed({"angry": "anger", "odd": "odd"}) == ""
