"""What is done to the finished pages: pictures that weigh little and load late, and a site map."""

from __future__ import annotations

import functools
import html
import re
from pathlib import Path
from urllib.parse import unquote

from PIL import Image

from autograder.book.sections import ONE_PAGE
from autograder.texts import write_text

_IMAGE = re.compile(r'<img\b[^>]*?\bsrc="([^":]*_images/[^"]+)"[^>]*>')
_WIDTH = re.compile(r' width="(\d+)"(?!.* height=)')
LOST = "404.html"
# What serves nobody who comes from elsewhere, or stands on other pages too.
UNLISTED = re.compile(rf"{LOST}|search\.html|.*/{ONE_PAGE}\.html")


def finish(output: Path, address: str) -> None:
    """Finish the pages in a folder, which are to stand below an address."""
    sizes = {path.name: lighten(path) for path in sorted((output / "_images").glob("*.*"))}
    pages = sorted(output.rglob("*.html"))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        late = page.stem != ONE_PAGE  # it is for printing: nobody scrolls to its pictures
        finished = _IMAGE.sub(functools.partial(_light, sizes=sizes, late=late), text)
        # The theme's script says which colours; without it they are those of the day.
        finished = finished.replace('data-theme="auto"', 'data-theme="light"', 1)
        if page.name == LOST:  # it is shown at any address, where its own links would lead astray
            finished = finished.replace("<head>", f'<head><base href="{address}">', 1)
        if finished != text:
            write_text(page, finished)
    names = [page.relative_to(output).as_posix() for page in pages]
    listed = [f"{address}{name}" for name in names if not UNLISTED.fullmatch(name)]
    write_text(output / "sitemap.xml", sitemap(listed))


def lighten(path: Path) -> tuple[str, int, int]:
    """Make WebP of a PNG (without loss) or a GIF; return the file's name, its width and height."""
    with Image.open(path) as picture:
        if picture.format in ("PNG", "GIF"):
            moving = picture.format == "GIF"
            path = path.with_suffix(".webp")
            picture.save(path, save_all=moving, lossless=not moving, quality=80)
        return (path.name, *picture.size)


def _light(found: re.Match[str], sizes: dict[str, tuple[str, int, int]], late: bool) -> str:
    """Return an <img> of the light picture with its size; a late one is loaded when it is near."""
    name = unquote(found[1].rpartition("/")[2])
    if name not in sizes:
        return found[0]
    light, width, height = sizes[name]
    tag = found[0].replace(f"_images/{found[1].rpartition('/')[2]}", f"_images/{light}")
    if width > 1.8 * height and width > 1000:
        tag = tag.replace("<img", "<img data-wide", 1)
    shown = _WIDTH.search(tag)
    if shown:
        height = round(int(shown[1]) * height / width)
        tag = tag.replace(shown[0], f'{shown[0]} height="{height}"')
    elif " style=" not in tag:
        tag = tag.replace("<img", f'<img width="{width}" height="{height}"', 1)
    return tag.replace("<img", '<img loading="lazy"', 1) if late else tag


def sitemap(addresses: list[str]) -> str:
    """Return a site map, as search engines read it."""
    urls = "".join(f"  <url><loc>{html.escape(address)}</loc></url>\n" for address in addresses)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{head}\n<urlset xmlns="{space}">\n{urls}</urlset>\n'
