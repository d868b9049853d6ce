"""Run the commands of a page in an empty folder, and write what they print into the page. Run: python docs/run_page.py PAGE...

A page's shell blocks are run in their order by one bash, which stops at the first that fails. What a block prints on stdout replaces the
block of `text` that follows it, if one does. Lines that install something are left out. `tests/house/test_getting_started.py` runs the
pages so too, and leaves them as they are.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"```sh\n(?P<commands>.*?)```(?P<between>\s*)(?:```text\n(?P<shown>.*?)```)?", re.DOTALL)
INSTALLS = re.compile(r"^(?:git clone|cd hpcheck|python3 -m venv|source|\S*pip install)\b.*\n?", re.MULTILINE)
MARK = "@@ end of a block @@"
WIDTH = "80"  # columns of the terminal that a page shows
ROOT = Path(__file__).parents[1]


def commands(text: str) -> list[str]:
    """The shell blocks of a page that are run, without what installs."""
    return [INSTALLS.sub("", block["commands"]) for block in BLOCK.finditer(text)]


def run(text: str, folder: Path) -> list[str]:
    """Run a page's blocks in `folder`; returns what each printed. Raises `subprocess.CalledProcessError` where a command fails."""
    programs = folder.parent / f"{folder.name}-programs"
    programs.mkdir()
    for name, call in (("hpcheck", "-m hpcheck"), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {call} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    script = "set -eo pipefail\n" + "".join(f"{block}\necho '{MARK}'\n" for block in commands(text))
    paths = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=os.environ | paths | {"COLUMNS": WIDTH}, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split(f"{MARK}\n")[:-1]


def refreshed(text: str, printed: list[str]) -> str:
    """The page with what its commands print now."""
    now = iter(printed)

    def block(found: re.Match[str]) -> str:
        said = "\n".join(line.rstrip() for line in next(now).strip("\n").splitlines())
        if found["shown"] is None:
            return found[0]
        return f"```sh\n{found['commands']}```{found['between']}```text\n{said}\n```"

    return BLOCK.sub(block, text)


def main() -> None:
    for page in map(Path, sys.argv[1:]):
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / page.stem
            folder.mkdir()
            page.write_text(refreshed(text, run(text, folder)), encoding="utf-8")
        print(f"{page}: refreshed")


if __name__ == "__main__":
    main()
