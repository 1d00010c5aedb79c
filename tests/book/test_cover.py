"""A lesson's pictures: figures stacked, an animated image as the moving one."""

from __future__ import annotations

import base64
import io

from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from autograder.book.cover import save_covers

RED, BLUE = (255, 0, 0), (0, 0, 255)


def png(color: tuple, size: tuple[int, int] = (40, 20)) -> str:
    content = io.BytesIO()
    Image.new("RGB", size, color).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def shown(kind: str, content: str, tags: tuple[str, ...] = ("cover",)):
    output = new_output("display_data", {kind: content})
    return new_code_cell("…", outputs=[output], metadata={"tags": list(tags)})


def save(tmp_path, *cells):
    save_covers(new_notebook(cells=list(cells)), tmp_path / "images" / "01_lesson")
    return sorted(path.name for path in tmp_path.rglob("*.*"))


def test_nothing_tagged_writes_nothing(tmp_path):
    assert save(tmp_path, shown("image/png", png(RED), tags=())) == []


def test_figures_are_stacked(tmp_path):
    cells = [shown("image/png", png(RED)), shown("image/png", png(BLUE, (20, 10)))]
    assert save(tmp_path, *cells) == ["01_lesson.png"]
    with Image.open(tmp_path / "images" / "01_lesson.png") as picture:
        assert picture.size == (40, 30)
        colors = [picture.convert("RGB").getpixel(place) for place in ((5, 5), (20, 25), (2, 25))]
    assert colors == [RED, BLUE, (255, 255, 255)]


def test_an_animated_image_is_taken_as_it_is(tmp_path):
    content = base64.b64encode(b"GIF89a, and so on").decode()
    assert save(tmp_path, shown("image/gif", content)) == ["01_lesson.gif"]
    assert (tmp_path / "images" / "01_lesson.gif").read_bytes() == b"GIF89a, and so on"


def test_text_is_no_picture(tmp_path):
    assert save(tmp_path, shown("text/html", "<table></table>")) == []
