"""The site of the documents builds without a warning, its links hold, and it asks no foreign host for anything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
# what a browser fetches by itself when it shows a page
FETCHED = {"src", "srcset", "poster", "data"}
FETCHED_LINKS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "dns-prefetch"}


class Parts(HTMLParser):
    """What a page leads to, what it fetches, and what in it can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.classes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        self.classes |= set(found.get("class", "").split())
        self.fetched += [value for name, value in found.items() if name in FETCHED]
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and FETCHED_LINKS & set(found.get("rel", "").split()):
            self.fetched.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning of the build is an error."""
    to = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(to)],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stderr}\nwithout mkdocs: make docs-site"
    assert "WARNING" not in done.stderr
    return to


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Parts]:
    return {path: Parts(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_link_of_the_site_leads_to_a_page_and_to_an_anchor_on_it(site: Path, pages: dict[Path, Parts]) -> None:
    assert len(pages) > 100
    for path, parts in pages.items():
        for link in [*parts.links, *parts.fetched]:
            address, anchor = urldefrag(link)
            if urlsplit(address).scheme:
                continue
            # the page for what is not there is shown at any address, so its links begin at the root
            start = site if address.startswith("/") else path.parent
            at = (start / unquote(address.lstrip("/").split("?")[0])).resolve() if address else path
            at = at / "index.html" if at.is_dir() else at
            assert at.is_file(), f"{path.relative_to(site)}: {link}"
            if anchor and anchor != "__top":
                assert unquote(anchor) in pages[at].anchors, f"{path.relative_to(site)}: {link}"


def test_no_page_fetches_anything_of_a_foreign_host(site: Path, pages: dict[Path, Parts]) -> None:
    for path, parts in pages.items():
        for address in parts.fetched:
            assert urlsplit(address).scheme in ("", "data") and not urlsplit(address).netloc, f"{path}: {address}"
        # the theme's script fetches the one that draws those from a foreign host
        assert "mermaid" not in parts.classes, path
        policy = re.search(r'Content-Security-Policy"\s+content="([^"]*)"', path.read_text("utf-8"))
        assert policy and policy[1].startswith("default-src 'self'") and "http" not in policy[1], path
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", sheet.read_text("utf-8")), sheet


def test_the_search_finds_every_page_without_a_server_of_its_own(site: Path) -> None:
    found = json.loads((site / "search" / "search_index.json").read_text("utf-8"))["docs"]
    places = {entry["location"].split("#")[0] for entry in found}
    for path in site.rglob("index.html"):
        place = path.parent.relative_to(site).as_posix()
        assert ("" if place == "." else f"{place}/") in places, place


def test_a_reader_can_copy_a_block_and_switch_to_dark(site: Path) -> None:
    text = (site / "tutorial" / "index.html").read_text("utf-8")
    assert '"content.code.copy"' in text
    assert 'data-md-color-scheme="slate"' in text


def test_no_list_table_or_block_stands_on_a_page_as_it_was_typed(site: Path) -> None:
    typed = re.compile(r"(^|\n)\s*(- |\* |\d+\. |\| |```|#+ )\S")
    assert typed.search("as follows:\n- one\n- two")
    for path in site.rglob("*.html"):
        for text in re.findall(r"<(?:p|li)>(.*?)</(?:p|li)>", path.read_text("utf-8"), re.DOTALL):
            found = typed.search(re.sub(r"<code>.*?</code>", "", text, flags=re.DOTALL))
            assert not found, f"{path.relative_to(site)}: {text[:80]}"


def test_a_bar_within_code_in_a_table_is_a_bar(site: Path) -> None:
    page = (site / "reference" / "python" / "index.html").read_text("utf-8")
    assert "<code>str | None</code>" in page
    assert not [cell for cell in re.findall(r"<code>[^<]*</code>", page) if "\\|" in cell]


def test_every_page_of_the_docs_stands_on_the_site(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        place = page.relative_to(ROOT / "docs").with_suffix("")
        at = place.parent if place.name in ("README", "index") else place
        assert (site / at / "index.html").is_file(), page
