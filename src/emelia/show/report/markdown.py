"""Studies as Markdown: every table, with protocol, audit and seeds."""

from __future__ import annotations

from collections.abc import Sequence

from emelia.results import Study
from emelia.show.report import detail_tables
from emelia.show.report.study_tables import all_tables
from emelia.show.tables import audit, seeds
from emelia.table import escaped


def markdown(found: Sequence[Study]) -> str:
    """All tables of all these studies, with protocol, audit and seeds.

    Studies of a random split and of new speakers are set side by side at the end.
    """
    return "\n\n".join(filter(None, [*map(_study, found), comparison(found)]))


def comparison(found: Sequence[Study]) -> str:
    """The table of random splits beside new speakers; empty where a study has only one of them."""
    table = detail_tables.random_against_apart(found)
    return table.markdown() if table.rows else ""


def _study(study: Study) -> str:
    facts = [
        f"Protocol: {study.sample.protocol}",
        f"Corpus: {study.sample.corpus} (digest {study.sample.corpus_digest}). "
        f"Seeds: {seeds(study)}.",
        *(f"Audit: {line}." for line in audit(study)),
    ]
    tables = [table.markdown() for table in all_tables(study)]
    return "\n\n".join([*tables, "\n".join(f"- {escaped(fact)}" for fact in facts)])
