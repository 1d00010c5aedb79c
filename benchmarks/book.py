"""What the book's pages weigh, and when a reader over a slow connection can read them.

    python benchmarks/book.py                    the home page and each lesson's heaviest page
    python benchmarks/book.py --all              every page
    python benchmarks/book.py --book FOLDER      a book built elsewhere

Needs Chromium or Chrome and Playwright. The pages are sent packed, as GitHub Pages sends them, over
1.6 Mbit/s with 150 ms of latency, with nothing cached. "Read" is when text and formulas stand with
their own letters; the pictures below come when the reader does.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import os
import shutil
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from autograder.book.sections import ONE_PAGE
from autograder.book.train import markdown_table
from autograder.course import Course

BITS, LATENCY = 1_600_000, 150  # a second; milliseconds
PACKED = (".html", ".css", ".js", ".json", ".svg")
COUNTS = """() => ({
    nodes: document.querySelectorAll("*").length,
    screens: document.documentElement.scrollHeight / innerHeight,
    formulas: document.querySelectorAll("math").length,
})"""
READY = "async () => { await document.fonts.ready; return performance.now(); }"


class Packing(http.server.SimpleHTTPRequestHandler):
    """Send files as GitHub Pages does: what is text, packed."""

    def do_GET(self) -> None:
        """Send a file."""
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        self.send_response(200)
        if path.suffix in PACKED:
            body = gzip.compress(body, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every page")
    parser.add_argument("--book", type=Path, default=Course.find().book, help="the built book")
    args = parser.parse_args()
    if not (args.book / "index.html").is_file():
        parser.error(f"{args.book} holds no book; run: python -m autograder book")
    pages = sorted(path.relative_to(args.book) for path in args.book.rglob("*.html"))
    if not args.all:
        pages = [Path("index.html"), *heaviest(args.book, pages)]
    handler = functools.partial(Packing, directory=str(args.book))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows = [["page", "kB", "kB with all pictures", "read after, s", "formulas", "nodes", "screens"]]
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox"] if root else []
        )
        for page in pages:
            address = f"http://127.0.0.1:{server.server_port}/{page.as_posix()}"
            rows.append([page.as_posix(), *measure(browser, address)])
        browser.close()
    server.shutdown()
    print(markdown_table(rows))


def heaviest(book: Path, pages: list[Path]) -> list[Path]:
    """Return the largest page of each lesson, and the one that has the whole lesson."""
    largest: dict[Path, Path] = {}
    for page in pages:
        if page.stem == ONE_PAGE:
            largest[page] = page
        elif page.parent.name[:2].isdecimal():
            best = largest.get(page.parent, page)
            largest[page.parent] = max(best, page, key=lambda name: (book / name).stat().st_size)
    return list(largest.values())


def measure(browser: Browser, address: str) -> list[str]:
    """Return a page's row."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    network = context.new_cdp_session(page)
    received = [0]

    def count(event: dict[str, Any]) -> None:
        received[0] += event["encodedDataLength"]

    network.on("Network.loadingFinished", count)
    network.send("Network.enable")
    speed = {"downloadThroughput": BITS / 8, "uploadThroughput": BITS / 8}
    conditions = {"offline": False, "latency": LATENCY, **speed}
    network.send("Network.emulateNetworkConditions", conditions)
    page.goto(address, wait_until="load", timeout=120_000)
    ready = page.evaluate(READY) / 1000
    first = received[0]
    conditions |= {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    network.send("Network.emulateNetworkConditions", conditions)
    counts = page.evaluate(COUNTS)
    for screen in range(round(counts["screens"]) + 1):
        page.evaluate(f"scrollTo(0, {screen} * innerHeight)")
        page.wait_for_timeout(60)
    page.wait_for_load_state("networkidle")
    context.close()
    shown = [f"{first / 1000:.0f}", f"{received[0] / 1000:.0f}", f"{ready:.1f}"]
    return [*shown, str(counts["formulas"]), str(counts["nodes"]), f"{counts['screens']:.0f}"]


if __name__ == "__main__":
    main()
