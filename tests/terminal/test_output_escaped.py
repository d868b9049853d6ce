"""Text that comes from files reaches a terminal with what it could obey escaped, by whichever way it leaves; our own colours stay."""

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

import hpcheck
from hpcheck.__main__ import run
from hpcheck.cli import summary
from hpcheck.terminal import stdout
from hpcheck.terminal.progress import Progress

PACKAGE = Path(hpcheck.__file__).parent
MARKS = (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)  # of direction, and ends of lines
HOSTILE = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), *MARKS)))
NAME = "a\x1b[31mb\u202ec\x9bd\u2066e\x7f"
SHOWN = "a\\x1b[31mb\\u202ec\\x9bd\\u2066e\\x7f"


def obeyed(text: str) -> set[str]:
    """Characters of `text` that a terminal, or an eye, would obey."""
    return set(text) & set(HOSTILE) - {"\n"}


def test_all_that_a_terminal_could_obey_is_escaped() -> None:
    assert stdout.printable(HOSTILE).isprintable()
    assert stdout.printable("naïve ± 漢字") == "naïve ± 漢字"
    assert stdout.printable("\udc80") == "\\udc80"  # of a file name that is no text


def test_data_and_words_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    stdout.write(f"{NAME}\nnext")
    stdout.write_lines([NAME, "one\nerror: two"])
    stdout.tell(NAME)
    Progress().say(NAME)
    out, err = capsys.readouterr()
    assert out.splitlines() == [SHOWN, "next", SHOWN, "one\\nerror: two"]
    assert err.splitlines() == [SHOWN, SHOWN]


def test_a_console_escapes_texts_and_cells_and_keeps_its_own_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    console = stdout.console(force_terminal=True, width=300, color_system="standard")
    table = Table("x" * 60, title=NAME, title_style="bold")
    table.add_row(Text(NAME, style="red"))
    console.print(table)
    console.print(Text(NAME))
    console.print(NAME, markup=False)
    told = out.getvalue()
    assert told.count(SHOWN) == 4
    assert f"\x1b[31m{SHOWN}" in told
    ours = told.replace("\x1b[31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert obeyed(ours) == set()


def test_names_of_files_and_folders_are_escaped_by_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{NAME}.csv").write_text("x,y\n" + "1,2\n" * 40)
    assert run(["init"]) == 0
    out = capsys.readouterr().out
    assert obeyed(out) == set()
    assert f"found table {SHOWN}.csv" in out
    assert run(["init", f"further {NAME}"]) == 0
    assert obeyed(capsys.readouterr().out) == set()


def test_reasons_are_escaped_by_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    content = {
        "settings": {"total_batch_size": 32, "weight_decay": 0.1, "momentum": {"max": 0.9, "min": 0.9}},
        "evidence": {"weight_decay": {"status": NAME, "confidence": "high", "reason": NAME}},
        "provenance": {"cost": {}},
    }
    summary.show(content, stdout.console(width=300), Path("runs"))
    assert obeyed(out.getvalue()) == set()
    assert f"weight decay: {SHOWN}" in out.getvalue()


def test_json_has_no_character_that_a_terminal_obeys() -> None:
    assert stdout.as_json({NAME: NAME}).isprintable()


WAYS_OUT = {"print", "typer.echo", "typer.secho", "click.echo", "Console", "sys.stdout.write", "sys.stderr.write", "sys.stderr.writelines"}


def test_text_leaves_in_one_place() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in WAYS_OUT:
                found.append(path.relative_to(PACKAGE).as_posix())
    apart = {"script/nursery.py", "script/warden.py"}  # processes of their own, whose output a driver reads, and tells where it must
    assert set(found) - apart == {"terminal/stdout.py"}


@pytest.mark.parametrize(
    ("encoding", "said"), [("ascii", "98.2 +- 0.1, n\\xf6"), ("latin-1", "98.2 \xb1 0.1, n\xf6"), ("utf-8", "98.2 \xb1 0.1, n\xf6")]
)
def test_what_the_terminals_encoding_lacks_is_spelled_or_escaped(encoding: str, said: str) -> None:
    script = (
        "from hpcheck.terminal import stdout\nwith stdout.for_data_alone():\n"
        "    stdout.write('98.2 \\xb1 0.1, n\\xf6')\n    stdout.console().print('98.2 \\xb1 0.1, n\\xf6')\n"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60, env=environment)
    assert ended.stdout.decode(encoding).splitlines() == [said, said]
