"""A lesson's pictures: figures stacked, an animation's frames as a moving picture."""

from __future__ import annotations

import base64
import io

from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image, ImageSequence

from autograder.book.cover import HEAD, save_covers

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def png(color: tuple, size: tuple[int, int] = (40, 20)) -> str:
    content = io.BytesIO()
    Image.new("RGB", size, color).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def shown(kind: str, content: str, tags: tuple[str, ...] = ("cover",)):
    output = new_output("display_data", {kind: content})
    return new_code_cell("…", outputs=[output], metadata={"tags": list(tags)})


def animation(*colors: tuple) -> str:
    """The first frame is there twice, as in a lesson: before the animation starts, it is seen."""
    frames = ", ".join(f'"data:image/png;base64,{png(color)}"' for color in colors)
    first = png(colors[0])
    labels = '<span style="x">digit</span><span>CNN</span>'
    return f'<p>{labels}</p><img src="data:image/png;base64,{first}"><script>[{frames}]</script>'


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


def test_an_animation_moves_below_its_labels(tmp_path):
    assert save(tmp_path, shown("text/html", animation(RED, GREEN, BLUE))) == ["01_lesson.gif"]
    colors, dark = [], []
    with Image.open(tmp_path / "images" / "01_lesson.gif") as picture:
        assert picture.size == (40, HEAD + 20)
        for frame in ImageSequence.all_frames(picture, lambda image: image.convert("RGB")):
            colors.append(frame.getpixel((20, HEAD + 10)))
            dark.append(min(frame.crop((0, 0, 40, HEAD)).convert("L").tobytes()) < 128)
    assert colors == [RED, GREEN, BLUE]
    assert all(dark)  # the labels are on every frame


def test_other_html_is_no_animation(tmp_path):
    assert save(tmp_path, shown("text/html", "<table></table>")) == []
