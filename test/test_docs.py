"""The pages: every link to another file of the repository leads somewhere."""
from pathlib import Path
import re

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').glob('*.md')])


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r'\]\(([^)#\s]+)', page.read_text())
    missing = [link for link in links
               if '://' not in link and not (page.parent / link).exists()]
    assert not missing
