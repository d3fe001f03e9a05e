"""Take screenshots of pages: `python docs/pictures.py report.html --out docs/pictures`.

For each page, its first screen at desktop and at phone width, light and dark, as PNG files of at
most 300 KB. `python docs/pictures.py serve` takes the README's picture, page.png: the page of
`emelia serve` with its answer to the clip to try. Needs Playwright and Chromium, which nothing
else of emelia does outside its tests.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MOST = 300_000  # bytes a picture
SIZES = {"desktop": (1200, 900, 1), "phone": (390, 844, 2)}  # width, height, dots a pixel
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("pages", nargs="+", type=Path, help="HTML files, or: serve")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pictures")
    parser.add_argument("--at", default="", help="id of the part to show instead of the top")
    parser.add_argument(
        "--whole", action="store_true", help="all of the page, not its first screen"
    )
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for page in options.pages:
            served = page == Path("serve")
            taken = (
                served_page(browser) if served else shots(browser, page, options.at, options.whole)
            )
            for name, data in taken:
                path = options.out / f"{name}.png"
                path.write_bytes(data)
                print(f"{path}: {len(data) / 1000:.0f} KB")
        browser.close()


def shots(browser: Browser, page: Path, at: str, whole: bool) -> Iterator[tuple[str, bytes]]:
    """Names and PNG files of a page at each size, light and dark."""
    stem = "-".join(filter(None, [page.stem, at]))
    for size, (width, height, dots) in SIZES.items():
        for scheme in ("light", "dark"):
            options: dict[str, Any] = {"color_scheme": scheme, "device_scale_factor": dots}
            tab = browser.new_page(viewport={"width": width, "height": height}, **options)
            tab.goto(page.resolve().as_uri() + (f"#{at}" if at else ""))
            tab.wait_for_timeout(200)  # pictures are decoded
            yield f"{stem}-{size}-{scheme}", small(tab.screenshot(full_page=whole))
            tab.close()


def served_page(browser: Browser) -> Iterator[tuple[str, bytes]]:
    """The page of a server of the default model, once it has answered the clip to try."""
    command = [sys.executable, "-m", "emelia", "serve", "--port", "0", "--grace", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout
        found = (re.search(r"http://[\d.]+:\d+", line) for line in server.stdout)
        tab = browser.new_page(viewport={"width": 1280, "height": 880})
        tab.goto(next(address for address in found if address)[0])
        tab.click("#try")
        tab.wait_for_selector("#download:enabled")
        tab.wait_for_timeout(500)  # the spectrogram is drawn
        yield "page", small(tab.screenshot(), most=100_000)
        server.terminate()


def small(data: bytes, most: int = MOST) -> bytes:
    """The picture with as few colours, and then as few dots, as its size asks for."""
    from PIL import Image

    image = Image.open(io.BytesIO(data)).convert("RGB")
    while len(data) > most:
        file = io.BytesIO()
        image.quantize(128).save(file, "PNG", optimize=True)
        data = file.getvalue()
        image = image.resize((image.width * 4 // 5, image.height * 4 // 5))
    return data


if __name__ == "__main__":
    main()
