"""Finished pages: light pictures with their sizes, a site map, and a page for who is lost."""

import io
import re

from PIL import Image

from autograder.book.finish import finish

ADDRESS = "https://example.org/course/"


def picture(kind, size=(1200, 300)):
    """Return a picture of two colours; a GIF has two frames."""
    first = Image.new("RGB", size, "white")
    first.paste("navy", (0, 0, size[0] // 2, size[1]))
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": [Image.new("RGB", size, "white")]}
    first.save(buffer, kind, **(more if kind == "gif" else {}))
    return buffer.getvalue()


def book(tmp_path):
    """A finished book of a few pages."""
    for folder in ("_images", "x"):
        (tmp_path / folder).mkdir()
    (tmp_path / "_images" / "a.png").write_bytes(picture("png"))
    (tmp_path / "_images" / "b.gif").write_bytes(picture("gif", (90, 60)))
    page = '<html lang="en" data-theme="auto"><head></head><img alt="A" src="{0}_images/a.png" />'
    page += ' <img width="45" src="{0}_images/b.gif">'
    page += '<img src="data:image/png;base64,AA"></html>'
    for name in ("index", "404", "search", "x/1-1", "x/one-page"):
        path = tmp_path / f"{name}.html"
        path.write_text(page.format("../" * name.count("/")), encoding="utf-8")
    finish(tmp_path, ADDRESS)
    return {
        name: (tmp_path / name).read_text(encoding="utf-8")
        for name in ("index.html", "x/1-1.html", "x/one-page.html", "404.html")
    }


def test_pictures_are_light_late_and_have_their_size(tmp_path):
    pages = book(tmp_path)
    first, second, inline = re.findall("<img[^>]*>", pages["x/1-1.html"])
    for part in (
        'src="../_images/a.webp"',
        'width="1200" height="300"',
        'loading="lazy"',
        'alt="A"',
        "data-wide",
    ):
        assert part in first
    assert 'src="../_images/b.webp"' in second and "data-wide" not in second
    assert 'width="45" height="30"' in second
    assert inline == '<img src="data:image/png;base64,AA">'
    # What is printed is there at once.
    assert "lazy" not in pages["x/one-page.html"] and "a.webp" in pages["x/one-page.html"]


def test_nothing_is_lost_in_a_picture(tmp_path):
    book(tmp_path)
    with Image.open(tmp_path / "_images" / "a.webp") as made:
        before = Image.open(io.BytesIO(picture("png"))).convert("RGB")
        assert made.convert("RGB").tobytes() == before.tobytes()
    with Image.open(tmp_path / "_images" / "b.webp") as moving:
        assert getattr(moving, "n_frames", 1) == 2


def test_the_site_map_has_what_is_to_be_found(tmp_path):
    book(tmp_path)
    text = (tmp_path / "sitemap.xml").read_text(encoding="utf-8")
    assert re.findall("<loc>(.*?)</loc>", text) == [f"{ADDRESS}index.html", f"{ADDRESS}x/1-1.html"]


def test_without_a_script_the_colours_are_those_of_the_day(tmp_path):
    assert book(tmp_path)["index.html"].startswith('<html lang="en" data-theme="light">')


def test_the_page_for_who_is_lost_works_at_any_address(tmp_path):
    pages = book(tmp_path)
    assert f'<head><base href="{ADDRESS}">' in pages["404.html"]
    assert "<base" not in pages["index.html"]
