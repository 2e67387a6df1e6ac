"""Writes the sections of pages that come from the code: `python docs/generate.py`; `--check` only compares them.

A section stands between the marks `<!-- generated: NAME -->` and `<!-- end: NAME -->`. The pages of environments get
their spaces, and the text and the options that `help` shows. The pages of learners get their presets and options. The
page of networks gets the table of the library.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from benchmarks.reports.pages import with_section
from trainers.registry import LEARNERS, Learner, learner_named
from trainers.runs.options import Run
from vec_envs.dnn import DNNProfile
from vec_envs.dnn.build_library import LIBRARY
from vec_envs.field_docs import field_docs
from vec_envs.registration import ENVIRONMENTS, factory_of

DOCS = Path(__file__).resolve().parent
NETWORK_HEAD = ("name", "input", "layers", "GMAC", "million parameters", "smallest cut, Mbit", "sources")


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or checks the pages; returns 1 where a checked page differs."""
    parser = argparse.ArgumentParser(prog="python docs/generate.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only check that the pages are up to date")
    check = parser.parse_args(arguments).check
    differing = {path: text for path, text in pages().items() if path.read_text(encoding="utf-8") != text}
    for path, text in differing.items():
        if check:
            print(f"{path.relative_to(DOCS.parent)} is out of date: run python docs/generate.py")
        else:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(differing))


def pages() -> dict[Path, str]:
    """Returns the text of every page with its generated sections as the code has them now."""
    sections = {DOCS / page_of(env_id): environment_sections(env_id) for env_id in ENVIRONMENTS}
    sections |= {DOCS / "learners" / f"{name}.md": learner_sections(learner_named(name)) for name in LEARNERS}
    sections[DOCS / "learners" / "index.md"] = {"run": table(("option", "default", "meaning"), _run_options())}
    sections[DOCS / "networks.md"] = {"networks": table(NETWORK_HEAD, map(_network, DNNProfile.library()))}
    texts: dict[Path, str] = {}
    for path, of_page in sections.items():
        text = path.read_text(encoding="utf-8")
        for name, section in of_page.items():
            if f"<!-- generated: {name} -->" not in text:
                raise ValueError(f"{path} needs the mark <!-- generated: {name} -->, and the mark of its end")
            text = with_section(text, name, section, kind="generated")
        texts[path] = text
    return texts


def page_of(env_id: str) -> str:
    """Returns the name of an environment's page, such as `dnn-partition.md`."""
    return ENVIRONMENTS[env_id].rpartition(".")[2].removesuffix("_v0").replace("_", "-") + ".md"


def environment_sections(env_id: str) -> dict[str, str]:
    """Returns the sections of an environment's page: spaces, how it is played, and options."""
    factory = factory_of(env_id)
    text = str(importlib.import_module(ENVIRONMENTS[env_id]).__doc__).partition("**Options**")[0]
    played = text[text.index("\n**") + 1 :].strip() + "\n"
    options = [(f"`{name}`", f"`{default}`", doc) for name, default, doc in factory.options()]
    return {
        "spaces": table(("", ""), _spaces(env_id)),
        "interface": played,
        "options": table(("option", "default", "meaning"), options),
    }


def _spaces(env_id: str) -> Iterable[tuple[str, str]]:
    factory = factory_of(env_id)
    joint, agents = factory.joint_env(mobility="still"), factory.parallel_env(mobility="still", mask="none")
    name = agents.possible_agents[0]
    module = ENVIRONMENTS[env_id].rpartition(".")[2]
    yield "Gymnasium", f'`gymnasium.make("{env_id}")`, `gymnasium.make_vec("{env_id}", num_envs=8)`'
    yield "action space", f"`{joint.action_space}`"
    yield "observation space", f"`{_shape(joint.observation_space)}`"
    yield "PettingZoo", f"`{module}.parallel_env()`, `{module}.env()`, with {len(agents.possible_agents)} agents"
    yield f"action space of `{name}`", f"`{agents.action_space(name)}`"
    yield f"observation space of `{name}`", f"`{_shape(agents.observation_space(name))}`"
    yield "length of an episode", f"at most {joint.problem.episode_epochs} steps of Gymnasium's environment"
    yield "ranked by", ", ".join(f"`{metric.name}`" for metric in joint.problem.reported_metrics[:1])
    joint.close()
    agents.close()


def _shape(space: Any) -> str:
    """Returns a space without its bounds, which fill a page."""
    if hasattr(space, "spaces"):
        return f"Dict({', '.join(f'{name}: {_shape(of)}' for name, of in space.spaces.items())})"
    return f"Box({space.shape}, {space.dtype})"


def learner_sections(learner: Learner) -> dict[str, str]:
    """Returns the sections of a learner's page: its presets, and its options in each preset."""
    presets = [
        (f"`{name}`", _assigned(dict(of.env.get(learner.default_env_id, {}))), _assigned(dict(of.run)))
        for name, of in learner.presets.items()
    ]
    columns = [_values(of.learner) for of in learner.presets.values()]
    rows = [
        (f"`{name}`", *(f"`{values[name][0]!r}`" if name in values else "" for values in columns), columns[0][name][1])
        for name in columns[0]
    ]
    return {
        "presets": table(("preset", "options of the environment", "options of the run"), presets),
        "options": table(("option", *(f"`{name}`" for name in learner.presets), "meaning"), rows),
    }


def _run_options() -> list[tuple[str, str, str]]:
    docs = field_docs(Run)
    return [(f"`{f.name}`", f"`{f.default!r}`", docs[f.name]) for f in fields(Run) if f.default is not MISSING]


def _assigned(options: dict[str, Any]) -> str:
    return ", ".join(f"`{name}={value!r}`" for name, value in options.items()) or "defaults"


def _values(options: Any) -> dict[str, tuple[Any, str]]:
    """Returns the value and the documentation of each option of a learner, also of nested groups of options."""
    found: dict[str, tuple[Any, str]] = {}
    docs = field_docs(type(options))
    for f in fields(options):
        value = getattr(options, f.name)
        found |= _values(value) if is_dataclass(value) else {f.name: (value, docs.get(f.name, ""))}
    return found


def _network(name: str) -> tuple[str, ...]:
    """Returns the row of a network of the library."""
    profile = DNNProfile.load(name)
    document = json.loads((LIBRARY / f"{name}.json").read_text(encoding="utf-8"))
    parameters, cut_mbit = profile.local_parameter_mbyte[-1] / 4, profile.cut_mbit[:-1].min()
    numbers = (f"{number:.4g}" for number in (profile.local_gmacs[-1], parameters, cut_mbit))
    shape = "x".join(map(str, document["input_shape"]))
    return f"`{name}`", shape, str(profile.num_layers), *numbers, "; ".join(document["sources"])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
