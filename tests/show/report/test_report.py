"""Tables, findings, figures and pages say what the figures are, and load nothing."""

from __future__ import annotations

import re
import sys
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import fake_study
import numpy as np
import pytest
from html_page import HtmlPage
from sklearn.metrics import precision_score, recall_score

from emelia.corpora import CORPORA
from emelia.errors import MissingExtraError, RunError, StorageError
from emelia.results import Cell, Study, studies
from emelia.show import style, tables
from emelia.show.report import confidence_section, detail_tables, findings, plots
from emelia.show.report.limitations import limitations
from emelia.show.report.markdown import markdown
from emelia.show.report.page import write_report
from emelia.show.report.study_tables import all_tables
from emelia.text import p_value, with_interval

CLIPS = fake_study.utterances()
LOSO = fake_study.loso(CLIPS)
RANDOM = fake_study.at_random(CLIPS)


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    """Three recipes on all folds with two seeds, and half of a fourth."""
    return fake_study.study(LOSO, list(fake_study.RECIPES))[:-9]


@pytest.fixture(scope="module")
def study(cells: list[Cell]) -> Study:
    return studies(cells)[0]


@pytest.fixture(scope="module")
def written(cells: list[Cell], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("report") / "new"
    return write_report(cells, folder, command="emelia study aesdd --split loso --seeds 2")


@pytest.fixture(scope="module")
def page(written: list[Path]) -> str:
    return written[1].read_text(encoding="utf-8")


def row_of(rows: Sequence[Sequence[str]], name: str) -> Sequence[str]:
    """The first row that begins with a name."""
    return next(row for row in rows if row[0] == name)


def column(table: tables.Table, name: str) -> list[str]:
    place = table.columns.index(name)
    return [row[place] for row in table.rows]


# Tables


def test_the_main_table_holds_the_figures_of_each_row(study: Study) -> None:
    table, row = tables.main(study), study.rows[0]
    low, high = 100 * row.accuracy_interval.low, 100 * row.accuracy_interval.high
    assert column(table, "recipe")[0] == "variable-3"
    assert (
        column(table, "accuracy % (95 %)")[0] == f"{100 * row.accuracy:.1f} ({low:.1f}–{high:.1f})"
    )
    assert column(table, "sd over seeds")[0] == f"{100 * np.std(row.accuracies, ddof=1):.1f}"
    assert column(table, "published %") == ["74.4", "55.4", "–", "–"]
    assert column(table, "parameters")[0] == "23,621"
    assert column(table, "folds") == ["12/12", "12/12", "12/12", "3/6"]
    assert column(table, "seeds") == ["2", "2", "2", "0"]
    assert table.best is not None
    assert table.rows[table.best][0] == "emelia"


def test_an_incomplete_recipe_is_called_so_and_compared_with_nothing(study: Study) -> None:
    assert column(tables.main(study), "recipe")[3] == "artificial (incomplete)"
    assert "compared with nothing" in tables.main(study).note
    assert tables.speakers(study).columns[-1] == "artificial (incomplete)"
    assert len(tables.pairs(study).rows) == 3
    assert not any("artificial" in row[0] for row in tables.pairs(study).rows)


def test_an_interval_by_clip_is_starred() -> None:
    five = fake_study.loso(fake_study.utterances(speakers=5))
    (study,) = studies(fake_study.study(five))
    table = tables.main(study)
    assert all(cell.endswith("*") for cell in column(table, "UAR % (95 %)"))
    assert "too narrow" in table.note


def test_a_split_that_peeks_shows_both_rules() -> None:
    (study,) = studies(fake_study.study(RANDOM, ["variable-3"], [0]))
    table, row = tables.main(study), study.rows[0]
    assert row.best_test_accuracy is not None
    shown = column(table, "best test epoch % (95 %)")[0]
    assert shown.startswith(f"{100 * row.best_test_accuracy:.1f} (")
    assert column(table, "accuracy % (95 %)")[0].startswith(f"{100 * row.accuracy:.1f} (")


def test_the_table_by_speaker_has_the_range(study: Study) -> None:
    table = tables.speakers(study)
    assert [row[0] for row in table.rows] == ["1", "2", "3", "4", "5", "6", "highest - lowest"]
    shares = [100 * share for _, share in study.rows[0].per_speaker.values()]
    assert column(table, "variable-3")[:-1] == [f"{share:.1f}" for share in shares]
    assert column(table, "variable-3")[-1] == f"{max(shares) - min(shares):.1f}"
    assert column(table, "artificial (incomplete)")[3:6] == ["–", "–", "–"]


def test_pairs_come_surest_first(study: Study) -> None:
    table = tables.pairs(study)
    order = sorted(study.pairs, key=lambda pair: pair.p)
    assert column(table, "pair") == [f"{pair.first} : {pair.second}" for pair in order]
    assert column(table, "p (Holm)") == [p_value(pair.adjusted) for pair in order]
    assert column(table, "differ?") == [
        "yes" if pair.adjusted < 0.05 else "not shown" for pair in order
    ]


def test_markdown_tables_keep_their_columns_whatever_names_hold(cells: list[Cell]) -> None:
    odd = [replace(cell, recipe="a|b <i>*\nc") for cell in cells[:6]]
    text = markdown(studies(odd))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    # A recipe, six speakers and their range, and confidence, each under a head and a rule.
    assert len(lines) == 3 + 9 + 3
    for line in lines[:3]:
        assert len(re.findall(r"(?<!\\)\|", line)) == len(tables.main(studies(odd)[0]).columns) + 1
    assert r"a\|b &lt;i>\* c" in text


def test_markdown_tells_protocol_audit_and_seeds(study: Study) -> None:
    text = markdown([study])
    assert "- Protocol: Leave one speaker out, 6 folds; the next speaker validates." in text
    assert re.search(r"- Audit: all 6 folds \(clips: train 120, .*\): speakers disjoint;", text)
    assert "digest 0123abcd). Seeds: 0, 1." in text


def test_a_block_is_written_between_its_markers_and_again_to_the_same(
    tmp_path: Path, study: Study
) -> None:
    path = tmp_path / "results.md"
    path.write_text("# Results\n\n<!-- begin loso -->\nstale\n<!-- end loso -->\n\nThe end.\n")
    tables.write_block(path, "loso", markdown([study]))
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Results\n\n<!-- begin loso -->\n\n**aesdd, loso**")
    assert text.endswith("\n<!-- end loso -->\n\nThe end.\n")
    assert "stale" not in text
    tables.write_block(path, "loso", markdown([study]))
    assert path.read_text(encoding="utf-8") == text


def test_a_block_is_added_where_there_are_no_markers(tmp_path: Path, study: Study) -> None:
    path = tmp_path / "docs" / "results.md"
    tables.write_block(path, "one", markdown([study]))
    tables.write_block(path, "other", markdown([study]))
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!-- begin one -->")
    assert re.findall(r"<!-- (\w+ \w+) -->", text) == [
        "begin one", "end one", "begin other", "end other",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "page",
    [
        "<!-- begin a -->",
        "<!-- end a -->",
        "<!-- end a --><!-- begin a -->",
        "<!-- begin a --><!-- end a --><!-- begin a --><!-- end a -->",
    ],
)
def test_a_page_with_torn_markers_is_left_as_it_is(tmp_path: Path, study: Study, page: str) -> None:
    path = tmp_path / "results.md"
    path.write_text(page)
    with pytest.raises(StorageError, match="Mend the page"):
        tables.write_block(path, "a", markdown([study]))
    assert path.read_text() == page


# Findings


def test_the_headline_is_the_best_recipe_with_its_interval(study: Study) -> None:
    best = study.rows[2]
    accuracy = with_interval(best.accuracy, best.accuracy_interval)
    uar = with_interval(best.uar, best.uar_interval)
    assert findings.headline(study) == (
        f"emelia comes first with {accuracy} % accuracy and {uar} % UAR "
        "on 180 test clips of 6 speakers."
    )


def test_without_a_complete_recipe_there_is_no_best(cells: list[Cell]) -> None:
    (study,) = studies(cells[:2])
    assert findings.headline(study) == ("No recipe is complete yet: at most 2 of 6 folds are done.")
    assert findings.findings(study) == []


def test_a_published_figure_is_inside_or_outside_our_interval() -> None:
    (study,) = studies(fake_study.study(RANDOM, ["variable-3"], [0]))
    span = study.rows[0].best_test_interval
    assert span is not None

    def told(published: float) -> str:
        cells = [
            replace(cell, settings={**cell.settings, "published": published})
            for cell in study.rows[0].cells
        ]
        return " ".join(findings.findings(studies(cells)[0]))

    assert "lies inside our interval for variable-3" in told(100 * span.high - 0.1)
    assert "lies outside our interval for variable-3" in told(100 * span.high + 0.1)


def test_what_peeking_gains_is_told() -> None:
    (study,) = studies(fake_study.study(RANDOM, ["variable-3", "resized-3"], [0]))
    gains = [100 * ((row.best_test_accuracy or 0) - row.accuracy) for row in study.rows]
    (told,) = (line for line in findings.findings(study) if line.startswith("Choosing the epoch"))
    assert f"{min(gains):+.1f} to {max(gains):+.1f} points" in told
    assert f"{np.mean(gains):+.1f} on average" in told


def test_recipes_that_differ_in_one_thing_show_its_effect(study: Study) -> None:
    (told,) = (line for line in findings.findings(study) if line.startswith("Changing"))
    points = 100 * (study.rows[1].accuracy - study.rows[0].accuracy)
    (pair,) = (p for p in study.pairs if {p.first, p.second} == {"variable-3", "resized-3"})
    verdict = "a difference" if pair.adjusted < 0.05 else "no difference shown"
    assert told == (
        f"Changing the network from variable to resized: {verdict}. "
        f"variable-3 to resized-3: {points:+.1f} points (p {p_value(pair.adjusted)})."
    )


def test_no_skill_is_called_no_skill(cells: list[Cell]) -> None:
    anger = [1.0, 0.0, 0.0, 0.0, 0.0]
    same = [
        replace(c, predictions=tuple({**p, "probabilities": anger} for p in c.predictions))
        for c in cells[:12]
    ]
    assert "does not lie above 20.0 % UAR" in findings.findings(studies(same)[0])[0]
    assert "lies above 20.0 % UAR" in findings.findings(studies(cells)[0])[0]


def test_the_commonest_mistake_is_the_largest_confusion(study: Study) -> None:
    best = study.rows[2]
    shares = best.confusion / best.confusion.sum(axis=1, keepdims=True)
    np.fill_diagonal(shares, 0)
    true, taken = np.unravel_index(shares.argmax(), shares.shape)
    told = " ".join(findings.findings(study))
    assert f"to take {fake_study.CLASSES[true]} for {fake_study.CLASSES[taken]}" in told
    assert f"{100 * shares.max():.1f} % of the {fake_study.CLASSES[true]} clips" in told


def test_limits_follow_from_the_study(study: Study) -> None:
    heard = " ".join(limitations(studies(fake_study.study(RANDOM, seeds=[0]))[0]))
    assert "also seen before the test" in heard
    assert "One seed only for variable-3 and emelia" in heard
    unheard = " ".join(limitations(study))
    assert "also heard" not in unheard
    assert "One seed" not in unheard
    assert "Not complete, and compared with nothing: artificial." in unheard
    last = sum(c.best_epoch == len(c.history) for row in study.rows for c in row.cells)
    assert f"In {last} of 39 trainings the last epoch was the best" in unheard


# Figures


def test_the_confusion_figure_writes_counts_and_shares(study: Study) -> None:
    matrix = study.rows[0].confusion
    axes = plots.confusion(matrix, fake_study.CLASSES).axes[0]
    written = [text.get_text() for text in axes.texts]
    shares = 100 * matrix / matrix.sum(axis=1, keepdims=True)
    expected = zip(shares.flat, matrix.flat, strict=True)
    assert written == [f"{share:.0f} %\n{count}" for share, count in expected]


def test_the_curves_are_the_history_and_mark_the_chosen_epoch() -> None:
    (study,) = studies(fake_study.study(LOSO, ["emelia"], [0]))
    row = study.rows[0]
    lines = [line for line in plots.progress(row).axes[0].lines if len(line.get_xdata())]
    curves = [line for line in lines if len(line.get_xdata()) > 1]
    marks = [line for line in lines if len(line.get_xdata()) == 1]
    for cell, curve, mark in zip(row.cells, curves, marks, strict=True):
        shares = [100 * epoch["validation_uar"] for epoch in cell.history]
        np.testing.assert_allclose(curve.get_ydata(), shares)
        assert mark.get_xdata()[0] == cell.best_epoch
        assert mark.get_ydata()[0] == pytest.approx(max(shares))
    drawn = [line for line in plots.losses(row).axes[0].lines if len(line.get_xdata())]
    assert len(drawn) == 3 * len(row.cells)  # a mark, too
    assert [line.get_xdata()[0] for line in drawn[-len(row.cells) :]] == [
        cell.best_epoch for cell in row.cells
    ]
    np.testing.assert_allclose(drawn[0].get_ydata(), [e["loss"] for e in row.cells[0].history])


def test_many_curves_get_their_median() -> None:
    clips = fake_study.loso(fake_study.utterances(speakers=14, sentences=1))
    (study,) = studies(fake_study.study(clips, ["emelia"], [0], epochs=5))
    row = study.rows[0]
    thick = [line for line in plots.losses(row).axes[0].lines if line.get_linewidth() > 1]
    losses = [[epoch["loss"] for epoch in cell.history] for cell in row.cells]
    np.testing.assert_allclose(thick[0].get_ydata(), np.median(losses, axis=0))


def test_figures_are_the_same_bytes_each_time_and_turn_light_on_dark_pages(study: Study) -> None:
    first, second = (style.svg(plots.intervals(study.rows)) for _ in range(2))
    assert first == second
    assert b"prefers-color-scheme: dark" in first
    assert ElementTree.fromstring(first).tag.endswith("svg")


# Pages


def test_the_report_is_a_page_and_a_text_with_figures_beside(written: list[Path]) -> None:
    assert [path.name for path in written] == ["report.md", "report.html"]
    figures = written[0].parent / "figures"
    beside = [figures.parent / name for name in ("answers-aesdd-loso.csv", "figures", "tables")]
    assert sorted(figures.parent.iterdir()) == sorted([*written, *beside])
    named = re.findall(r"!\[.*\]\(<(.*)>\)", written[0].read_text(encoding="utf-8"))
    assert len(set(named)) == 2 + 4 * 5
    assert {f"figures/{path.name}" for path in figures.glob("*.svg")} == set(named)
    assert {path.stem for path in figures.glob("*.png")} == {Path(name).stem for name in named}
    assert len(list(figures.iterdir())) == 3 * len(named)


def test_the_report_is_made_from_a_file_of_results(tmp_path: Path, cells: list[Cell]) -> None:
    (tmp_path / "results.jsonl").write_text("".join(f"{cell.to_json()}\n" for cell in cells[:2]))
    from_file = [path.read_bytes() for path in write_report(tmp_path, tmp_path / "a")]
    from_cells = [path.read_bytes() for path in write_report(cells[:2], tmp_path / "b")]
    assert from_file == from_cells


def test_nothing_to_report_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finished cells"):
        write_report(tmp_path, tmp_path)


def test_the_page_is_balanced_and_complete(page: str) -> None:
    shown = HtmlPage(page)
    shown.check_whole()
    outside = [link for link in shown.values("href") if not link.startswith("#")]
    assert set(outside) == {CORPORA["aesdd"].homepage}


def test_the_page_loads_nothing(page: str) -> None:
    HtmlPage(page).check_loads_nothing()
    told = page.replace(CORPORA["aesdd"].homepage, "")  # a link, which loads nothing until followed
    assert not re.search(r"https?://", told)
    assert len(page.encode()) < 3_000_000  # without sound


def test_every_picture_is_drawn_and_told_in_words(page: str, study: Study) -> None:
    pictures = HtmlPage(page).all("img")
    assert len(pictures) == 2 + 5 * len(study.rows)
    for picture in pictures:
        ElementTree.fromstring(b64decode(picture["src"].partition(",")[2]))
        assert len(picture["alt"]) > 40
    truth = study.rows[0].truth.tolist() * 2
    recalls = recall_score(truth, study.rows[0].predicted.flatten(), average=None)
    (told,) = (p["alt"] for p in pictures if p["alt"].startswith("Confusion matrix of variable-3"))
    for name, share in zip(fake_study.CLASSES, recalls, strict=True):
        assert f"{name} {100 * share:.1f} %" in told


def test_the_page_shows_the_figures(page: str, study: Study) -> None:
    shown = HtmlPage(page)
    for table in all_tables(study):
        assert list(table.columns) in shown.rows
        for row in table.rows:
            assert list(row) in shown.rows
    assert findings.headline(study) in shown.text
    for sentence in findings.findings(study) + limitations(study):
        assert sentence in shown.text


def test_the_page_shows_precision_of_each_class(page: str, study: Study) -> None:
    truth = study.rows[0].truth.tolist() * 2
    precision = precision_score(truth, study.rows[0].predicted.flatten(), average=None)
    row = row_of(HtmlPage(page).rows, "anger")
    assert row[1] == "36"
    assert row[2].startswith(f"{100 * precision[0]:.1f} (")


def test_the_page_tells_how_to_make_it_again(page: str, study: Study) -> None:
    text = HtmlPage(page).text
    assert "emelia study aesdd --split loso --seeds 2" in text
    assert "torch 2.13.0" in text
    assert "digest 0123abcd; seeds 0, 1" in text
    assert all(row.cells[0].recipe_digest in text for row in study.rows)
    assert "speakers disjoint" in text
    assert row_of(HtmlPage(page).rows, "model.name")[1:3] == ["variable", "resized"]


def test_names_do_not_become_mark_up(page: str) -> None:
    assert "residual blocks &amp; &lt;attention&gt;" in page
    assert "residual blocks & <attention>" in HtmlPage(page).text


def test_synthetic_speech_is_called_so_everywhere(tmp_path: Path) -> None:
    cells = fake_study.study(LOSO, ["emelia"], seeds=[0], corpus="demo", demo=True)
    markdown, html = (path.read_text(encoding="utf-8") for path in write_report(cells, tmp_path))
    for text in (markdown, HtmlPage(html).text):
        assert "Synthetic speech only: emelia reaches" in text
        assert "say nothing about people" in text
        assert text.count("(synthetic speech)") >= 4
    shown = all_tables(studies(cells)[0])
    assert all(table.title.endswith("(synthetic speech)") for table in shown)
    captions = re.findall(r"<figcaption>(.*)</figcaption>", html)
    assert captions
    assert all("(synthetic speech)" in caption for caption in captions)


def test_several_studies_share_a_page_without_being_mixed(
    tmp_path: Path, cells: list[Cell]
) -> None:
    both = [*cells[:6], *fake_study.study(RANDOM, ["variable-3"], [0])]
    html = write_report(both, tmp_path)[1].read_text(encoding="utf-8")
    shown = HtmlPage(html)
    assert shown.faults == []
    assert re.findall(r"<h2>(.*)</h2>", html) == ["aesdd, loso", "aesdd, author-80-20"]
    found = studies(both)
    own = [
        list(table.rows[0])
        for study in found
        for table in (tables.main(study), confidence_section.table(study))
    ]
    (line,) = detail_tables.random_against_apart(found).rows
    assert [row for row in shown.rows if row[0] == "variable-3"] == [list(line), *own]
    assert all(findings.headline(study) in shown.text for study in found)


@pytest.mark.parametrize("package", ["matplotlib.figure", "jinja2"])
def test_a_missing_extra_names_its_command_and_writes_nothing(
    tmp_path: Path, cells: list[Cell], monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'emelia\[plots\]'"):
        write_report(cells, tmp_path / "new")
    assert not (tmp_path / "new").exists()
