"""Every fenced block of Python and of commands on every page runs, in the order of the page.

A comment before a block says where it does not: `<!-- slow -->` runs with `make slow` alone,
`<!-- not run: WHY -->` not at all; `test_docs.py` still looks its commands and options up.
"""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from emelia.cli import app
from emelia.use.bundled import SAMPLE_CLIP

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs" / "tutorial-aesdd.md"  # of a notebook, which ran when the page was made
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").rglob("*.md")} - {KEPT})]
BLOCK = re.compile(
    r"(?:<!-- (slow|not run: [^>]+) -->\n)?```(python|console)\n(.*?)^```$", re.M | re.S
)


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Mark, language and text of each block of a page."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


WITH_BLOCKS = {page.relative_to(ROOT).as_posix(): blocks(page) for page in PAGES if blocks(page)}
QUICK = [name for name, found in WITH_BLOCKS.items() if any(not mark for mark, *_ in found)]
SLOW = [name for name, found in WITH_BLOCKS.items() if any(mark == "slow" for mark, *_ in found)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages name, all made of one synthetic clip."""
    monkeypatch.chdir(tmp_path)
    clip, rate = soundfile.read(SAMPLE_CLIP, dtype="float32")
    talk = np.tile(np.concatenate([clip, np.zeros(rate // 2, np.float32)]), 6)
    sounds = {"clip.wav": clip, "a.wav": clip, "b.mp3": clip, "talk.wav": talk, "talk.mp3": talk}
    sounds |= {"call.wav": np.stack([clip, 0.1 * clip[::-1]], axis=1), "calls/1.wav": clip}
    for emotion in ("anger", "fear"):
        for who in ("anna_01", "anna_02", "ben_01", "ben_02"):
            gain = 0.5 + 0.1 * len(sounds) / 20  # no two files are the same
            sounds[f"recordings/{emotion}/{who}.wav"] = gain * clip
    for name, sound in sounds.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(name, sound, rate)
    with open("labels.csv", "w", encoding="utf-8", newline="") as file:
        rows = [(path, Path(path).parent.name) for path in sounds if "recordings" in path]
        csv.writer(file).writerows([("file", "emotion"), *rows])
    return tmp_path


def run(name: str, marks: set[str]) -> None:
    """Run the blocks of a page that have one of these marks."""
    names: dict[str, object] = {}
    for mark, language, text in WITH_BLOCKS[name]:
        if mark not in marks:
            continue
        if language == "python":
            exec(compile(text, name, "exec"), names)
        else:
            for line in text.splitlines():
                command(line)


def command(line: str) -> None:
    """Run a line of a terminal; what is no command of emelia cannot be tried here."""
    assert line.startswith("$ emelia "), f"{line}: mark the block as not run, and say why"
    words = shlex.split(line.removeprefix("$ emelia "), comments=True)
    if words[0] == "demo":  # the page makes what is here already
        shutil.rmtree(words[1], ignore_errors=True)
        Path(words[1]).unlink(missing_ok=True)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, f"{line}: {done.output} {done.exception}"


@pytest.mark.parametrize("name", QUICK)
def test_the_blocks_of_a_page_run(name: str, here: Path) -> None:
    run(name, {""})


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_the_slow_blocks_of_a_page_run(name: str, here: Path) -> None:
    run(name, {"", "slow"})


def test_what_is_not_run_is_said_with_a_reason() -> None:
    marks = [mark for found in WITH_BLOCKS.values() for mark, *_ in found]
    assert all(mark in ("", "slow") or len(mark) > len("not run: ...") for mark in marks)
    assert len([mark for mark in marks if mark.startswith("not run")]) < len(marks) / 2
