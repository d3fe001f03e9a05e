"""Help that can be copied from, options that are called the same everywhere, and `--quiet`."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from emelia import console
from emelia.cli import app, main
from emelia.cli.command import help_text, present

COMMANDS = sorted(typer.main.get_command(app).list_commands(None))  # type: ignore[attr-defined, arg-type]


def command(name: str) -> Any:
    group: Any = typer.main.get_command(app)
    return group.get_command(None, name)


def page(name: str) -> str:
    return CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80"}).output


def examples(name: str) -> list[str]:
    return re.findall(r"^   (emelia .*?) *$", page(name).partition("╭")[0], re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_stands_on_one_line_and_is_understood(name: str) -> None:
    found = examples(name)
    told = page(name).partition("╭")[0].partition("Example")[2].splitlines()[1:]
    assert len(found) == sum(bool(line.strip()) for line in told), "one is broken"
    assert any(one.startswith(f"emelia {name}") for one in found)
    for line in found:
        _, other, *words = shlex.split(re.split(r" [>|] ", line)[0])
        command(other).make_context(other, list(words))  # raises where a word is not known


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_breaks_no_word_and_its_usage_doubles_no_bracket(name: str) -> None:
    shown = page(name)
    assert "…" not in shown
    assert not re.search(r"\[\[|\.{4}|\{\w+\}", shown.partition("\n\n")[0] + shown.splitlines()[1])


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_shows_no_types_of_python(name: str) -> None:
    assert not re.search(r"<(bool|str|path|int|float|list)", page(name))
    assert "[]" not in page(name)


# What an option means may differ in what a command makes; how it is written may not.
OWN_DEFAULT = {
    "timeline",
    "corpus",
    "recipe",
    "out",
    "split",
    "model",
    "format_",
    "name",
    "fold",
    "emotions",
}


def test_an_option_is_called_alike_and_has_one_default_everywhere() -> None:
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for name in COMMANDS:
        for param in command(name).params:
            if param.param_type_name == "option":
                form = (param.opts, None if param.name in OWN_DEFAULT else param.default)
                found.setdefault(param.name, {})[name] = form
    for option, forms in found.items():
        assert len({str(form) for form in forms.values()}) == 1, (option, forms)


def test_short_forms_are_where_people_expect_them() -> None:
    for name in COMMANDS:
        shorts = {p.name: p.opts for p in command(name).params if p.param_type_name == "option"}
        assert "-q" in shorts["quiet"]
        assert "-o" in shorts.get("out", ["-o"]) and "-m" in shorts.get("model", ["-m"])


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "--threads", "2", "a.wav"),
        ("predict", "--threads=2", "a.wav"),
        ("adapt", "a/", "-o", "a.json", "--threads", "2"),
        ("listen", "--list-devices"),
        ("listen", "--device", "1"),
        ("train", "emelia", "aesdd"),
        ("tune", "emelia", "aesdd", "--seeds", "2"),
    ],
)
def test_former_spellings_go_on_being_understood(words: tuple[str, ...]) -> None:
    name, *rest = words
    context = command(name).make_context(name, rest)
    assert not any(word in page(name) for word in rest if word.startswith("--"))
    if "emelia" in words:
        assert context.params["corpus"] == "emelia" and context.params["former"] == "aesdd"


def test_words_after_two_dashes_are_no_options() -> None:
    assert present(["--threads", "2", "--", "--threads"], {"--threads": "--jobs"}) == [
        "--jobs", "2", "--", "--threads",
    ]  # fmt: skip


def test_paragraphs_of_a_docstring_flow_and_examples_do_not() -> None:
    text = help_text(
        "One\nline.\n\n    Two\n    lines.\n\n    Examples: emelia a ·\n    emelia b\n"
    )
    assert text == "One line.\n\nTwo lines.\n\nExamples:\n  emelia a\n  emelia b"


def test_quiet_shows_results_and_no_progress(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tone: Callable[..., Path],
) -> None:
    sound = str(tone())
    for quiet in ([], ["-q"]):
        out = tmp_path / f"{len(quiet)}.csv"
        monkeypatch.setattr(sys, "argv", ["emelia", "score", sound, str(out),
                                          "--jobs", "1", *quiet])  # fmt: skip
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0 and out.exists()
        said = capsys.readouterr()
        assert ("scoring" in said.err) is not bool(quiet)
        assert "1 of 1 recordings" in said.out
    with console.Progress() as progress:  # the next command shows it again
        progress.start("a", 1)
        progress.step("a", 1)
    assert "a: 1/1" in capsys.readouterr().err
