"""The report in a real browser: nothing is fetched, all pictures are drawn, a phone scrolls one way only; tables sort,
filter and save themselves; members open."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.report.page import write_report
from kit.run.jobs import fit_jobs, jobs_of
from tests.helpers.picture_run import pets
from tests.helpers.reporting import fitted, made

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


def test_pictures_of_rows_are_drawn_from_the_page_alone(browser: Any, tmp_path: Path) -> None:
    run = pets(tmp_path / "run")
    fit_jobs(jobs_of(run, ["stats"], None))
    path = write_report(run, ["stats"], debug=True)
    for width in (1200, 390):
        seen = Seen(browser, path, width=width)
        assert seen.page.evaluate(OVER) <= 0 and seen.said == []
        assert [url for url in seen.asked if not url.startswith("data:")] == [path.as_uri()]
        assert min(seen.page.evaluate(IMAGES)) > 0
        for place in (
            "#top-losses tr:not([hidden]) .thumb",
            "#pictures .sheet figure:not(.pair) .thumb",
            ".pair .thumb",
        ):
            boxes = [found.bounding_box() for found in seen.page.query_selector_all(place)]
            assert len(boxes) > 1 and all(box["width"] > 60 and box["height"] > 40 for box in boxes), place
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
    assert seen.page.evaluate("() => getComputedStyle(document.querySelector('#top-losses thead')).display") == "none"
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
    assert seen.page.evaluate(OVER) <= 0
    # on a phone the score, and a member's name when its folds are scrolled into sight
    right = "cell => cell.getBoundingClientRect().right"
    assert seen.page.locator("#scores tbody tr").first.locator("td").first.evaluate(right) < 390
    seen.page.locator("#scores .box").evaluate("box => { box.scrollLeft = box.scrollWidth }")
    name = seen.page.locator("#scores tbody th").first.bounding_box()
    assert 0 <= name["x"] < 40 and seen.page.locator("#scores tbody td").last.evaluate(right) < 390
    box = seen.page.locator("#top-losses .box").first
    assert box.evaluate("box => box.scrollHeight - box.clientHeight") <= 1
    assert box.locator("tbody tr:visible").count() == 8
    seen.page.locator("#top-losses .all").click()
    assert box.locator("tbody tr:visible").count() >= 25 and seen.page.evaluate(OVER) <= 0
    seen.page.close()


def test_no_picture_stands_alone_beside_an_empty_half(browser: Any, reports: dict[str, Path]) -> None:
    for kind in KINDS:
        seen = Seen(browser, reports[kind], width=1280)
        seen.page.evaluate("() => document.querySelectorAll('details').forEach(part => { part.open = true; })")
        alone = seen.page.evaluate(
            """() => [...document.querySelectorAll("main figure:not(.large)")].filter(figure => {
            const place = figure.getBoundingClientRect(), inside = figure.closest("section").getBoundingClientRect();
            return ![...figure.parentElement.children].some(other => {
              const beside = other.getBoundingClientRect();
              return other !== figure && beside.height > 20 && beside.top < place.bottom && beside.bottom > place.top;
            }) && place.width < 0.7 * inside.width; }).map(figure => figure.closest("section").id)"""
        )
        assert alone == []
        cards = seen.page.evaluate(
            """() => [...document.querySelectorAll(".cards > div")].map(card => card.getBoundingClientRect().right)"""
        )
        seen.page.set_viewport_size({"width": 390, "height": 800})
        last = seen.page.locator(".cards > div").last.bounding_box()
        assert max(cards) == cards[-1] and last["x"] + last["width"] == pytest.approx(374, abs=1)  # no empty place
        seen.page.close()


def test_a_table_that_scrolls_says_so(browser: Any, reports: dict[str, Path]) -> None:
    seen = Seen(browser, reports["multilabel"], width=1280)
    note = seen.page.locator("#scores .scrolls").first
    assert not note.is_visible()
    seen.page.set_viewport_size({"width": 390, "height": 800})
    assert note.inner_text() == "Scroll → for more columns"
    seen.page.locator("#scores .box").first.evaluate("box => { box.style.maxHeight = '80px' }")
    playwright.expect(note).to_have_text("Scroll →↓ for more columns and rows")
    seen.page.close()


@pytest.mark.parametrize("by", ["a click", "the keyboard"])
def test_a_members_name_opens_its_curves_folds_and_settings(browser: Any, reports: dict[str, Path], by: str) -> None:
    seen = Seen(browser, reports["multilabel"])
    member = seen.page.locator("details", has=seen.page.locator("summary", has_text="good"))
    assert not member.locator("figure").is_visible()
    link = seen.page.locator("#scores tbody a", has_text="good")
    if by == "a click":
        link.click()
    else:
        link.focus()
        seen.page.keyboard.press("Enter")
    assert member.locator("figure svg").is_visible() and member.locator("svg").get_attribute("aria-label") == (
        "Training loss of good by step"
    )
    folds, settings = member.locator("table").all()
    assert folds.locator("tbody tr").count() == 3 and settings.locator("tr", has_text="noise").inner_text().split() == [
        "noise",
        "0.3",
    ]
    assert member.evaluate("part => part.contains(document.activeElement)")  # where the keyboard goes on from
    assert (
        not seen.page.locator("details", has=seen.page.locator("summary", has_text="bad"))
        .locator("table")
        .first.is_visible()
    )
    seen.page.close()


def test_a_link_to_a_member_opens_it_and_paper_has_all(browser: Any, reports: dict[str, Path]) -> None:
    seen = Seen(browser, reports["multilabel"])
    closed = seen.page.locator("details:not([open])").count()
    seen.page.goto(reports["multilabel"].as_uri() + "#member-1")
    assert seen.page.locator("#member-1").get_attribute("open") is not None and closed == 2
    assert seen.page.pdf().startswith(b"%PDF")
    seen.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert seen.page.locator("details:not([open])").count() == 0
    seen.page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert seen.page.locator("details:not([open])").count() == 1
    seen.page.close()


def visible(seen: Seen) -> list[list[str]]:
    rows = seen.page.locator("#top-losses tbody tr:visible").all()
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows]


def test_top_losses_are_searched_and_filtered(browser: Any, reports: dict[str, Path]) -> None:
    seen = Seen(browser, reports["multilabel"])
    losses = seen.page.locator("#top-losses")
    member, label = losses.locator("select").all()
    search, count = losses.locator("input"), losses.locator("output")
    assert [option.inner_text() for option in label.locator("option").all()] == [
        "all",
        "y",
        "<b>loud</b>",
        "rare",
        "none",
    ]
    assert {row[3] for row in visible(seen)} == {"blend"} and count.inner_text().startswith("8 of 2")
    member.select_option(label="bad")
    assert {row[3] for row in visible(seen)} == {"bad"}
    label.select_option(label="rare")
    assert visible(seen) and all("rare" in row[4] for row in visible(seen))
    label.select_option(label="none")
    assert visible(seen) and {row[4] for row in visible(seen)} == {"none"}
    label.select_option(label="all")
    first = visible(seen)[0]
    search.fill(first[0].upper())
    assert [row[0] for row in visible(seen)] == [first[0]] and count.inner_text() == "1 of 1 rows"
    search.fill("red COLOR")  # both words, in any letters
    assert visible(seen) and all("red" in row[6] and "color" in row[6] for row in visible(seen))
    search.fill("no row has this")
    assert visible(seen) == [] and count.inner_text() == "0 of 0 rows"
    search.fill("")
    losses.locator("thead button", has_text="loss").click()
    losses.locator("thead button", has_text="loss").click()  # a sorted table still shows the first eight that match
    shown = [float(row[1]) for row in visible(seen)]
    assert len(shown) == 8 and shown == sorted(shown) and {row[3] for row in visible(seen)} == {"bad"}
    seen.page.close()


def saved(seen: Seen, button: Any) -> tuple[str, list[list[str]]]:
    with seen.page.expect_download() as download:
        button.click()
    with open(download.value.path(), encoding="utf-8", newline="") as file:
        return download.value.suggested_filename, list(csv.reader(file))


def test_tables_are_saved_as_csv(browser: Any, reports: dict[str, Path]) -> None:
    seen = Seen(browser, reports["multilabel"])
    name, rows = saved(seen, seen.page.locator("#scores .csv").first)
    assert name == "run-scores.csv" and [row[0] for row in rows] == ["member", "blend", "good", "bad"]
    shown = seen.page.locator("#scores tbody tr").nth(1).locator("td").first
    assert rows[2][1] == shown.get_attribute("data-sort") and len(rows[2][1]) > len(shown.inner_text())  # every digit
    losses = seen.page.locator("#top-losses")
    losses.locator("select").last.select_option(label="none")
    name, rows = saved(seen, losses.locator(".csv"))
    assert name == "run-top-losses.csv" and {row[4] for row in rows[1:]} == {"none"}
    losses.locator("select").last.select_option(label="all")
    losses.locator("select").first.select_option(label="bad")
    losses.locator(".all").click()
    _, rows = saved(seen, losses.locator(".csv"))
    assert rows[0] == ["id", "loss", "fold", "member", "label", "predicted", "row"]
    assert [row[4:] for row in rows[1:]] == [row[4:] for row in visible(seen)]
    assert any("," in row[4] for row in rows[1:]) and any("<img src=x onerror=" in row[6] for row in rows[1:])
    assert seen.said == [] and [url for url in seen.asked if not url.startswith(("data:", "blob:", "file:"))] == []
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
