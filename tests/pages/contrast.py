"""The contrast of two colours, as WCAG 2 defines it."""

from __future__ import annotations


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, each six hexadecimal digits, from 1 to 21."""
    darker, lighter = sorted(map(_luminance, (first, second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    values = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
