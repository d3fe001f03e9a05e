"""Corpora of emotional speech: where they come from, how they are read, how they are split."""

from emelia.corpora.known import CORPORA
from emelia.corpora.reading.reader import read_corpus
from emelia.corpora.records import Corpus, CorpusSpec, Fields, Rejected, Utterance

__all__ = ["CORPORA", "Corpus", "CorpusSpec", "Fields", "Rejected", "Utterance", "read_corpus"]
