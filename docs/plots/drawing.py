"""Draws diagrams as SVG, with the standard library only: the same input gives the same bytes.

Colours stand on a light card, so that a page shows them well in its dark mode too.
"""

from html import escape
from pathlib import Path

__all__ = ["BLUE", "CARD", "GREEN", "GREY", "INK", "MUTED", "PALE", "RED", "Drawing"]

INK, GREY, BLUE, RED, GREEN = "#1f2937", "#9aa3af", "#3b6ea5", "#c0392b", "#3c8c5a"
CARD, PALE, MUTED = "#fbfbfd", "#d5dae1", "#6b7280"
_FONT = "system-ui, sans-serif"
_HEAD = 7


class Drawing:
    """A card that lines, bars and words are put on; lengths are in pixels.

    Args:
        width: of the card.
        height: of the card.
        title: what the picture shows, for those who cannot see it.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{_FONT}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{CARD}"/>',
        ]

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: int = 13,
        anchor: str = "start",
        colour: str = INK,
        bold: bool = False,
        halo: bool = True,
    ) -> None:
        """Write words; `anchor` is the end that stands at `x`: start, middle or end."""
        weight = ' font-weight="600"' if bold else ""
        # Words keep clear of the lines that they cross.
        halo = f' stroke="{CARD}" stroke-width="4" paint-order="stroke"' if halo else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{colour}"{weight}{halo}>{escape(words)}</text>'
        )

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        colour: str = INK,
        width: float = 1.5,
        dashed: bool = False,
    ) -> None:
        """Draw a straight line."""
        dashes = ' stroke-dasharray="4 4"' if dashed else ""
        self._parts.append(
            f'<line x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}" '
            f'stroke="{colour}" stroke-width="{width:g}"{dashes}/>'
        )

    def arrow(self, y: float, start: float, end: float, *, colour: str = INK) -> None:
        """Draw a level arrow from one x to another."""
        self.line((start, y), (end, y), colour=colour)
        back = _HEAD if end < start else -_HEAD
        self._parts.append(
            f'<path d="M{end:g} {y:g} l{back} -4 v8 z" fill="{colour}" stroke="none"/>'
        )

    def bar(self, x: float, y: float, width: float, *, colour: str, height: float = 16) -> None:
        """Draw a bar whose middle is at `y`."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y - height / 2:g}" width="{width:g}" height="{height:g}" rx="3" '
            f'fill="{colour}"/>'
        )

    def steps(self, points: list[tuple[float, float]], *, colour: str = BLUE) -> None:
        """Draw a line through points."""
        path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )

    def cross(self, x: float, y: float, *, colour: str = RED) -> None:
        """Draw a cross."""
        self._parts.append(
            f'<path d="M{x - 4:g} {y - 4:g} l8 8 m0 -8 l-8 8" stroke="{colour}" '
            'stroke-width="1.8" fill="none"/>'
        )

    def save(self, target: Path) -> None:
        """Write the file."""
        target.write_text("\n".join([*self._parts, "</svg>", ""]))
