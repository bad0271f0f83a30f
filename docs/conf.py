"""The site of `make docs`: the README is its front page, the pages lie as they are in the tree."""

from pathlib import Path
import re

ROOT = Path(__file__).parents[1]
project = 's2r_depth_ros'
version = release = re.search(
    r'<version>(.+?)</version>', (ROOT / 'package.xml').read_text(encoding='utf-8')
)[1]
copyright = 's2r_depth_ros maintainers, Apache-2.0'

extensions = ['myst_parser']
myst_heading_anchors = 3
root_doc = 'README'
include_patterns = [
    '*.md',
    'CHANGELOG.rst',
    'docs/*.md',
    'docs/*/*.md',
    's2r_depth_ros/weights/models/README.md',
]
html_theme = 'furo'
html_title = f'{project} {version}'
html_copy_source = False

FOLDERS = {
    'Tutorials': 'docs/tutorials/',
    'How-to guides': 'docs/how-to/',
    'Reference': 'docs/reference/',
    'Explanation': 'docs/explanation/',
    'Development': 'docs/dev/',
}


def setup(app):
    """Give the front page the list of pages, which would be clutter where git hosts show it."""
    app.connect('source-read', _add_contents)
    app.connect('build-finished', _call_front_page_index)


def _add_contents(app, page, source):
    if page != root_doc:
        return
    pages = sorted(app.env.found_docs - {root_doc})
    listed = {
        part: [page for page in pages if page.startswith(folder)]
        for part, folder in FOLDERS.items()
    }
    listed['More'] = [page for page in pages if not page.startswith((*FOLDERS.values(),))]
    source[0] += ''.join(
        f'\n```{{toctree}}\n:hidden:\n:caption: {part}\n\n' + '\n'.join(pages) + '\n```\n'
        for part, pages in listed.items()
        if pages
    )


def _call_front_page_index(app, error):
    if error is None:
        front = Path(app.outdir, f'{root_doc}.html')
        front.with_name('index.html').write_bytes(front.read_bytes())
