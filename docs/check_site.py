"""Checks a built site offline: its own links and their anchors, its public names, its notebooks.

    python docs/check_site.py docs/_build/html

Links to other sites are not followed.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parent / "_ext"))


class Page(HTMLParser):
    """The anchors of a page, and what it links to."""

    def __init__(self):
        super().__init__()
        self.anchors, self.links = {"", "top"}, []

    def handle_starttag(self, tag, attrs):
        """Note anchors and links."""
        for name, value in attrs:
            if name in {"id", "name"} and value:
                self.anchors.add(value)
            elif name in {"href", "src"} and value:
                self.links.append(value)


def read(site):
    """Return each page of the site, by its path."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        if "_static" in path.parts:  # the theme's templates
            continue
        page = Page()
        page.feed(path.read_text(encoding="utf-8"))
        pages[path.resolve()] = page
    return pages


def broken_links(site):
    """Return a line for each link within the site that leads nowhere."""
    pages, broken = read(site), []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            where = f"{path.relative_to(site.resolve())}: {link}"
            if not target.is_file():
                broken.append(f"{where}: no such file")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                broken.append(f"{where}: no such anchor")
    return broken


def missing_names(site):
    """Return the public names that have no page in the site."""
    from api_pages import sections

    built = {path.stem for path in (site / "api" / "generated").glob("*.html")}
    return [path for _, _, paths in sections() for path in paths if path not in built]


def missing_notebooks(site):
    """Return a line for each notebook that has no page in the site, or one without a picture."""
    from notebook_pages import notebooks

    missing = []
    for path in notebooks():
        built = site / "notebooks" / f"{path.stem}.html"
        page = Page()
        if built.is_file():
            page.feed(built.read_text(encoding="utf-8"))
        if not any("_images/" in link for link in page.links):
            what = "a page without a picture" if built.is_file() else "no page"
            missing.append(f"{path.name}: {what}")
    return missing


def main():
    site = Path(sys.argv[1])
    problems = broken_links(site)
    problems += [f"{name}: a public name without a page" for name in missing_names(site)]
    problems += missing_notebooks(site)
    print("\n".join(problems) or f"{site}: links lead somewhere, names and notebooks have pages")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
