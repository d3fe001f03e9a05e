"""Studies as Markdown: every table, and under what terms the figures came about."""

from __future__ import annotations

from collections.abc import Sequence

from emelia.results import Study
from emelia.show import differences
from emelia.show.tables import all_tables, audit, escaped, seeds


def markdown(found: Sequence[Study]) -> str:
    """All tables of all these studies, with protocol, audit and seeds."""
    return "\n\n".join(_study(study) for study in found)


def _study(study: Study) -> str:
    facts = [
        f"Protocol: {study.sample.protocol}",
        f"Corpus: {study.sample.corpus} (digest {study.sample.corpus_digest}). "
        f"Seeds: {seeds(study)}.",
        *(f"Audit: {line}." for line in audit(study)),
    ]
    tables = [table.markdown() for table in [*all_tables(study), *differences.tables(study)]]
    return "\n\n".join([*tables, "\n".join(f"- {escaped(fact)}" for fact in facts)])
