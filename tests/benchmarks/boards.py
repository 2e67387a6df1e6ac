"""Made-up leaderboards to write pages of: a full one, one with nothing in it, and one that means harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.jobs.recording import Recording
from benchmarks.leaderboard.schema import (
    Board,
    CaseAnatomy,
    CaseBoard,
    Change,
    Entry,
    Head,
    Improvement,
    Interval,
    Kind,
    Line,
    Plot,
    Rejected,
    Room,
    Row,
    Track,
)
from vec_envs.problems.scenes import SceneFrame, SceneNode, SceneQueue

MARKUP = "<img src=x onerror=\"window.harm='image'\">"
SCRIPT = "</script><script>window.harm='script'</script>"
HARMFUL = (MARKUP, SCRIPT, "a|b`c`*d*{{ 7 * 7 }}", "__proto__", "\u2028new\u2029lines ' \" & <!-- -->")

POLICIES: tuple[tuple[str, Kind, float, bool], ...] = (
    ("lymdo", "learned", 0.931, True),
    ("optimum-myopic", "reference", 0.902, True),
    ("ppo-joint", "learned", 0.874, True),
    ("sac-denoising-with-a-longer-name", "learned", 0.711, True),
    ("their-transformer", "custom", 0.655, True),
    ("edge", "reference", 0.418, True),
    ("local", "reference", -0.214, True),
    ("random", "reference", -0.00004, True),
    ("greedy", "reference", 0.951, False),
    ("mappo", "learned", 0.802, True),
)
"""Name, kind, skill, and whether its queues are stable."""
UNRANKED = "mappo"
CASES = (
    ("rate-1.0", "1 task/s", ""),
    ("rate-2.5", "2.5 tasks/s, the peak of a day", "load"),
    ("ring", "Ring road", "road"),
)
HEADS = (Head(name="delay_s", label="delay", unit="s"), Head(name="energy_j", label="energy", unit="J"))


ROOM = Room(
    blind="timetable", blind_grows=True, blind_value=0.9, present="edge", present_value=0.6, seer_value=0.3, episodes=16
)


ANATOMY = CaseAnatomy(
    policy="optimum-myopic",
    episodes=16,
    changes=(
        Change(name="picture of 5 s ago", kind="picture", percent=(12.31, 9.2, 15.4), grows=False),
        Change(name="constant rates", kind="picture", percent=(284.0, 250.0, 301.0), grows=True),
        Change(name="vehicles frozen", kind="world", percent=(-0.1, -0.3, 0.1), grows=False),
    ),
)


def around(value: float, reach: float) -> Interval:
    return (round(value, 5), round(value - reach, 5), round(value + 0.8 * reach, 5))


def entry(index: int, name: str, kind: Kind, score: float, stable: bool) -> Entry:
    ranked = name != UNRANKED
    learned = kind == "learned"
    note = "" if ranked else "seeds 3 and 4 of ring road are missing"
    reach = 0.03 if learned else 0.0
    return Entry(
        name=name,
        kind=kind,
        rank=index + 1 if ranked else None,
        stable=stable,
        note="queue of 2.5 tasks/s grows" if not stable else note,
        seeds=5 if learned else 1,
        skill={
            "iqm": around(score, reach),
            "mean": around(score - 0.02, reach),
            "optimality_gap": around(1.0 - score, reach),
        },
        times_seer=round(2.0 - score, 4),
        decision_ms=None if kind == "custom" else (0.21, 118.0, 2.4, 9.5, 0.0, 0.02, 0.02, 0.01, 30.0, 1.1)[index],
        options={"learning_rate": 3e-4, "hidden": [128, 128], "preset": "joint"} if learned else {},
        command=f"python -m benchmarks.run lymdo-board --policies {name} --seeds 5 --output runs/board",
        about=f"What {name} does, in a sentence.",
        code="version 0.9.0, commit 0123456789",
    )


def row(index: int, name: str, kind: Kind, score: float, shift: float, stable: bool) -> Row:
    learned = kind == "learned"
    at = score - shift * (0.5 + 0.1 * index)
    reach = 0.02 + 0.04 * shift if learned else 0.0
    return Row(
        policy=name,
        seeds=3 if name == UNRANKED else 5 if learned else 1,
        complete=name != UNRANKED,
        skill=around(at, reach),
        regret=around(1.2 * (1.0 - at), reach) if shift == 0.0 else None,
        growing=not stable and shift > 0.1,
        decision_ms=None if kind == "custom" else round(0.2 + 0.3 * index, 2),
        metrics={
            "delay_s": around(0.2 + 1.1 * (1.0 - at), reach),
            "energy_j": around(12.0 + 130.0 * (1.0 - at), reach),
        },
    )


def case(index: int, name: str, title: str, unseen: str) -> CaseBoard:
    rows = [row(k, *policy[:3], 0.15 * index, policy[3]) for k, policy in enumerate(POLICIES)]
    return CaseBoard(
        name=name,
        title=title,
        unseen=unseen,
        ranked=True,
        room=ROOM,
        anatomy=ANATOMY,
        episodes=64,
        seed=10_000,
        options={"arrival_rate_hz": [1.0 + index, 1.0 + index], "mobility": "replay"} if index else {},
        heads=HEADS,
        rows=tuple(sorted(rows, key=lambda row: -row.skill[0])),
    )


def line(name: str, x: np.ndarray, value: np.ndarray, reach: np.ndarray | float) -> Line:
    rounded = [tuple(np.round(part, 4).tolist()) for part in (x, value, value - reach, value + reach)]
    return Line(name=name, x=rounded[0], value=rounded[1], low=rounded[2], high=rounded[3])


def profiles() -> Plot:
    x = np.linspace(-0.5, 1.2, 60)
    parts = [(name, 1.0 / (1.0 + np.exp(14.0 * (x - score)))) for name, _, score, _ in POLICIES]
    lines = tuple(line(name, x, part, 0.06 * part * (1.0 - part)) for name, part in parts)
    return Plot(title="Runs above a skill", x_label="skill", y_label="part of runs", lines=lines)


def curves(rng: np.random.Generator) -> tuple[Plot, ...]:
    x = np.arange(1.0, 61.0) * 128.0
    plots: list[Plot] = []
    for _, title, _ in CASES[:2]:
        lines = [
            line(
                name,
                x,
                score * (1.0 - np.exp(-x / 1500.0)) + 0.015 * rng.standard_normal(x.size),
                0.3 / np.sqrt(x / 128.0),
            )
            for name, kind, score, _ in POLICIES
            if kind == "learned"
        ]
        plots.append(Plot(title=title, x_label="episodes", y_label="score", lines=tuple(lines)))
    return tuple(plots)


def queues(rng: np.random.Generator) -> tuple[Plot, ...]:
    x = np.arange(0.0, 110.0, 2.0)
    lines = [
        line(name, x, (0.1 * x if not stable else 3.0) + rng.random(x.size) * (1.0 - score) * 4.0, 0.4)
        for name, _, score, stable in POLICIES
    ]
    return (Plot(title="2.5 tasks/s, the peak of a day", x_label="slot", y_label="queue [Mbit]", lines=tuple(lines)),)


def sweeps() -> tuple[Plot, ...]:
    x = np.array([1.0, 5.0, 10.0, 20.0, 40.0])
    lines = [line(name, x, 0.4 + score / (1.0 + x / 8.0), 0.02) for name, _, score, _ in POLICIES[:4]]
    return (Plot(title="Completion time against V", x_label="V", y_label="completion time [s]", lines=tuple(lines)),)


def improvements() -> tuple[Improvement, ...]:
    ranked = [(name, score) for name, _, score, _ in POLICIES if name != UNRANKED]
    return tuple(
        Improvement(
            better=one, than=other, probability=around(float(1.0 / (1.0 + np.exp(6.0 * (theirs - score)))), 0.06)
        )
        for one, score in ranked
        for other, theirs in ranked
        if one != other
    )


def recording(policy: str, case_name: str, *, slots: int = 60) -> Recording:
    """Clients that drive a two-way road of a kilometre past a roadside unit, with service vehicles between them."""
    nodes = [SceneNode(name="rsu", kind="rsu"), *(SceneNode(name=f"client {k}", kind="client") for k in range(1, 8))]
    nodes += [SceneNode(name=f"service {k}", kind="service") for k in range(1, 5)]
    starts = np.array([500.0, *np.linspace(0.0, 900.0, 7), *np.linspace(60.0, 800.0, 4)])
    speeds = np.array([0.0, *([14.0, -13.0, 15.0, 14.5, -12.0, 13.0, 15.5]), *([14.0, -14.0, 13.5, -12.5])])
    strips = np.where(speeds > 0.0, 0.0, 6.4)
    strips[0] = 14.0
    frames: list[SceneFrame] = []
    for slot in range(slots):
        x = (starts + speeds * slot) % 1000.0
        waits = np.abs(np.sin(slot / 9.0 + np.arange(12))) * np.array([40.0, *[6.0] * 7, *[18.0] * 4])
        targets = [(k, (0, 8, 9, 10, 11, 0)[(k + slot // 6) % 6]) for k in range(1, 8) if (k + slot // 4) % 4]
        links = [(k, target, f"vgg16 from layer {1 + (k + slot) % 12}") for k, target in targets]
        frames.append(
            SceneFrame(
                x_m=tuple(x.round(1).tolist()),
                y_m=tuple(strips.tolist()),
                waits=tuple(waits.round(3).tolist()),
                links=(*links, (7, 7, "all of resnet18")) if slot % 2 else tuple(links),
                caption=f"{len(links)} of 7 clients send; {waits.sum():.0f} Gcycles wait",
            )
        )
    return Recording(
        case=case_name,
        policy=policy,
        slot_s=1.0,
        queues=(SceneQueue(unit="Gcycles"),),
        nodes=tuple(nodes),
        frames=tuple(frames),
    )


def crossing() -> Recording:
    """Vehicles that cross a town both ways, for a picture as high as wide."""
    nodes = (SceneNode(name="rsu", kind="rsu"), SceneNode(name="a", kind="client"), SceneNode(name="b", kind="service"))
    frames = tuple(
        SceneFrame(
            x_m=(0.0, -400.0 + 40.0 * k, 10.0), y_m=(30.0, 0.0, -400.0 + 40.0 * k),
            waits=(1.0, float(k), 0.0), links=((1, 0, "alexnet from layer 2"),), caption=f"slot {k}",
        )
        for k in range(20)
    )  # fmt: skip
    queues = (SceneQueue(unit="Mbit"),)
    return Recording(case="elsewhere", policy="edge", slot_s=0.5, queues=queues, nodes=nodes, frames=frames)


def track(env_id: str, title: str) -> Track:
    rng = np.random.default_rng(0)
    return Track(
        env_id=env_id,
        title=title,
        entries=tuple(entry(index, *policy) for index, policy in enumerate(POLICIES)),
        cases=tuple(case(index, *of_case) for index, of_case in enumerate(CASES)),
        profiles=profiles(),
        improvements=improvements(),
        curves=curves(rng),
        queues=queues(rng),
        sweeps=sweeps(),
    )


def full() -> Board:
    """Returns a leaderboard with something in every place."""
    return Board(
        suite="board",
        title="VEC-Envs leaderboard",
        version="1",
        code="vec-envs 0.9.0, SUMO 1.24.0",
        tracks=(
            track("VEC-CooperativeInference-v0", "Cooperative inference"),
            bare_track("VEC-DNNPartition-v0", "DNN partitioning"),
        ),
        recordings=(recording("lymdo", "ring"), recording("edge", "rate-1.0", slots=3), crossing()),
        left_out=(
            Rejected(what="results/mappo-seed3-0123.json", why="is of version 0 of the suite"),
            Rejected(what="their-other-transformer", why="has no results"),
        ),
    )


def bare_track(env_id: str, title: str) -> Track:
    """Returns a track that nothing is known of yet."""
    nothing = Plot(title="", x_label="", y_label="", lines=())
    return Track(
        env_id=env_id, title=title, entries=(), cases=(), profiles=nothing, improvements=(), curves=(), queues=()
    )


def empty() -> Board:
    """Returns a leaderboard without tracks."""
    return Board(suite="board", title="Nothing yet", version="1", code="vec-envs 0.9.0", tracks=())


def harmful() -> Board:
    """Returns a leaderboard whose every text tries to be more than text."""
    board, options = full(), {MARKUP: SCRIPT, "__proto__": "x"}
    of = board.tracks[0]
    renamed = {name: HARMFUL[index % len(HARMFUL)] + str(index) * (index >= len(HARMFUL))
               for index, (name, *_) in enumerate(POLICIES)}  # fmt: skip
    harmed = replace(
        of,
        title=SCRIPT,
        entries=tuple(
            replace(item, name=renamed[item.name], note=MARKUP, command=SCRIPT, options=options, about=MARKUP,
                    code=SCRIPT)
            for item in of.entries
        ),
        cases=tuple(
            replace(item, title=f"{MARKUP} {item.title}", unseen=MARKUP, options={SCRIPT: MARKUP},
                    room=replace(ROOM, blind=MARKUP, present=SCRIPT),
                    anatomy=replace(ANATOMY, policy=MARKUP, changes=(replace(ANATOMY.changes[0], name=SCRIPT),)),
                    rows=tuple(replace(row, policy=renamed[row.policy]) for row in item.rows))
            for item in of.cases
        ),
        improvements=tuple(
            replace(item, better=renamed[item.better], than=renamed[item.than]) for item in of.improvements
        ),
        profiles=replace(
            of.profiles,
            title=MARKUP,
            x_label=MARKUP,
            lines=tuple(replace(line, name=renamed[line.name]) for line in of.profiles.lines),
        ),
        curves=(),
        queues=(),
        sweeps=(),
    )  # fmt: skip
    nodes = tuple(replace(node, name=MARKUP) for node in board.recordings[0].nodes)
    frames = tuple(
        replace(frame, caption=SCRIPT, links=tuple((a, b, MARKUP) for a, b, _ in frame.links))
        for frame in board.recordings[0].frames
    )
    return replace(
        board,
        title=SCRIPT,
        code=MARKUP,
        tracks=(harmed,),
        recordings=(
            replace(
                board.recordings[0],
                case=MARKUP,
                policy=SCRIPT,
                queues=(SceneQueue(name=MARKUP, unit=SCRIPT),),
                nodes=nodes,
                frames=frames,
            ),
        ),
        left_out=(Rejected(what=MARKUP, why=SCRIPT),),
    )
