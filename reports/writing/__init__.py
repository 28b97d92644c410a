"""Markdown, wording and one look for all figures."""
