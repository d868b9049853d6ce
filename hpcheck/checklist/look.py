"""Readings beside the checklist, such as a momentum range test: run, drawn and told; they set nothing."""

from hpcheck.checklist.run import Checklist
from hpcheck.config import Config
from hpcheck.recommendation.recommended import evidence_block
from hpcheck.steps.step import Decide
from hpcheck.terminal import stdout
from hpcheck.terminal.progress import Progress


def look(name: str, decide: Decide, before: str, config: Config, as_json: bool, quiet: bool, tensorboard: bool) -> bool:
    """Print what the reading says, from the settings that the step `before` would start from; returns whether it abstained."""
    progress = Progress(quiet)
    with Checklist(config, progress, tensorboard) as checklist:
        reading = checklist.look(name, decide, before)
    for remark in reading.remarks:
        progress.say(remark)
    if as_json:
        evidence = {item.setting: evidence_block(item) for item in reading.evidence}
        stdout.write(stdout.as_json({"evidence": evidence, "remarks": reading.remarks, "runs": reading.runs}))
    return reading.abstained
