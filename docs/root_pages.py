"""Bring the pages that lie outside of docs/ into the site, and the decisions into its navigation.

MkDocs calls the functions by their names (`hooks` in mkdocs.yml). Links are written as they hold in the repository;
here those of a page, or to a page, that lies elsewhere on the site are made to hold there too.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# a file of the repository, and where it stands on the site
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security-reports.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "LICENSE": "licence.md",
    "benchmarks/RESULTS.md": "measurements.md",
    "benchmarks/RESULTS.svg": "measurements.svg",
}
# inside of code in a table other hosts of Markdown need a bar escaped, and the site's would show what escapes it
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")


def on_config(config: MkDocsConfig) -> None:
    """Put every decision into the navigation, by its number."""
    for entry in config.nav or ():
        for decisions in entry.get("Decisions", ()) if isinstance(entry, dict) else ():
            if isinstance(decisions, dict) and "All decisions" in decisions:
                paths = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
                decisions["All decisions"] = [f"decisions/{path.name}" for path in paths]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages that lie outside of docs/."""
    for source, uri in OUTSIDE.items():
        if source == "LICENSE":
            text = (ROOT / source).read_text("utf-8")
            files.append(File.generated(config, uri, content=f"# Licence\n\n```text\n{text}```\n"))
        else:
            files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the links and the tables of a page be on the site what they are in the repository."""
    here = page.file.src_uri
    source = next((source for source, uri in OUTSIDE.items() if uri == here), f"docs/{here}")
    lines = [
        _CODE.sub(lambda code: code[0].replace("\\|", "|"), line) if line.startswith("|") else line
        for line in markdown.split("\n")
    ]
    return _LINK.sub(lambda link: f"{link[1]}{link_on_site(source, here, link[2])}{link[3]}", "\n".join(lines))


def link_on_site(source: str, here: str, target: str) -> str:
    """A link of the file `source`, which stands on the site as `here`, as it has to be there."""
    path = normpath(join(dirname(source), target))
    if (ROOT / path).is_dir():
        path = f"{path}/README.md"
    uri = OUTSIDE.get(path) or path.removeprefix("docs/")
    return relpath(uri, dirname(here) or ".")
