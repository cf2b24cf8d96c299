"""Site: a study's report as one HTML page that works offline, from jinja2 and plotly."""
