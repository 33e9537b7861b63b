# SPDX-License-Identifier: Apache-2.0
"""Every command line in the documentation is one that the program takes; light ones are run."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from unas.cli.main import app, main
from unas.cli.options import OLD_SPELLINGS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "Makefile", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^```.*?\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINE = re.compile(r"^\s*(?:\$ |@?\$\(BIN\)/)?unas-hil (.+)$", re.MULTILINE)
SPAN = re.compile(r"(?<!`)`unas-hil\s([^`]+)`(?!`)")
# Commands that need neither compiler nor board nor data, and take a second or two.
MODEL = "model.tflite"
LIGHT = ("boards", "estimate", "predict", "quality", "replay", "report", "plot")


@dataclass(frozen=True)
class Line:
    """A command line of a document; a code span in running text may leave arguments out."""

    document: str
    text: str
    whole: bool

    def arguments(self) -> list[str]:
        text = re.sub(r"\$\w+", "0", self.text)  # the variable of a loop
        if not self.whole:  # "[--option one, two]": optional, with its choices; "…": and so on
            text = re.sub(r"[\[\]]|…", " ", re.sub(r"(\w+)(, \w+)+\]", r"\1", text))
        return shlex.split(text, comments=True)

    def __str__(self) -> str:
        return f"{self.document}: {' '.join(self.text.split())}"


def documented() -> Iterator[Line]:
    for document in DOCUMENTS:
        text = document.read_text()
        blocks = "\n".join(FENCE.findall(text)) if document.suffix == ".md" else text
        for line in LINE.findall(blocks.replace("\\\n", " ")):
            yield Line(document.name, line, whole=True)
        if document.suffix == ".md":
            for span in SPAN.findall(FENCE.sub("", text)):
                yield Line(document.name, span, whole=False)


def examples() -> Iterator[Line]:
    """The examples of every --help."""
    for words, command in commands(typer.main.get_command(app), ()):
        for line in LINE.findall(re.sub(r"Examples?:", "\n", command.help or "")):
            yield Line(" ".join((*words, "--help")), line, whole=True)


def commands(
    command: typer.core.TyperGroup | object, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], typer.core.TyperCommand]]:
    if isinstance(command, typer.core.TyperGroup):
        for name, one in command.commands.items():
            yield from commands(one, (*words, name))
    elif isinstance(command, typer.core.TyperCommand):
        yield words, command


def parse(arguments: list[str]) -> list[str]:
    """Parse a command line without running it: options, types and numbers of arguments.

    Returns:
        The names of the parameters that were given.
    """
    command, words = typer.main.get_command(app), list(arguments)
    while isinstance(command, typer.core.TyperGroup):
        name = words.pop(0) if words else ""
        assert name in command.commands or not words, f"no command {name!r}"
        if name not in command.commands:
            return []
        command = command.commands[name]
    with command.make_context(command.name or "", words) as context:
        return [name for name, value in context.params.items() if value is not None]


LINES = list(documented())


@pytest.mark.parametrize("line", [*LINES, *examples()], ids=str)
def test_the_program_takes_every_documented_command(line: Line) -> None:
    try:
        parse(line.arguments())
    except typer.BadParameter as error:
        if line.whole or not error.format_message().startswith("Missing"):
            raise  # a span such as "unas-hil quality" may leave arguments out


def test_there_are_documented_commands() -> None:
    """The patterns above still find them."""
    verbs = {line.arguments()[0] for line in LINES if line.whole}
    assert {"search", "calibrate", "predict", "measure", "compare", "report", "export"} <= verbs
    assert len([line for line in LINES if not line.whole]) > 20
    assert len(list(examples())) > 15


@pytest.mark.parametrize(
    "text",
    [
        "calibrate --board f746 --modles 5",
        "calibrate --board f746 --networks many",
        "predict model.tflite extra --board f746",
        "search configs/digits_f746.toml --rounds",
        "plot pareto digits_f746 --board f746",
    ],
)
def test_a_wrong_command_would_be_found(text: str) -> None:
    usage_error = typer.BadParameter.__mro__[1]
    with pytest.raises(usage_error):
        parse(text.split())


def test_an_unknown_verb_would_be_found() -> None:
    with pytest.raises(AssertionError, match="no command 'serach'"):
        parse(["serach", "configs/digits_f746.toml"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with results as the documentation assumes them."""
    place = tmp_path_factory.mktemp("work")
    shutil.copytree(ROOT / "results" / "calibration", place / "results" / "calibration")
    shutil.copytree(
        ROOT / "results" / "published" / "digits_f746", place / "results" / "digits_f746"
    )
    network = next((place / "results" / "digits_f746" / "networks").iterdir())
    shutil.copy(network / "model.tflite", place / MODEL)
    return place


def light() -> list[list[str]]:
    """Light commands with this test's files for placeholders, each once."""
    chosen: dict[str, list[str]] = {}
    for line in LINES:
        words = [
            "digits_f746" if word in ("STUDY", "demo") else re.sub(r".+\.tflite$", MODEL, word)
            for word in line.arguments()
        ]
        # A span that leaves arguments out, a scan of this machine and searches not at hand are not.
        complete = len(words) > (1 if words[0] == "boards" else 2) or words == ["boards"]
        if words[0] in LIGHT and complete and "--scan" not in words and "{" not in line.text:
            chosen[" ".join(words)] = words
    return list(chosen.values())


@pytest.mark.slow
@pytest.mark.parametrize("words", light(), ids=" ".join)
def test_light_commands_of_the_documentation_run(
    words: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as end:
        main(words)
    shown = capsys.readouterr()
    assert end.value.code in (0, None), shown.err
    assert shown.out


@pytest.mark.parametrize(
    ("verb", "old", "new"),
    [
        ("calibrate", "--models 7", "--networks 7"),
        ("calibrate", "--models=7", "--networks=7"),
        ("calibrate", "--until 5%", "--target-error 5%"),
        ("predict", "m.tflite --model mac-line", "m.tflite --latency-model mac-line"),
    ],
)
def test_old_spellings_keep_working(verb: str, old: str, new: str) -> None:
    command = dict(commands(typer.main.get_command(app), ()))[(verb,)]
    values = []
    for text in (old, new):
        with command.make_context(verb, [*text.split(), "--board", "f746"]) as context:
            values.append(dict(context.params))
    assert values[0] == values[1]


@pytest.mark.parametrize("verb", OLD_SPELLINGS)
def test_help_has_the_new_spellings_only(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    options = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    assert options.isdisjoint(OLD_SPELLINGS[verb].keys())
    assert options.issuperset(OLD_SPELLINGS[verb].values())
