"""Rows of cells as text and as HTML."""

from __future__ import annotations

import html


def text_table(cells: list[list[str]]) -> str:
    """Rows of cells, the head first, in aligned columns."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def html_table(cells: list[list[str]]) -> str:
    """The same rows as an HTML table, every cell escaped."""
    head, *body = [[html.escape(cell) for cell in row] for row in cells]
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in body)
    return f"<table><thead><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr></thead><tbody>{rows}</tbody></table>"
