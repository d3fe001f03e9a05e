"""A table says the same on the terminal, in Markdown, in HTML and as CSV."""

from __future__ import annotations

import pytest

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
    assert '<tr><th scope="row">*a*</th><td>56.1</td></tr>' in page
    assert '<tr class="best"><th scope="row">b\n&amp; c</th><td>–</td></tr>' in page
    assert page.endswith('<p class="note">A `note`.</p>')


def test_it_is_written_as_csv() -> None:
    assert TABLE.csv() == 'recipe,UAR %\n*a*,56.1\n"b\n& c",–\n'


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    TABLE.print()
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("By <b>|", "recipe", "*a*", "56.1", "A `note`."))
