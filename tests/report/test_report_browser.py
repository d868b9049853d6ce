"""The report in headless Chromium: no complaint, no request, no overflow, keys and switches that work, print, contrast.

Skipped where there is no Chromium (`apt-get install chromium`); the contrast test also needs axe-core (`npm install axe-core`, found in
./node_modules or where HPCHECK_AXE says).
"""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcheck.report import page
from hpcheck.steps.reading import Reading
from tests.support import report_cases as cases
from tests.support.chromium import FOUND, Chromium

AXE = Path(os.environ.get("HPCHECK_AXE", "node_modules/axe-core/axe.min.js"))
WIDTHS = {"desktop": 1280, "phone": 390}
COST = {"trainings": 1.83, "runs": 9, "iterations": 1400, "device_seconds": 9.1}
STATES: dict[str, list[Reading]] = {
    "whole": cases.everything(),
    "abstained": [cases.lr_range(), cases.wd_grid("abstained")],
    "hostile": [cases.batch(cases.HOSTILE)],
    "empty": [],
}

pytestmark = pytest.mark.skipif(FOUND is None, reason="NO CHROMIUM: the report is not tested in a browser (apt-get install chromium)")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    written = {}
    for state, readings in STATES.items():
        content = cases.content(readings, learning_rate=bool(readings))
        text = page.page(
            content, readings, {reading.step: COST for reading in readings}, cases.config("data.validate_on=test"), cases.METRIC
        )
        written[state] = folder / f"{state}.html"
        written[state].write_text(text, encoding="utf-8")
    return written


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("state", STATES)
def test_it_loads_without_a_complaint_or_a_request_and_fits(
    browser: Chromium, reports: dict[str, Path], state: str, width: int, dark: bool
) -> None:
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(reports[state], width, dark=dark)
    assert browser.complaints == []
    assert set(browser.requests) == {reports[state].resolve().as_uri()}
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_no_words_of_a_picture_overlap_or_leave_it(browser: Chromium, reports: dict[str, Path], width: int) -> None:
    browser.open(reports["whole"], width)
    script = """(() => {
      const bad = [];
      for (const svg of document.querySelectorAll("svg.plot")) {
        if (!svg.getClientRects().length) continue;
        const whole = svg.getBoundingClientRect();
        const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
        texts.forEach(([words, box], index) => {
          if (box.left < whole.left - 2 || box.right > whole.right + 2 || box.bottom > whole.bottom + 2) bad.push(["outside", words]);
          for (const [other, second] of texts.slice(index + 1)) {
            const across = Math.min(box.right, second.right) - Math.max(box.left, second.left);
            const down = Math.min(box.bottom, second.bottom) - Math.max(box.top, second.top);
            if (across > 1 && down > 3) bad.push(["overlap", words, other]);
          }
        });
      }
      return bad;
    })()"""
    assert browser.evaluate(script) == []


def test_without_script_the_pictures_stand(browser: Chromium, reports: dict[str, Path]) -> None:
    text = reports["whole"].read_text(encoding="utf-8")
    assert text.count('<svg class="plot wide"') >= 6
    assert "<button" not in text


def test_arrow_keys_read_values(browser: Chromium, reports: dict[str, Path]) -> None:
    browser.open(reports["whole"])
    browser.evaluate('document.querySelector("#wd-grid-0 .plots").focus()')
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    words = browser.evaluate('document.querySelector("#wd-grid-0 .readout").innerText')
    assert "iteration 8" in words
    assert "weight decay 0.001" in words
    browser.press("Escape")
    assert browser.evaluate('document.querySelector("#wd-grid-0 .readout").hidden') is True


def test_a_curve_can_be_switched_off_and_leaves_the_readout(browser: Chromium, reports: dict[str, Path]) -> None:
    browser.open(reports["whole"])
    browser.evaluate('document.querySelector("#batch-0 .curves button").click()')
    assert browser.evaluate('document.querySelector("#batch-0 .curves button").getAttribute("aria-pressed")') == "false"
    assert browser.evaluate('document.querySelector("#batch-0 .plot.wide [data-series=\\"0\\"]").classList.contains("off")') is True
    browser.evaluate('document.querySelector("#batch-0 .plots").focus()')
    browser.press("ArrowRight")
    assert "batch 64" not in browser.evaluate('document.querySelector("#batch-0 .readout").innerText')


def test_every_control_can_be_reached_by_the_tab_key(browser: Chromium, reports: dict[str, Path]) -> None:
    browser.open(reports["abstained"])
    wanted = browser.evaluate('document.querySelectorAll("a[href], button, summary, .plots[tabindex]").length')
    for _ in range(wanted + 20):
        browser.press("Tab")
        browser.evaluate("document.activeElement.dataset.seen = 1")
    missed = browser.evaluate(
        '[...document.querySelectorAll("button, a[href], summary")].filter((e) => !e.dataset.seen && e.checkVisibility()).length'
    )
    assert missed == 0


def test_a_hostile_label_runs_nothing(browser: Chromium, reports: dict[str, Path]) -> None:
    browser.open(reports["hostile"])
    assert browser.evaluate("document.querySelectorAll('main img').length") == 0
    assert cases.HOSTILE in browser.evaluate("document.body.textContent")


def test_it_prints_on_paper_in_light_colours(browser: Chromium, reports: dict[str, Path]) -> None:
    browser.open(reports["whole"], dark=True)
    pdf = base64.b64decode(browser.send("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    assert 4 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type/Page/") <= 40


OWN_CHECKS = """(() => {
  const bad = [];
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!colour.startsWith("rgba(0, 0, 0, 0") && colour !== "transparent") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || element.closest("script, style") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const paper = element.classList.contains("t-number") ? getComputedStyle(document.querySelector(".badge-dot")).fill : behind(element);
    const pair = [luminance(ink), luminance(paper)].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) bad.push(["contrast", contrast.toFixed(2), node.textContent.trim().slice(0, 40)]);
  }
  const heads = [...document.querySelectorAll("h1, h2, h3, h4")].filter((one) => one.checkVisibility());
  const levels = heads.map((one) => Number(one.tagName[1]));
  levels.forEach((level, at) => { if (level > (levels[at - 1] ?? 0) + 1) bad.push(["heading", at, level]); });
  if (levels.filter((level) => level === 1).length !== 1) bad.push(["h1", levels]);
  for (const name of ["main", "nav"]) if (document.querySelectorAll(name).length !== 1) bad.push(["landmark", name]);
  if (!document.querySelector("nav").getAttribute("aria-label")) bad.push(["nav without a name"]);
  if (!document.documentElement.lang) bad.push(["no language"]);
  for (const svg of document.querySelectorAll("main svg")) if (!svg.getAttribute("aria-label")) bad.push(["picture without words"]);
  for (const one of document.querySelectorAll("button, a[href], summary")) if (!one.textContent.trim()) bad.push(["no name", one.tagName]);
  for (const one of document.querySelectorAll("pre[tabindex]")) if (!one.getAttribute("aria-label")) bad.push(["region without a name"]);
  for (const table of document.querySelectorAll("table")) {
    if (![...table.querySelectorAll("th")].every((cell) => cell.hasAttribute("scope"))) bad.push(["heading cell without a scope"]);
  }
  return bad;
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("state", ["whole", "abstained", "empty"])
def test_contrast_landmarks_headings_and_names_without_axe(
    browser: Chromium, reports: dict[str, Path], state: str, width: int, dark: bool
) -> None:
    browser.open(reports[state], width, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert browser.evaluate(OWN_CHECKS) == []


@pytest.mark.skipif(not AXE.is_file(), reason=f"NO AXE-CORE at {AXE}: contrast and roles are not tested (npm install axe-core)")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("state", ["whole", "abstained"])
def test_axe_finds_nothing(browser: Chromium, reports: dict[str, Path], state: str, width: int, dark: bool) -> None:
    browser.open(reports[state], width, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    browser.evaluate(AXE.read_text(encoding="utf-8") + "; true")
    found = json.loads(browser.evaluate("axe.run(document).then((result) => JSON.stringify(result.violations))"))
    assert [(one["id"], node["html"][:120], node["failureSummary"]) for one in found for node in one["nodes"]] == []
