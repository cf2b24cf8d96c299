"""Site: a study's report as one page that needs no network to be read, from jinja2 and plotly.

`content` gathers what a page says, `charts` draws, `render` fills the templates. The page answers
in this order: which architecture to take and why, how sure the figures are, what the search tried.
"""
