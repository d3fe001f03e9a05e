"""Names and labels of a model are text on its page, whatever they are."""

from __future__ import annotations

from dataclasses import replace

from emelia.show.card.page import to_markdown
from emelia.table import escaped
from emelia.use.bundled import find_model
from emelia.use.model import read_card

WORDS = '<img src=x onerror="a">|*b*[c](http://evil.example)'


def test_the_page_of_a_model_has_no_mark_up_of_its_labels() -> None:
    card = read_card(find_model("aesdd"))
    names = {"name": WORDS, "title": WORDS, "licence": WORDS}
    page = to_markdown(replace(card, labels=(WORDS, *card.labels[1:]), **names))
    assert page.count("onerror") >= 4
    for mark_up in ("<img", "|*", "*b*", ")[c]", "*[c]("):
        assert mark_up not in page


def test_what_looks_like_a_link_is_none_and_brackets_stay() -> None:
    assert escaped("[c](http://x) a[1] (b)") == "\\[c](http://x) a[1] (b)"
