"""What MkDocs does besides: fills in the command reference, and brings files from outside docs/ into the site."""

import os
import posixpath
import re
import sys
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS))

from generate_commands import reference  # noqa: E402 - beside this file, which is not in a package

COMMANDS_HERE = "<!-- commands -->"
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "measurements.md",
    "checkpoints/sherf-small/README.md": "model-card.md",
    "datasets/openpeople/README.md": "openpeople.md",
    "sherf/body/OPENBODY.md": "open-body.md",
}
"""Pages that stand elsewhere in the repository, and their names in the site."""
IMAGES = {
    "checkpoints/sherf-small/sides.jpg": "images/sides.jpg",
    "examples/page.jpg": "images/page.jpg",
    "examples/readme.jpg": "images/readme.jpg",
    "examples/rigged.jpg": "images/rigged.jpg",
    "examples/session.webp": "images/session.webp",
}
BROUGHT = PAGES | IMAGES
LINK = re.compile(r"(?<=\]\()(?P<path>[^)#:\s]+)(?=[)#])")
"""The path of a relative Markdown link."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and images that stand outside docs/."""
    for path, name in BROUGHT.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put in the command reference, and lead links to where their files are in the site."""
    name = page.file.src_uri
    path = next((path for path, brought in PAGES.items() if brought == name), f"docs/{name}")
    if COMMANDS_HERE in markdown:
        markdown = markdown.replace(COMMANDS_HERE, reference())
    folder, site_folder = PurePosixPath(path).parent, PurePosixPath(name).parent
    return LINK.sub(lambda link: in_site(link["path"], folder, site_folder), markdown)


def in_site(link: str, folder: PurePosixPath, site_folder: PurePosixPath) -> str:
    """Return a link as it has to be in the site.

    Args:
        link: relative path in a page.
        folder: the page's folder in the repository.
        site_folder: the page's folder in the site.
    """
    target = posixpath.normpath(str(folder / link))
    if target in BROUGHT:
        name = BROUGHT[target]
    elif target.startswith("docs/"):
        name = target.removeprefix("docs/")
    else:
        return link
    return os.path.relpath(name, site_folder)
