"""The report in a real browser: nothing is fetched, all pictures are drawn, tables sort, a phone scrolls one way only."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reporting import fitted, made

from kit.report.page import write_report

CHROMIUM = shutil.which("chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install 'kit[dev]'")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
KINDS = ("multilabel", "multiclass", "regression")
SEEN = """() => [...document.querySelectorAll("figure svg")].map(svg => {
  const box = svg.getBBox(), place = svg.getBoundingClientRect();
  return Math.min(box.width, box.height, place.width, place.height);
})"""
IMAGES = """async () => Promise.all([...document.querySelectorAll("image, img")].map(picture => new Promise(done => {
  const image = new Image();
  image.onload = () => done(image.naturalWidth); image.onerror = () => done(0);
  image.src = picture.href ? picture.href.baseVal : picture.src;
})))"""
OVER = "() => document.documentElement.scrollWidth - innerWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        # the machine's own browser: playwright's builds are not downloaded
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made_ = {}
    for kind in KINDS:
        run = fitted(made(kind, tmp_path_factory.mktemp(kind) / "run", n=600 if kind == "regression" else 120))
        made_[kind] = write_report(run, ["good", "bad"], debug=True)
    return made_


class Seen:
    """A page that is open, with what it said and asked for."""

    def __init__(self, browser: Any, path: Path, width: int = 1200, colors: str = "light") -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=colors)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def column(self, section: str, index: int) -> list[str]:
        rows = self.page.query_selector_all(f"#{section} tbody tr")
        return [row.query_selector_all("th, td")[index].inner_text() for row in rows]

    def click(self, section: str, name: str) -> str | None:
        head = self.page.locator(f"#{section} thead th", has_text=name).first
        head.locator("button").click()
        said: str | None = head.get_attribute("aria-sort")
        return said


@pytest.mark.parametrize("kind", KINDS)
def test_all_is_drawn_and_nothing_is_fetched(browser: Any, reports: dict[str, Path], kind: str) -> None:
    seen = Seen(browser, reports[kind])
    sizes = seen.page.evaluate(SEEN)
    assert len(sizes) >= 7 and min(sizes) > 20
    images = seen.page.evaluate(IMAGES)
    assert min(images, default=1) > 0 and (images or kind == "multilabel")  # the maps and clouds among the pictures
    assert seen.said == []
    assert [url for url in seen.asked if not url.startswith("data:")] == [reports[kind].as_uri()]
    assert seen.page.evaluate("() => window.hit") is None  # what stands in the rows has not run
    seen.page.close()


def test_no_script_but_its_own_would_run(browser: Any, reports: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"  # as if something had not been escaped
    html = reports["multilabel"].read_text().replace("<main>", "<main><script>window.hit = 1</script>")
    broken.write_text(html)
    seen = Seen(browser, broken)
    assert seen.page.evaluate("() => window.hit") is None and "Content Security Policy" in " ".join(seen.said)
    seen.page.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_scrolls_only_down(browser: Any, reports: dict[str, Path], kind: str) -> None:
    seen = Seen(browser, reports[kind], width=390)
    assert seen.page.evaluate(OVER) <= 0
    letters = seen.page.evaluate(
        """() => [...document.querySelectorAll("figure svg text")].map(t => t.getBoundingClientRect().height)"""
    )
    assert sorted(letters)[len(letters) // 10] > 7.5  # px: still read
    assert seen.page.evaluate("() => getComputedStyle(document.querySelector('#wrong thead')).display") == "none"
    seen.page.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_shows_what_it_is_for(browser: Any, reports: dict[str, Path], kind: str) -> None:
    seen = Seen(browser, reports[kind], width=1280)
    tables = seen.page.evaluate(
        """() => [...document.querySelectorAll("main .table > .box")].map(box => [
        box.closest("section").id, box.querySelectorAll("thead th").length, box.scrollWidth, box.clientWidth])"""
    )
    assert {"calibration", "timing", "drift"} - {"calibration" if kind == "regression" else ""} <= {
        t[0] for t in tables
    }
    assert [t for t in tables if t[1] <= 6 and t[2] > t[3]] == []
    seen.page.set_viewport_size({"width": 390, "height": 800})
    # on a phone the score, and a member's name when its folds are scrolled into sight
    right = "cell => cell.getBoundingClientRect().right"
    assert seen.page.locator("#scores tbody tr").first.locator("td").first.evaluate(right) < 390
    seen.page.locator("#scores .box").evaluate("box => { box.scrollLeft = box.scrollWidth }")
    name = seen.page.locator("#scores tbody th").first.bounding_box()
    assert 0 <= name["x"] < 40 and seen.page.locator("#scores tbody td").last.evaluate(right) < 390
    box = seen.page.locator("#wrong .box").first
    assert box.evaluate("box => box.scrollHeight - box.clientHeight") <= 1 and box.locator("tbody tr").count() == 8
    assert not seen.page.locator("#wrong details .box").is_visible()
    seen.page.locator("#wrong summary").click()
    assert seen.page.locator("#wrong details tbody tr").count() == 17
    assert seen.page.locator("#wrong details .box").is_visible() and seen.page.evaluate(OVER) <= 0
    seen.page.close()


def test_tables_sort_by_a_click(browser: Any, reports: dict[str, Path]) -> None:
    seen = Seen(browser, reports["multilabel"])
    before = seen.column("scores", 0)
    assert before == ["blend", "good", "bad"]
    assert seen.click("scores", "out-of-fold") == "descending"
    scores = [float(cell) for cell in seen.column("scores", 1)]
    assert scores == sorted(scores, reverse=True)
    assert seen.click("scores", "out-of-fold") == "ascending"
    assert [float(cell) for cell in seen.column("scores", 1)] == scores[::-1]
    assert seen.click("scores", "member") == "ascending" and seen.column("scores", 0) == sorted(before)
    for expected in ("descending", "ascending"):  # what is not known stays last, whichever way
        assert seen.click("scores", "weight") == expected and seen.column("scores", 0)[-1] == "blend"
    assert seen.page.locator("#scores [aria-sort]").count() == 1
    seen.page.keyboard.press("Tab")  # by keyboard too
    seen.page.keyboard.press("Enter")
    assert seen.page.locator("#scores [aria-sort]").inner_text().strip().startswith("sd")
    seen.page.close()


def test_links_lead_to_their_parts_and_dark_is_dark(browser: Any, reports: dict[str, Path]) -> None:
    seen = Seen(browser, reports["regression"], colors="dark")
    for link in seen.page.query_selector_all("nav a"):
        link.click()
        anchor = link.get_attribute("href")
        assert seen.page.locator(anchor).evaluate("part => part.getBoundingClientRect().top") < 800
    paper, ink = (
        seen.page.evaluate("name => getComputedStyle(document.querySelector('section'))[name]", name)
        for name in ("backgroundColor", "color")
    )
    shade = [sum(map(int, value[4:-1].split(", "))) for value in (paper, ink)]
    assert shade[0] < 150 < 600 < shade[1]
    fill = seen.page.evaluate(
        """() => { const text = document.querySelector("figure svg text"); return getComputedStyle(text).fill; }"""
    )
    assert sum(map(int, fill[4:-1].split(", "))) > 400  # letters of pictures are light as well
    seen.page.close()
