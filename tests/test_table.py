"""A table says the same on the terminal, in Markdown, in HTML and as CSV."""

from __future__ import annotations

import pytest

from emelia import console
from emelia.table import Table

TABLE = Table("By <b>|", ("recipe", "UAR %"), (("*a*", "56.1"), ("b\n& c", "–")), "A `note`.", 1)


def test_it_is_written_as_markdown() -> None:
    assert TABLE.markdown().splitlines() == [
        r"**By &lt;b>\|**",
        "",
        "| recipe | UAR % |",
        "| --- | ---: |",
        r"| \*a\* | 56.1 |",
        "| b & c | – |",
        "",
        r"A \`note\`.",
    ]
    bare = Table("", TABLE.columns, ()).markdown(figures=False)
    assert bare == "| recipe | UAR % |\n| --- | --- |"


def test_it_is_written_as_html_with_the_best_row_set_off() -> None:
    page = TABLE.html()
    assert "<caption>By &lt;b&gt;|</caption>" in page
    assert '<tr><th scope="row" class="short">*a*</th><td>56.1</td></tr>' in page
    assert '<tr class="best"><th scope="row" class="short">b\n&amp; c</th><td>–</td></tr>' in page
    assert page.endswith('<p class="note">A `note`.</p>')


def test_it_is_written_as_csv() -> None:
    assert TABLE.csv() == 'recipe,UAR %\n*a*,56.1\n"b\n& c",–\n'


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    TABLE.print()
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("By <b>|", "recipe", "*a*", "56.1", "A `note`."))


SPAN = "56.1 (50.3–61.9)*"
STUDY = Table(
    "A study",
    ("recipe", "accuracy % (95 %)", "UAR % (95 %)", "macro F1 %", "parameters", "folds"),
    [("artificial-variable-4 (incomplete)", SPAN, SPAN, "50.1", "1,234,567", "3/6"),
     ("emelia", SPAN, "–", "7.0", "48,210", "6/6")],
    spare=("folds", "parameters"),
)  # fmt: skip
SPEAKERS = Table("By speaker", ("speaker", *(f"artificial-variable-{n}" for n in range(12))),
                 [(str(n), *(f"{n}.{k}" for k in range(12))) for n in range(1, 4)])  # fmt: skip
CORPORA = Table(
    "Corpora",
    ("name", "title", "licence", "home"),
    [("aesdd", "Acted Emotional Speech Dynamic Database", "published for research; not settled",
      "http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/")],
)  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 100, 140])
@pytest.mark.parametrize("table", [STUDY, SPEAKERS, CORPORA], ids=lambda t: t.title)
def test_no_name_or_number_is_broken_at_any_width(table: Table, width: int) -> None:
    lines, left_out = table.lines(width)
    longest = max(len(word) for row in table.rows for cell in row for word in cell.split())
    assert max(map(len, lines)) <= max(width, longest + 12)
    shown = " ".join(lines).split()
    kept = [place for place, name in enumerate(table.columns) if name not in left_out]
    for row in (["", *table.columns[1:]], *table.rows):
        assert all(word in shown for place in kept for word in row[place].split())


def test_what_is_least_needed_goes_first_and_is_named() -> None:
    assert STUDY.lines(140)[1] == []
    assert STUDY.lines(75)[1] == ["folds"]
    assert STUDY.lines(60)[1] == ["folds", "parameters"]


def test_text_stands_left_and_numbers_right() -> None:
    table = Table("", ("name", "what it is", "epochs", "sd"),
                  [("a", "3 convolutions", "60", "–"), ("bb", "any", "6", "–")])  # fmt: skip
    lines, _ = table.lines(80)
    assert lines == [
        "name  what it is      epochs  sd",
        "────────────────────────────────",
        "a     3 convolutions      60   –",
        "bb    any                  6   –",
    ]


def test_counts_stand_right_where_some_are_none() -> None:
    lines, _ = Table(
        "", ("true", "anger", "fear"), [("anger", "8", "·"), ("fear", "·", "12")]
    ).lines(80)
    assert lines[2:] == ["anger      8     ·", "fear       ·    12"]


def test_many_columns_of_numbers_come_in_blocks_and_long_text_below_the_name() -> None:
    blocks, _ = SPEAKERS.lines(80)
    assert sum(line.startswith("speaker") for line in blocks) > 1
    stacked, _ = CORPORA.lines(80)
    assert stacked[0] == "aesdd" and stacked[1].startswith("  title    Acted")


def test_accents_and_wide_signs_keep_columns_straight() -> None:
    lines, _ = Table("", ("word", "n"), [("怒り", "1"), ("θυμο\u0301ς", "2")]).lines(80)
    assert lines[2:] == ["怒り   1", "θυμο\u0301ς  2"]


def test_a_pipe_has_all_columns_and_a_terminal_says_what_it_leaves_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    STUDY.print()
    assert "folds" in capsys.readouterr().out
    monkeypatch.setattr(console, "width", lambda: 75)
    STUDY.print()
    assert "Left out here: folds; --wide" in capsys.readouterr().out
    STUDY.print(wide=True)
    assert "6/6" in capsys.readouterr().out
