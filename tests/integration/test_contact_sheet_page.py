"""The contact sheet in a real browser: everything is shown, nothing runs over the edge, all of it can be read.

Set ``BROWSER_BINARY`` to a Chromium that is not on the path.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from streamproc.backtest.outcome import Backtest, Moment, Outcome
from streamproc.backtest.page import page

pytestmark = pytest.mark.integration

LOOK = """<script>
addEventListener("load", () => {
  const shine = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
    .map((one) => one / 255).map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "Canvas";
  const ground = shine(getComputedStyle(probe).color);
  const contrast = (one) => { const own = shine(getComputedStyle(one).color);
    return (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05); };
  const seen = {
    ground, width: innerWidth, needs: document.documentElement.scrollWidth,
    images: [...document.images].map((one) => [one.naturalWidth, one.width, one.alt]),
    contrast: Math.min(...[...document.querySelectorAll("h1, p, td, th, small, .quiet")].map(contrast)),
    tables: [...document.querySelectorAll("table")].map((one) => [one.rows.length, one.offsetHeight]),
    text: document.body.innerText,
  };
  document.body.innerHTML = "<pre id=seen></pre>";
  document.getElementById("seen").textContent = JSON.stringify(seen);
});
</script>"""


@pytest.fixture(scope="module")
def browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    found = os.environ.get("BROWSER_BINARY") or next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("NO BROWSER: the contact sheet is not looked at; install chromium or set BROWSER_BINARY")
    return found


def shown(browser: str, folder: Path, backtest: Backtest, *, width_px: int = 1280, dark: bool = False) -> Any:
    """What a person sees of the page; its ban on scripts is lifted for the one that looks."""
    text = page(backtest)
    assert 'http-equiv="Content-Security-Policy"' in text
    file = folder / "sheet.html"
    file.write_text(
        re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', lambda _: LOOK, text.replace('"lazy"', '"eager"')),
        encoding="utf-8",
    )
    ran = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width_px},900", "--virtual-time-budget=5000", "--hide-scrollbars",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    seen = re.search(r'<pre id="seen">(.*?)</pre>', ran.stdout, re.DOTALL)
    assert seen is not None, ran.stderr[-2000:]
    return json.loads(unescape(seen[1]))


def moment(number: int, clip: str = "gate.mp4") -> Moment:
    out = io.BytesIO()
    Image.new("RGB", (640, 480), (40 * number % 255, 90, 90)).save(out, "JPEG")
    reason = "Rule no-carts is met by a cart. " * 6
    return Moment(
        clip, 10.0 * number, 10.0 * number + 4, None, "warning", 0.7, (("no-carts", "A cart is here."),), "no-carts",
        reason, "A cart is here.", number % 2 == 0, out.getvalue(),
    )  # fmt: skip


def outcome(*moments: Moment, name: str = "rules/gate.yaml") -> Outcome:
    return Outcome(name, 3, "ab" * 6, 0.5, 7200.0, 3600.0, moments, None, ("the rules were learned from a.mp4",))


LONG = "recordings_of_the_yard_behind_the_north_gate_" * 5 + ".mp4"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width_px", [500, 1280])
def test_all_of_it_is_shown_within_the_window_and_can_be_read(
    browser: str, tmp_path: Path, width_px: int, dark: bool
) -> None:
    one = outcome(*(moment(number, f"{number}.mp4") for number in range(5)), moment(7, LONG), name=LONG)
    seen = shown(browser, tmp_path, Backtest(one, outcome(*one.moments[1:4])), width_px=width_px, dark=dark)
    assert seen["width"] == width_px
    assert seen["needs"] <= seen["width"]
    assert (seen["ground"] < 0.1) is dark
    assert seen["contrast"] >= 4.5
    assert len(seen["images"]) == 6
    for loaded_px, shown_px, alt in seen["images"]:
        assert loaded_px == 640
        assert 200 < shown_px <= width_px
        assert alt.endswith(": A cart is here.")
    by_rule = seen["tables"][2]
    assert by_rule[1] < 40 * by_rule[0]  # not stretched to the height of the table beside it


def test_that_nothing_was_raised_is_said(browser: str, tmp_path: Path) -> None:
    seen = shown(browser, tmp_path, Backtest(outcome(), None))
    assert "0 alerts in 2 h of footage" in seen["text"]
    assert "What would have been raised: 0\nNo alert." in re.sub(r"\n+", "\n", seen["text"])
    assert seen["images"] == seen["tables"] == []
