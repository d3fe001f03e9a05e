"""What speech there is: corpora, the readers of them, and ways to split them."""

from emelia.corpora.reading.reader import CORPORA, read_corpus
from emelia.corpora.records import Corpus, CorpusSpec, Fields, Rejected, Utterance

__all__ = ["CORPORA", "Corpus", "CorpusSpec", "Fields", "Rejected", "Utterance", "read_corpus"]
