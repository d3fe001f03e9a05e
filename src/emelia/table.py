"""Tables: built once, written for the terminal, Markdown, HTML and CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from emelia import console, layout
from emelia.errors import MissingExtraError
from emelia.text import csv_text

_NO_EDGE = 100_000  # characters
_PHONE = 46  # letters of a table that a phone shows beside each other
_SHORT = 16  # letters of a name that a phone has room for on one line, hyphens and all
_SIGNS = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "–": "--", "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$",
    "…": r"\ldots{}",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Text in rows and columns, the first of them names.

    Attributes:
        title: above the table; none where it is empty.
        columns: their names.
        rows: as many texts each as there are columns.
        note: below the table.
        best: place of the row to set off in HTML.
        spare: columns a narrow terminal may do without, the first to go first.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    best: int | None = None
    spare: Sequence[str] = ()

    def print(self, wide: bool = False) -> None:
        """Print it on standard output, laid out for the width of the terminal.

        Args:
            wide: with all columns side by side, as wide as they are; so it is in a pipe or a
                file, where there is no edge.
        """
        width = _NO_EDGE if wide else console.width() or _NO_EDGE
        lines, left_out = self.lines(width)
        notes = [self.note] if self.note else []
        if left_out:
            notes.append(f"Left out here: {', '.join(left_out)}; --wide shows all columns.")
        console.titled(self.title, lines, notes)

    def lines(self, width: int) -> tuple[list[str], list[str]]:
        """The lines of columns and rows for a width, and the columns left out of them."""
        kept = list(range(len(self.columns)))
        left_out: list[str] = []
        for name in self.spare:
            columns, rows = self._only(kept)
            if layout.fits(columns, rows, width):
                break
            if name in self.columns:
                kept.remove(list(self.columns).index(name))
                left_out.append(name)
        return layout.lines(*self._only(kept), width, console.rule()), left_out

    def _only(self, places: Sequence[int]) -> tuple[list[str], list[list[str]]]:
        rows = [[" ".join(row[place].splitlines()) for place in places] for row in self.rows]
        return [self.columns[place] for place in places], rows

    def markdown(self, figures: bool = True) -> str:
        """The table as Markdown, with its title above and its note below.

        Args:
            figures: the columns after the first hold figures, and are aligned to the right.
        """
        title = [f"**{escaped(self.title)}**", ""] if self.title else []
        rule = ["---", *["---:" if figures else "---"] * (len(self.columns) - 1)]
        head, *rows = (map(escaped, row) for row in (self.columns, *self.rows))
        lines = ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]
        return "\n".join([*title, *lines, *(["", escaped(self.note)] if self.note else [])])

    def html(self) -> str:
        """The table as HTML that scrolls sideways on a narrow page, its note below."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.columns)
        rows = "\n".join(map(self._html_row, range(len(self.rows))))
        title = escape(self.title)
        note = f'\n<p class="note">{escape(self.note)}</p>' if self.note else ""
        hint = f'<p class="swipe">{len(self.columns)} columns: swipe sideways.</p>\n'
        return (
            f"{hint if self.wide else ''}"
            f'<div class="scroll" role="region" aria-label="{title}" tabindex="0">\n'
            f"<table>\n<caption>{title}</caption>\n<thead><tr>{head}</tr></thead>\n"
            f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>{note}"
        )

    def latex(self) -> str:
        """The table as LaTeX for the package booktabs, its note below."""
        head, *rows = (" & ".join(map(_latex, row)) for row in (self.columns, *self.rows))
        lines = [
            "% needs \\usepackage{booktabs}",
            "\\begin{table}",
            f"\\caption{{{_latex(self.title)}}}",
            f"\\begin{{tabular}}{{l{'r' * (len(self.columns) - 1)}}}",
            "\\toprule",
            f"{head} \\\\",
            "\\midrule",
            *(f"{row} \\\\" for row in rows),
            "\\bottomrule",
            "\\end{tabular}",
            *([f"\\par\\small {_latex(self.note)}"] if self.note else []),
            "\\end{table}",
        ]
        return "\n".join(lines) + "\n"

    @property
    def wide(self) -> bool:
        """Whether it needs more columns of letters than a phone has."""
        # Headings wrap between words, cells do not.
        columns = zip(self.columns, *self.rows, strict=True)
        parts = ([*head.split(), *cells] for head, *cells in columns)
        return sum(3 + max(map(len, texts), default=0) for texts in parts) > _PHONE

    def csv(self) -> str:
        """Columns and rows as CSV, without title and note."""
        return csv_text([self.columns, *self.rows])

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame of text.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return data_frame(self.columns, self.rows)

    def _html_row(self, place: int) -> str:
        name, *cells = map(escape, self.rows[place])
        mark = ' class="best"' if place == self.best else ""
        told = "".join(f"<td>{cell}</td>" for cell in cells)
        short = ' class="short"' if len(self.rows[place][0]) <= _SHORT else ""
        return f'<tr{mark}><th scope="row"{short}>{name}</th>{told}</tr>'


def data_frame(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """Rows as a pandas DataFrame with these columns.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise MissingExtraError("a data frame", "pandas", "notebook") from None
    return pandas.DataFrame([list(row) for row in rows], columns=list(columns))


def _latex(text: str) -> str:
    """Text for LaTeX: its signs, and those that its fonts name."""
    return re.sub(r"[\\&%$#_{}~^–−±×≥≤…]", lambda sign: _SIGNS.get(sign[0], f"\\{sign[0]}"), text)


def escaped(text: str) -> str:
    """Text for Markdown: names of people's own recipes and speakers must not become mark-up."""
    plain = re.sub(r"([\\|*`]|\[(?=[^\]]*\]\())", r"\\\1", " ".join(text.split()))  # [a](b): a link
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", plain)
