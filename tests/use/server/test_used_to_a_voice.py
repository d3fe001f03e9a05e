"""The page gets used to a voice where one switches it on, and says from how many clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from browser import Visit, chromium, serving
from toy_model import write_adaptable
from vowels import vowels

pytest.importorskip("fastapi", reason="the page needs the extra `serve`")

PHONE = {"width": 360, "height": 740}


def test_the_page_gets_used_to_a_voice_when_asked(tmp_path: Path) -> None:
    toy = write_adaptable(tmp_path / "toy.onnx")
    files = [tmp_path / f"{number}.wav" for number in range(3)]
    for number, file in enumerate(files):
        soundfile.write(file, np.float32(0.9) * vowels(1.5, 100 + 20 * number), 16_000)
    with (
        serving("--model", str(toy)) as server,  # beside one that cannot be adapted
        chromium(files[0]) as browser,
    ):
        page = browser.new_context(viewport=PHONE, device_scale_factor=2).new_page()
        there = Visit(page, server.url)
        there.watch()
        there.open()
        switch, hint = page.locator("#used"), page.locator("#used-hint")
        assert not switch.is_visible()
        page.locator("#settings summary").click()
        page.locator("#model").select_option("toy")
        there.analyse(files[0])
        assert switch.is_visible() and not hint.is_visible()
        assert not any("source=" in address for address in there.asked)
        switch.check()
        for file, told in zip(files, ["Not used to", "Not used to", "from 3 clips"], strict=True):
            there.upload(file)
            there.status(f"{file.name} is analysed").wait_for()
            there.status(told).wait_for()
        assert hint.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.locator("#settings summary").click()
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=tmp_path / "phone.png")
        switch.uncheck()
        there.status("is analysed").wait_for()
        switch.check()  # another voice, from the beginning
        there.status("Not used to").wait_for()
        page.locator("#settings summary").click()
        page.locator("#model").select_option("aesdd")
        switch.wait_for(state="hidden")
        there.check()
