"""Site: a study's report as one HTML page that works offline, from jinja2 and plotly.

`content` makes its values, `charts` its figures, `render` fills the templates. The page answers in
this order: which trial to take, how uncertain the figures are, what the search tried.
"""
