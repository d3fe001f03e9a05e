"""The report of a study, as Markdown and HTML."""
