"""The documentation is current: generated pages, every command that it names, the workflow's pins, the hook and the schema."""

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from hpcheck import config as configs
from hpcheck.__main__ import run
from hpcheck.checklist import doctor
from hpcheck.cli.app import app
from hpcheck.config import yaml12
from hpcheck.config.by_content import is_config
from hpcheck.script import command_line

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GENERATE = runpy.run_path(str(DOCS / "generate.py"))
QUICK = {"init", "plan", "doctor", "schema", "validate", "show"}  # commands of the first steps that are run here


def commands_in(path):
    """The hpcheck command lines of a page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    parts = [part.strip() for block in blocks for line in block.splitlines() for part in line.split("&&")]
    return [re.sub(r"^\S*hpcheck ", "", part) for part in parts if re.match(r"(\S*/)?hpcheck ", part)]


PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", *(ROOT / "examples").rglob("README.md")])


@pytest.mark.parametrize("name", GENERATE["PAGES"])
def test_generated_pages_are_current(name):
    assert (DOCS / name).read_text(encoding="utf-8") == GENERATE["PAGES"][name](), "run: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_on_the_page_is_one_that_hpcheck_knows(page):
    group = get_command(app)
    for line in commands_in(page):
        name, *arguments = command_line.split(shlex.split(line, comments=True))[0]
        context = group.commands[name].make_context(name, arguments)
        assert context.command.name == name


def test_pages_with_commands_are_found():
    assert "check --update" in commands_in(DOCS / "how-to" / "ci.md")
    assert "run" in commands_in(ROOT / "examples" / "table" / "README.md")


def test_the_first_steps_that_are_quick_work_in_an_empty_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    answer = '{"cuda": [], "built_for": null, "mps": false, "cpu_bf16": true}'
    monkeypatch.setattr(doctor, "ASK_TORCH", f"print({answer!r})")  # torch takes seconds to import
    lines = [line for line in commands_in(DOCS / "getting-started" / "README.md") if line.split()[0] in QUICK - {"show"}]
    assert [line.split()[0] for line in lines] == ["init", "plan", "doctor"]
    lines[1] = lines[1].replace("--probe", "")  # has tests of its own
    for line in lines:
        options = ["--preset", "quickstart"] if line == "init" else []  # the example's entry file would import torch too
        assert run([*shlex.split(line), *options]) == 0
    assert "One training of yours: " in capsys.readouterr().out


def test_links_between_pages_lead_somewhere():
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


def workflows():
    """The project's own and those that the documentation shows."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")}
    shown = re.findall(r"```yaml\n(name: .*?)```", (DOCS / "how-to" / "ci.md").read_text(encoding="utf-8"), re.DOTALL)
    return texts | {f"shown {index}": text for index, text in enumerate(shown)}


@pytest.mark.parametrize("name", ["hpcheck.yml", "shown 0", "shown 1"])
def test_actions_are_pinned_by_their_full_hash_and_rights_are_minimal(name):
    assert workflows().keys() >= {name}
    text = workflows()[name]
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one)] == []
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    assert {json.dumps(job["permissions"]) for job in workflow["jobs"].values()} == {'{"contents": "read"}'}


@pytest.mark.parametrize("name", ["hpcheck.yml", "shown 0", "shown 1"])
def test_a_workflow_runs_commands_that_hpcheck_knows(name):
    lines = re.findall(r"run: (?:\S*/)?hpcheck (.*)", workflows()[name])
    assert lines
    for line in lines:
        command, *arguments = shlex.split(line)
        get_command(app).commands[command].make_context(command, arguments)


@pytest.mark.skipif(shutil.which("zizmor") is None, reason="NO ZIZMOR: the workflows are not audited (pip install zizmor)")
@pytest.mark.parametrize("name", ["hpcheck.yml", "shown 0", "shown 1"])
def test_zizmor_finds_nothing(name, tmp_path):
    place = tmp_path / ".github" / "workflows"
    place.mkdir(parents=True)
    (place / "workflow.yml").write_text(workflows()[name])
    found = subprocess.run(["zizmor", "--offline", "--format", "plain", str(tmp_path)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_pre_commit_hook_names_a_command_that_finds_every_shipped_config():
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    _, command, *arguments = hook["entry"].split()
    get_command(app).commands[command].make_context(command, [*arguments, "hpcheck.yaml"])
    assert hook["types"] == ["yaml"]
    assert "files" not in hook
    assert all(map(is_config, [*(ROOT / "configs").rglob("*.yaml"), *(ROOT / "examples").rglob("*.yaml")]))
    assert not is_config(ROOT / ".github" / "workflows" / "hpcheck.yml")
    assert not is_config(ROOT / "docs" / "results" / "quickstart" / "recommended.yaml")


@pytest.mark.parametrize(
    "path",
    sorted([*(ROOT / "configs").rglob("*.yaml"), *(ROOT / "examples").rglob("*.yaml")]),
    ids=str,
)
def test_shipped_configs_say_where_their_schema_lies(path):
    place = re.search(r"^# yaml-language-server: \$schema=(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert place is not None
    assert (path.parent / place[1]).resolve() == DOCS / "hpcheck.schema.json"


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda path: path.parent.name)
def test_example_configs_are_sound_and_open_with_their_command(path):
    configs.load(path)
    assert path.read_text(encoding="utf-8").startswith("# hpcheck run\n")
    keys = set(yaml12.read(path.read_text(encoding="utf-8")).value)
    assert keys >= {"data", "model"} or "task" in keys


def test_the_tables_of_the_page_on_scale_are_what_its_script_prints():
    printed = subprocess.run([sys.executable, "benchmarks/scale.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shown = (DOCS / "scale.md").read_text(encoding="utf-8")
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert len(rows) == 10
    assert [row for row in rows if row not in shown] == []
    assert printed.split(":")[1].split(";")[0].strip() in shown
