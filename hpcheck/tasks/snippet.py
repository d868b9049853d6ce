"""How the weights that a task was trained to with a recommendation are used. Text in, text out."""

from pathlib import Path

from hpcheck.errors import InputError


def write(directory: Path, asked: str | None, task: str) -> str:
    """The lines for a run directory. Raises `InputError` for a snippet: it would not have the task's own loaders, groups and steps, and
    code that was not run with them would train otherwise."""
    if asked is not None:
        raise InputError(
            f"there is no snippet {asked} for a task: its own loaders, groups and steps stay as they are, and hpcheck train trains it"
        )
    module, name = task.split(":", 1)
    return (
        "# hpcheck train (the end of hpcheck run) trains the task with these settings. To use the weights that it names:\n"
        f"import torch\nfrom {module} import {name}\n\n"
        f"model = {name}().build()\n"
        f'model.load_state_dict(torch.load("{directory / "records"}/ID.pt", weights_only=True)["model"])\n'
    )
