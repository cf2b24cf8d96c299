"""Reports of a study: tables, Markdown and the HTML page."""
