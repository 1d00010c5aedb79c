"""A headless browser that shows a page and tells what the page tried to do."""

from __future__ import annotations

import functools
import http.server
import mimetypes
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
ADDRESS = "https://course.invalid/page/"
# What a reader does to every element of a page, and more.
TOUCH = """() => {
    const kinds = ["mouseover", "mouseenter", "pointerover", "focus", "toggle", "animationstart"];
    for (const element of document.querySelectorAll("*")) {
        for (const kind of kinds) element.dispatchEvent(new Event(kind, {bubbles: true}));
    }
    for (const link of document.querySelectorAll("a, area, [*|href]")) {
        const target = link.href?.baseVal ?? link.href ?? "";
        if (!/^(https?|mailto):/i.test(target)) {
            link.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true}));
        }
    }
}"""


@dataclass
class Visit:
    """What happened while a page was looked at.

    ran: the names that scripts of the payloads called `ran` with.
    requests: the addresses that were asked for, the page's own left out.
    dialogs: messages of alerts and the like.
    """

    ran: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


# No name of another machine is found, so that whatever a page asks for there fails.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@contextmanager
def launch(*arguments: str) -> Iterator:
    """Yield a browser, started with these arguments; skip the test where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"needs a browser, one of {', '.join(NAMES)}")
    sync_api = pytest.importorskip("playwright.sync_api")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_api.sync_playwright() as playwright:
        options = [*arguments, *(["--no-sandbox"] if root else [])]
        browser = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        finally:
            browser.close()


def visit(browser, html: str, static: str | None = None, **options) -> Visit:
    """Show a page, touch everything on it, and return what happened.

    Nothing leaves the machine: files below `/static/` come from the folder `static`, everything
    else is refused. `options` are those of the browser's `new_page`.
    """
    seen = Visit()

    def dismiss(dialog) -> None:
        seen.dialogs.append(dialog.message)
        dialog.dismiss()

    page = browser.new_page(**options)
    try:
        page.on("dialog", dismiss)
        page.expose_function("ran", lambda name: seen.ran.append(name))

        def answer(route) -> None:
            url = route.request.url
            if url == ADDRESS:
                route.fulfill(body=html, content_type="text/html; charset=utf-8")
                return
            seen.requests.append(url)
            _, found, name = url.partition("/static/")
            path = Path(static, name.partition("?")[0]) if static and found else None
            if path and path.is_file():
                kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
                route.fulfill(body=path.read_bytes(), content_type=kind)
            else:
                route.abort()

        page.route("**/*", answer)
        page.goto(ADDRESS)
        page.evaluate(TOUCH)
        page.wait_for_timeout(200)
    finally:
        page.close()
    return seen


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine only; yield its address, with a slash at its end."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
