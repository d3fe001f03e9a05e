"""Studies for people who would rather look than read: tables, findings, figures, reports."""
