"""Markdown tables: the one way in which reports write them."""

from collections.abc import Iterable, Sequence


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 0) -> str:
    """Return a table; the cells of the last `left` columns are left-aligned, the others right."""
    rules = ["---:"] * (len(columns) - left) + ["---"] * left
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rules, *rows))
