"""The report in a real browser: no errors, nothing fetched, no sideways scrolling, the right numbers in the page."""

from __future__ import annotations

import json
import shutil
import statistics

import pytest

from common.run.report import write_report
from tests.common.run.report.make_run import make_run, write_rows

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on PATH")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = make_run(tmp_path_factory.mktemp("browser") / "run")
    write_report(path)
    return path


def open_report(browser, path, width, scheme):
    """A page showing the report, with everything the browser complained about or asked for."""
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or complaints.append(request.url))
    page.goto((path / "report.html").as_uri())
    return page, complaints


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_and_is_quiet(browser, run, width, scheme):
    page, complaints = open_report(browser, run, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0 && i.alt)")
    assert page.evaluate("[...document.querySelectorAll('.plot svg')].every(s => s.getAttribute('aria-label'))")
    assert page.locator(".plot svg").count() == 9
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(browser, run, scheme):
    """Contrast of every text colour against what lies behind it: WCAG's 4.5 to 1."""
    page, _ = open_report(browser, run, 1280, scheme)
    worst = page.evaluate(
        """() => {
          const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1;
          const ink = canvas.getContext('2d', {willReadFrequently: true});
          const rgb = colour => {
            ink.clearRect(0,0,1,1); ink.fillStyle = colour; ink.fillRect(0,0,1,1);
            return [...ink.getImageData(0,0,1,1).data]; };
          const light = c => {
            const [r,g,b] = c.map(v => (v/=255) <= 0.03928 ? v/12.92 : ((v+0.055)/1.055)**2.4);
            return 0.2126*r+0.7152*g+0.0722*b; };
          let worst = [99, ''];
          for (const node of document.querySelectorAll('body *')) {
            const own = [...node.childNodes].some(n => n.nodeType === 3 && n.data.trim());
            if (!own || !node.getClientRects().length) continue;
            let behind = node, back = [0,0,0,0];
            while (behind && back[3] < 255) {
              back = rgb(getComputedStyle(behind).backgroundColor); behind = behind.parentElement; }
            const style = getComputedStyle(node), svg = node instanceof SVGElement;
            const a = light(rgb(svg ? style.fill : style.color)), b = light(back);
            const ratio = (Math.max(a,b)+0.05)/(Math.min(a,b)+0.05);
            if (ratio < worst[0]) worst = [ratio, node.outerHTML.slice(0, 120)];
          }
          return worst;
        }"""
    )
    assert worst[0] >= 4.5, worst
    page.context.close()


def test_numbers_in_the_page(browser, run):
    page, _ = open_report(browser, run, 1280, "light")
    nets = [json.loads(line) for line in (run / "retrained.jsonl").read_text().splitlines()]
    mine = [net["test"]["AP50"] for net in nets if net["kind"] == "searched"]
    assert page.locator(".tiles b").first.inner_text() == f"{statistics.mean(mine):.4f} ± {statistics.stdev(mine):.4f}"
    table = page.get_by_role("region", name="Everything retrained").locator("tbody tr")
    shown = sorted(table.nth(i).locator("td").nth(3).inner_text() for i in range(table.count()))
    assert shown == sorted(f"{net['test']['AP50']:.4g}" for net in nets)
    assert page.locator("h1").inner_text() == "DetNAS"
    page.context.close()


def test_long_names_and_an_empty_run_fit_a_phone(browser, run, tmp_path):
    path = shutil.copytree(run, tmp_path / "long")
    config = json.loads((path / "config.json").read_text())
    long = "averylongnamewithoutanyspace" * 6
    config.update(title=long, command=long * 4, recipe=long, settings={long: long}, notes=[long])
    config["environment"]["machine"] = long
    (path / "config.json").write_text(json.dumps(config))
    (path / "space.json").unlink()
    (path / "best" / "arch.json").write_text(json.dumps({"choices": {f"{long}.{i}": long for i in range(3)}}))
    nets = [json.loads(line) for line in (path / "retrained.jsonl").read_text().splitlines()]
    write_rows(path / "retrained.jsonl", [{**net, "name": long + net["name"]} for net in nets])
    write_report(path)
    page, complaints = open_report(browser, path, 390, "light")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
    page.context.close()

    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_text("{}")
    write_report(empty)
    page, complaints = open_report(browser, empty, 390, "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
    assert "Nothing yet" in page.locator("#found").inner_text()
    page.context.close()
