"""A real server and a real browser, for the tests of the page."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
# No address but the server's: Chromium's own services are of no use to a test.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--mute-audio",
    "--use-fake-device-for-media-stream",
)


@dataclass
class Server:
    """A server that runs: where, and the process it is."""

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """End it as Ctrl-C would."""
        self.process.terminate()
        self.process.communicate(timeout=20)


@contextlib.contextmanager
def serving(*options: str, **env: str) -> Iterator[Server]:
    """Run `emelia serve` on a free port until the block ends."""
    command = [sys.executable, "-m", "emelia", "serve", "--model", "aesdd", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--grace", "1", *options],
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            match = re.search(r"http://\S+", line)
            assert match, f"the server did not start (it said {line!r})"
            yield Server(match.group(), process)
        finally:
            process.terminate()


@contextlib.contextmanager
def chromium(microphone: Path) -> Iterator[Browser]:
    """Start a Chromium whose microphone hears a WAV file; skip the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium or Chrome is installed")
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page that is open, and what it did that nobody sees."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # addresses

    def watch(self) -> None:
        """Note errors and requests from now on."""
        page = self.page
        page.on("console", lambda m: self._note(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))

    def _note(self, text: str) -> None:
        # What a refused request leaves in the console is no fault of the page.
        if not text.startswith("Failed to load resource: the server responded with a status of"):
            self.faults.append(text)

    def check(self) -> None:
        """Nothing went wrong unseen, and nobody but the server was asked."""
        assert self.faults == []
        here = urlsplit(self.url).netloc
        foreign = [
            a for a in self.asked if urlsplit(a).scheme != "blob" and urlsplit(a).netloc != here
        ]
        assert foreign == []

    def open(self) -> Visit:
        """Load the page and wait for its models."""
        self.page.goto(self.url)
        self.page.locator("#bars li").first.wait_for()
        return self

    def upload(self, path: Path) -> None:
        """Choose a file."""
        self.page.locator("#file").set_input_files(path)

    def analyse(self, path: Path) -> None:
        """Choose a file and wait for the answer."""
        self.upload(path)
        self.status("is analysed").wait_for()

    def status(self, text: str) -> Any:
        """The status line once it holds a text."""
        return self.page.locator("#status", has_text=text)

    def error(self) -> str:
        """What the page complains of; waits until it does."""
        self.page.locator("#error").wait_for()
        return self.page.locator("#error").inner_text()

    def text(self, selector: str) -> str:
        """What a person reads there; waits until there is something to read."""
        place = self.page.locator(selector)
        place.filter(has_text=re.compile(r"\S")).wait_for(state="attached")
        return place.inner_text()

    def number(self, selector: str, attribute: str) -> float:
        """An attribute that is a number."""
        return float(self.page.locator(selector).get_attribute(attribute) or "nan")

    def colours(self, selector: str) -> int:
        """How many colours a canvas shows: few where nothing is drawn."""
        return int(self.page.locator(selector).evaluate(_COLOURS))

    def accessibility_faults(self) -> list[str]:
        """Controls without a name, texts that are hard to read, ids that are not unique."""
        return list(self.page.evaluate(_ACCESSIBILITY))


def long_recording(path: Path, clips: list[Path], seconds: float) -> Path:
    """Join clips with pauses until they last so long; a WAV file at 16 kHz."""
    parts: list[NDArray[np.float32]] = []
    while sum(part.size for part in parts) < seconds * 16_000:
        wave, _ = soundfile.read(clips[len(parts) // 2 % len(clips)], dtype="float32")
        parts += [wave, np.zeros(16_000, np.float32)]
    soundfile.write(path, np.concatenate(parts)[: round(seconds * 16_000)], 16_000)
    return path


_COLOURS = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""

# The ratio is that of WCAG 2; colours are solid here but for greyed-out controls, which are exempt.
_ACCESSIBILITY = """() => {
  const faults = [];
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = rgba(getComputedStyle(node).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const shown = node => node.checkVisibility({ visibilityProperty: true });
  const named = "button, input, select, progress, fieldset, section, ol, ul[id], [role=slider], "
    + "[role=meter]";
  for (const node of document.querySelectorAll(named)) {
    if (!shown(node)) continue;
    const label = node.ariaLabel || node.labels?.[0]?.textContent
      || document.getElementById(node.getAttribute("aria-labelledby"))?.textContent
      || node.querySelector(":scope > legend")?.textContent
      || (node.matches("button") && node.textContent);
    if (!label?.trim()) faults.push(`${node.tagName} #${node.id}: has no name`);
  }
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim());
    if (!own || !shown(node) || node.matches("option, .unseen")) continue;
    if (node.closest(":disabled, .skip, noscript")) continue;
    const [front, back] = [rgba(getComputedStyle(node).color), behind(node)].map(light);
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    const name = `${node.tagName} #${node.id} .${node.className}`;
    if (ratio < 4.5) faults.push(`${name}: contrast ${ratio.toFixed(2)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map(node => node.id);
  faults.push(...ids.filter((id, i) => ids.indexOf(id) !== i).map(id => `#${id} twice`));
  return faults;
}"""
