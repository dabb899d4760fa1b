"""Open every page of the built site in headless Chromium, wide and narrow, and say what is wrong.

    python docs/check_site.py OUT [--screenshots FOLDER]

Wrong is a link to nowhere (within the site; others need a network), an error in the console, a file
that is not found, a page that asks for something from elsewhere, and one wider than its window.
Needs Playwright, which is in the dependency group `docs`, and Chromium (Debian's package will do).
"""

import argparse
import re
import shutil
import sys
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

from playwright.sync_api import sync_playwright

WIDTHS = (1280, 375)
# What ends beyond the right side of the window, and cannot be scrolled to.
CUT_OFF = """
() => [...document.querySelectorAll("article *")].filter(element => {
    const box = element.getBoundingClientRect()
    if (box.width === 0 || box.right <= window.innerWidth + 1) return false
    for (let it = element; it.tagName !== "ARTICLE"; it = it.parentElement)
        if (["auto", "scroll"].includes(getComputedStyle(it).overflowX)) return false
    return true
}).map(element => element.textContent.trim().slice(0, 40))
"""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that does not tell of each."""

    def log_message(self, *arguments):
        """Say nothing."""


def serve(folder):
    """Serve a folder on this machine alone; return the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def pages(folder):
    """Pages of the site, but not the snippets that a theme keeps among its files."""
    found = (path.relative_to(folder) for path in sorted(folder.rglob("*.html")))
    return [path.as_posix() for path in found if not path.parts[0].startswith("_")]


@cache
def anchors(path):
    """What a link may point to within a page."""
    return set(re.findall(r"""\b(?:id|name)=["']([^"']+)["']""", path.read_text()))


def complaint_of_link(folder, site, link):
    """What is wrong with a link within the site, or None."""
    address, anchor = urldefrag(link)
    path = folder / unquote(urlparse(address).path).lstrip("/")
    path = path / "index.html" if path.is_dir() else path
    if not address.startswith(site):
        return None
    if not path.exists():
        return f"link to nowhere: {link}"
    is_lost = anchor and path.suffix == ".html" and unquote(anchor) not in anchors(path)
    return f"link to no such place in a page: {link}" if is_lost else None


def listen(tab, site):
    """Return a list that grows by what the browser complains of."""
    found = []
    tab.on("console", lambda it: found.append(f"console: {it.text}") if it.type == "error" else 0)
    tab.on("pageerror", lambda error: found.append(f"script: {error}"))
    tab.on("requestfailed", lambda request: found.append(f"not loaded: {request.url}"))
    foreign = ("http://", "https://")
    tab.on(
        "request",
        lambda request: (
            found.append(f"asks for something from elsewhere: {request.url}")
            if request.url.startswith(foreign) and not request.url.startswith(site)
            else 0
        ),
    )
    return found


def complaints(tab, folder, site, page):
    """What is wrong with a page in a window, as the browser shows it."""
    found = listen(tab, site)
    tab.goto(site + page, wait_until="load")
    tab.wait_for_timeout(50)  # for scripts that run after it
    wide = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    cut = tab.evaluate(CUT_OFF)
    links = tab.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
    lost = {complaint_of_link(folder, site, link) for link in links} - {None}
    found += sorted(lost) + [f"wider than its window by {wide} px"] * (wide > 0)
    return found + [f"cut off at its right side: {text!r}" for text in cut[-1:]]


def check(folder, screenshots=None):
    """Yield page, width and complaint."""
    site = serve(folder)
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for width in WIDTHS:
            for page in pages(folder):
                tab = browser.new_page(viewport={"width": width, "height": 800})
                yield from ((page, width, what) for what in complaints(tab, folder, site, page))
                if screenshots:
                    name = page.replace("/", "_").removesuffix(".html")
                    tab.screenshot(path=screenshots / f"{name}_{width}.png", full_page=True)
                tab.close()
        browser.close()


def main():
    """Print what is wrong; return how many things are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="what Sphinx wrote")
    parser.add_argument("--screenshots", type=Path, help="where to put a picture of each page")
    options = parser.parse_args()
    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
    found = list(check(options.folder.resolve(), options.screenshots))
    for page, width, what in found:
        print(f"{page}, {width} px: {what}")
    print(f"{len(pages(options.folder))} pages in windows of {WIDTHS} px: {len(found)} complaints")
    return len(found)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
