"""Tables, figures, findings in sentences, and reports as Markdown and HTML."""
