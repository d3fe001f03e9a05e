"""Pages explain their terms, fit a phone, and give their parts to other programs."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import browser
import fake_study
import numpy as np
import pytest
from html_page import HtmlPage
from matplotlib import colormaps

from emelia.show.report.page import write_report
from emelia.show.style import SHADES
from emelia.show.terms import MEANINGS, terms
from emelia.table import Table

WIDE = Table(
    "Which?",
    ("recipe", "accuracy % (95 %)", "p", "differ?"),
    [("a_b", "5 & 6 – 7", "1", "yes")] * 3,
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study of four recipes."""
    folds = fake_study.loso(fake_study.utterances())
    cells = fake_study.study(folds, list(fake_study.RECIPES), [0])
    return write_report(cells, tmp_path_factory.mktemp("report"))[1]


def test_terms_are_found_as_words() -> None:
    assert [term for term, _ in terms("UAR % (95 %) of two epochs")] == ["UAR", "95 %", "epoch"]
    assert terms("snr of a pair, precisionless") == []
    assert all(meaning.endswith(".") for meaning in MEANINGS.values())


def test_every_term_of_the_page_is_explained_on_it(report: Path) -> None:
    page = HtmlPage(report.read_text(encoding="utf-8"))
    for term in ("UAR", "macro F1", "ECE", "McNemar", "95 %"):
        assert MEANINGS[term] in page.text


def test_figures_are_numbered_and_say_what_of(report: Path) -> None:
    html = report.read_text(encoding="utf-8")
    captions = re.findall(r"<figcaption>(.*)</figcaption>", html)
    assert [int(c.split(".")[0].split()[1]) for c in captions] == list(range(1, len(captions) + 1))
    assert all(c.endswith("n = 180 test clips; aesdd, loso.") for c in captions)


def test_figures_lie_beside_as_png_pdf_and_svg_with_text(report: Path) -> None:
    from PIL import Image

    stem = report.parent / "figures" / "aesdd-loso-accuracy"
    assert "<text" in stem.with_suffix(".svg").read_text(encoding="utf-8")
    assert stem.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    with Image.open(stem.with_suffix(".png")) as picture:
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_tables_and_answers_lie_beside_for_other_programs(report: Path) -> None:
    with (report.parent / "tables" / "aesdd-loso-recipes.csv").open(encoding="utf-8") as file:
        assert [row["recipe"] for row in csv.DictReader(file)] == list(fake_study.RECIPES)
    latex = (report.parent / "tables" / "aesdd-loso-recipes.tex").read_text(encoding="utf-8")
    assert r"\toprule" in latex and r"accuracy \% (95 \%)" in latex
    with (report.parent / "answers-aesdd-loso.csv").open(encoding="utf-8") as file:
        answers = list(csv.DictReader(file))
    assert len(answers) == 4 * 180
    one = answers[0]
    assert float(one[one["answer"]]) == float(one["confidence"])
    assert (one["right"] == "1") == (one["emotion"] == one["answer"])


def test_latex_escapes_its_signs() -> None:
    assert r"a\_b & 5 \& 6 -- 7 & 1 & yes \\" in WIDE.latex()


def test_shades_tell_37_from_50_percent() -> None:
    low, high = (np.array(colormaps[SHADES](share)[:3]) for share in (0.37, 0.5))
    assert np.abs(high - low).max() > 0.15  # cividis: 0.12


def test_four_recipes_take_ten_screens_and_a_phone_says_where_tables_go_on(
    report: Path, tmp_path: Path
) -> None:
    with browser.chromium(tmp_path / "no-microphone.wav") as chromium:
        page = chromium.new_page(viewport={"width": 1200, "height": 900})
        page.goto(report.as_uri())
        assert page.evaluate("document.documentElement.scrollHeight") <= 10 * 900
        page.set_viewport_size({"width": 390, "height": 844})
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        unsaid = """[...document.querySelectorAll('.scroll')].filter(
            s => s.scrollWidth > s.clientWidth + 1
            && !s.previousElementSibling?.matches('.swipe')).length"""
        assert page.evaluate(unsaid) == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
