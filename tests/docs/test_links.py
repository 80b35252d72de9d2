"""Links lead somewhere, and files and targets that the pages name are there."""

import re
from pathlib import Path

import pytest
from documents import PAGES, Page
from jobs import ROOT

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FOLDERS = "docs|docker|scripts|local_test|tests|container_src|benchmarks|notebooks|infrastructure"
PLACEHOLDERS = ("NAME", "VERB")


def anchors(page: Page) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_are_not_dead(page):
    for target in LINK.findall(page.prose):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = ((ROOT / page.name).parent / path).resolve() if path else ROOT / page.name
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(Page(str(file.relative_to(ROOT)))), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_are_there(page):
    names = re.findall(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]+\w)", page.text)
    for name in names:
        assert (ROOT / name).exists() or any(placeholder in name for placeholder in PLACEHOLDERS), name


def test_files_are_looked_for():
    found = [name for page in PAGES for name in re.findall(rf"(?:{FOLDERS})/[\w./-]+\w", page.text)]
    assert len(found) > 60


def test_make_targets_are_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(VENV)", ".venv")
    targets = set(re.findall(r"^([\w./-]+):", makefile, re.MULTILINE))
    code = " ; ".join(text for page in PAGES for text in page.code())
    named = set(re.findall(r"\bmake ([\w./-]+)", code))
    assert {"demo", "test", "images", "bench", "lint"} <= named <= targets


def test_the_readme_leads_to_every_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = {target.partition("#")[0] for target in LINK.findall(readme)}
    assert {page.name for page in PAGES if page.name.startswith("docs/")} <= targets
    assert len(readme.splitlines()) <= 180


def test_pictures_are_used():
    targets = {((ROOT / page.name).parent / target).resolve() for page in PAGES for target in LINK.findall(page.prose)}
    pictures = {path for path in Path(ROOT / "docs").iterdir() if path.suffix in (".png", ".gif")}
    assert pictures <= targets
