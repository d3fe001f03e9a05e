"""The emotion names that all corpora share, and synonyms of them.

A corpus maps its codes to these names. Other labels are kept, so that a corpus may have classes
of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

# Alphabetical, so that class numbers do not depend on which corpus is read first.
EMOTIONS = (
    "anger",
    "boredom",
    "calm",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)

NO_SPEECH = "no speech"  # an answer that is no emotion

_SYNONYMS = {
    "anger": ("angry", "ang"),
    "boredom": ("bored",),
    "calm": ("calmness",),
    "disgust": ("disgusted", "dis"),
    "fear": ("fearful", "afraid", "anxiety", "fea"),
    "happiness": ("happy", "joy", "hap"),
    "neutral": ("neutrality", "neu"),
    "sadness": ("sad",),
    "surprise": ("surprised", "sur"),
}
# Further words, and those of the languages that the known corpora speak. A word that could be two
# emotions, or hatred, stress or love, is left out: it stays a class of its own.
_OTHER_WORDS = {
    "anger": (
        "furious enraged "
        "wut wütend zorn zornig ärger ärgerlich verärgert "  # German
        "rabbia arrabbiato arrabbiata colère fâché fâchée "  # Italian, French
        "ira enojo enojado enojada enfado enfadado enfadada rabia furia "  # Spanish
        "θυμός θυμωμένος θυμωμένη οργή thymos "  # Greek
        "złość gniew zły öfke öfkeli kızgın kızgınlık sinirli "  # Polish, Turkish
        "خشم عصبانیت عصبانی khashm asabaniyat غصہ غصه ghussa "  # Persian, Urdu
        "রাগ 愤怒 憤怒 生气 生氣 shengqi fennu ንዴት ቁጣ"  # Bangla, Mandarin, Amharic
    ),
    "boredom": "langeweile gelangweilt noia annoiato ennui aburrimiento aburrido znudzenie",
    "calm": "ruhig gelassen calmo calma calme tranquilo tranquila spokój spokojny sakin ήρεμος",
    "disgust": (
        "ekel angeekelt geekelt disgusto disgustato dégoût dégoûté asco αηδία aidia "
        "wstręt obrzydzenie iğrenme tiksinti tiksinme انزجار 厌恶 厭惡"
    ),
    "fear": (
        "scared terrified frightened "
        "angst ängstlich furcht paura spaventato peur apeuré miedo temor φόβος φοβισμένος fovos "
        "strach lęk przestraszony korku korkmuş korkulu ترس tars خوف khauf "
        "ভয় bhoy 害怕 恐惧 恐懼 haipa kongju ፍርሃት"
    ),
    "happiness": (
        "joyful joyous cheerful "
        "freude fröhlich fröhlichkeit glücklich freudig gioia felice felicità joie joyeux joyeuse "
        "heureux alegría alegre felicidad feliz χαρά χαρούμενος χαρούμενη ευτυχία "
        "radość radosny szczęście szczęśliwy mutlu mutluluk sevinç neşe neşeli "
        "شادی خوشحال خوشحالی shadi خوشی خوش khushi আনন্দ সুখ "
        "高兴 高興 快乐 快樂 开心 開心 gaoxing kuaile kaixin ደስታ"
    ),
    "neutral": (
        "neutro neutra neutrale neutralità neutre neutralität ουδέτερο ουδέτερος ουδέτερη "
        "neutralny neutralna neutralne neutralność nötr خنثی khonsa غیر_جانبدار নিরপেক্ষ "
        "中性 中立 zhongxing zhongli ገለልተኛ"
    ),
    "sadness": (
        "sorrow sorrowful "
        "trauer traurig traurigkeit tristezza triste tristesse tristeza λύπη λυπημένος λυπημένη "
        "θλίψη lypi smutek smutny smutna üzgün üzüntü üzüntülü mutsuz "
        "غم ناراحتی اندوه gham غمگین اداسی اداس udasi দুঃখ dukkho "
        "悲伤 悲傷 伤心 傷心 难过 難過 beishang shangxin nanguo ሀዘን ሐዘን"
    ),
    "surprise": (
        "pleasant_surprise pleasant_surprised pleasantly_surprised astonished astonishment "
        "überraschung überrascht erstaunt sorpresa sorpreso surpris étonné étonnement "
        "sorprendido sorprendida έκπληξη έκπληκτος zaskoczenie zdziwienie zaskoczony zdziwiony "
        "şaşkın şaşkınlık sürpriz şaşırma تعجب taajob حیرت বিস্ময় 惊讶 驚訝 吃惊 吃驚 惊喜 驚喜 "
        "jingya መገረም"
    ),
    "frustration": "frustrated fru",  # no shared names, but one name for each
    "excitement": "excited exc",
}
_ALIKE = 0.8  # of spelling, from which on a label may be a word for an emotion
_NUMBER = re.compile(r"\d+[\s._-]+(?=\D)")  # of `01_angry`
_ACCENTS = re.compile("[\u0300-\u036f]")  # of Latin and Greek letters; other scripts need theirs
_LETTERS = str.maketrans({"ł": "l", "ı": "i", "ß": "ss", "ي": "ی", "ك": "ک", "ς": "σ"})
_UMLAUTS = str.maketrans({mark: f"{vowel}e" for mark, vowel in zip("äöü", "aou", strict=True)})


def _key(word: str) -> str:
    """A word as it is looked up: without accents and the number before it, blanks between parts."""
    plain = unicodedata.normalize("NFD", _NUMBER.sub("", word.strip().lower(), count=1))
    bare = unicodedata.normalize("NFC", _ACCENTS.sub("", plain)).translate(_LETTERS)
    return re.sub(r"[\s_-]+", " ", bare)


_BY_WORD = {word: name for name, words in _SYNONYMS.items() for word in (name, *words)}
_BY_KEY = {_key(word): name for word, name in _BY_WORD.items()} | {
    _key(form): name
    for name, words in _OTHER_WORDS.items()
    for word in words.split()
    for form in (word, word.translate(_UMLAUTS))
}


def canonical(label: str) -> str:
    """The shared name of a label, `01_Wütend` -> `anger`; an unknown label in lower case."""
    word = unicodedata.normalize("NFC", label.strip().lower())
    return _BY_WORD.get(word) or _BY_KEY.get(_key(word), word)


def renamed(words: Mapping[str, str]) -> str:
    """A sentence on labels that count as others, as in `traurig counts as sadness.`; or "".

    Args:
        words: labels as they are written, and what they count as. The usual English words go
            without saying.
    """
    told = {
        word.strip(): name
        for word, name in words.items()
        if word.strip().lower() not in _BY_WORD and canonical(word) == name != word.strip().lower()
    }
    if not told:
        return ""
    first, *others = (f"{word} counts as {name}" for word, name in sorted(told.items()))
    return f"{', '.join([first, *(one.replace(' counts as ', ' as ') for one in others)])}."


def unknown_labels(labels: Iterable[str]) -> str:
    """A sentence on labels that are spelt nearly like words for emotions, and how to map them."""
    known = {*EMOTIONS, *_OTHER_WORDS}
    others = sorted(set(labels) - known)
    # Stricter than for names of settings: `anna` is no misspelt `noia`.
    found = [(label, get_close_matches(_key(label), _BY_KEY, 1, _ALIKE)) for label in others]
    likely = [(label, _BY_KEY[near[0]]) for label, near in found if near]
    if not likely:
        return ""
    told = ", ".join(f"{label} ({emotion}?)" for label, emotion in likely)
    how = ",".join(f"{label}={emotion}" for label, emotion in likely)
    return f"Labels that emelia does not know stay classes of their own: {told}. --map {how}"
