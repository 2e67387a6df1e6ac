"""Pages: their prose stays, what is missing is shown, and the committed ones follow from the results beside them."""

from __future__ import annotations

import builtins
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.jobs.plan import jobs_of_suites
from benchmarks.report import main, section, write_suite
from benchmarks.reports.figures import _apart, draw
from benchmarks.reports.pages import with_section
from benchmarks.reports.policy_results import PolicyResults, collect
from benchmarks.reports.published import Published
from benchmarks.reports.tables import case_table, in_words, suite_tables
from benchmarks.results import result as results
from benchmarks.results.kept import Kept
from benchmarks.results.result import Result
from benchmarks.results.stores import ResultStore
from benchmarks.run import main as run_main
from benchmarks.suites import SUITES
from benchmarks.suites.suite import Claim
from trainers.runs.tables import shown
from vec_envs.dnn import DNNProfile

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "results"
PUBLISHED = Published(ROOT / "benchmarks" / "published")


def report(name: str, whole: Path, output: Path, tiny: dict[str, Any], *more: str) -> str:
    main([name, "--results", str(whole), "--output", str(output), "--seeds", "2", *more], tiny["SUITES"])
    return (output / f"{name}.md").read_text()


def lines_of(file: Path) -> dict[str, str]:
    """Returns the lines of a published file by the name of the result."""
    lines = file.read_text().splitlines() if file.exists() else []
    return {json.loads(line)["name"]: line for line in lines}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED.index)
def test_committed_tables_follow_from_the_published_results(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    for suite, of_suite in PUBLISHED.indexed(name, SUITES):
        assert with_section(page, suite.name, section(suite, of_suite)) == page, f"{suite.name}: run benchmarks.report"


@pytest.mark.parametrize("name", PUBLISHED.index)
def test_published_results_are_those_that_the_suites_ask_for(name: str) -> None:
    """A new option of a learner or an environment renames its jobs: what was measured must be found again."""
    asked = {job.name for job in jobs_of_suites(SUITES[name], 5)}
    assert asked >= ResultStore(PUBLISHED.folder / f"{name}.jsonl").names
    assert asked == {name for suite in PUBLISHED.index[name].values() for name in suite["results"]}


@pytest.mark.slow
def test_published_results_are_stored_once_and_can_be_read() -> None:
    names = [entry.name for entry in PUBLISHED.store.entries]
    assert len(names) == len(set(names))
    assert all(PUBLISHED.store.find(name) is not None for name in names)


def test_a_page_can_be_computed_again_from_what_is_published(whole: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    page = report("tiny", whole, tmp_path, tiny)
    measured = Published(tmp_path / "published").indexed("tiny", tiny["SUITES"])
    assert [suite.name for suite, _ in measured] == ["tiny-sweep", "tiny-parts", "tiny-curves"]
    for suite, of_suite in measured:
        assert with_section(page, suite.name, section(suite, of_suite)) == page
        assert (tmp_path / f"{suite.name}.svg").read_text() == draw(suite, of_suite)
    lines = lines_of(tmp_path / "published" / "tiny.jsonl")
    assert {name: f"{line}\n" for name, line in lines.items()} == {
        path.stem: path.read_text() for path in (whole / "results").glob("*.json")
    }
    assert list(lines) == sorted(lines)


def test_the_published_folder_can_be_read_as_results(whole: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    page = report("tiny", whole, tmp_path / "docs", tiny)
    for n, path in enumerate(("published", "published/tiny.jsonl")):
        assert report("tiny", tmp_path / "docs" / path, tmp_path / str(n), tiny) == page


def test_bars_and_curves_of_several_cases_are_below_one_another(whole: Path, tiny: dict[str, Any]) -> None:
    for name in ("tiny-parts", "tiny-curves"):
        (suite,) = tiny["SUITES"][name]
        lines = collect(suite, 2, ResultStore(whole / "results"))
        both = [*lines, *(replace(line, case="another road") for line in lines)]
        one, two = draw(suite, lines), draw(suite, both)
        titles = [f">{case}</text>" for case in (lines[0].case, "another road")]
        assert not any(title in one for title in titles)
        assert all(two.count(title) == 1 for title in titles)
        (policy,) = {line.policy for line in lines if line.found and line.policy == lines[0].policy}
        assert two.count(f">{policy}</text>") == 2 * one.count(f">{policy}</text>") > 0


def test_prose_is_kept_and_measured_sections_are_replaced(whole: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    marks = "<!-- measured: tiny-parts -->\nold\n<!-- end: tiny-parts -->"
    (tmp_path / "tiny-parts.md").write_text(f"# Parts\n\nWhy we ask.\n\n{marks}\n\nWhat it means.\n")
    for _ in range(2):
        page = report("tiny-parts", whole, tmp_path, tiny)
        assert page.startswith("# Parts\n\nWhy we ask.\n\n<!-- measured: tiny-parts -->\n\n![Parts](tiny-parts.svg)")
        assert page.endswith("<!-- end: tiny-parts -->\n\nWhat it means.\n")
        assert "old" not in page
        assert page.count("<!-- measured") == 1


def test_published_results_missing_in_the_folder_are_kept(whole: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    page = report("tiny", whole, tmp_path / "docs", tiny)
    before = {path: path.read_bytes() for path in (tmp_path / "docs" / "published").iterdir()}
    (tmp_path / "less" / "results").mkdir(parents=True)
    assert report("tiny", tmp_path / "less", tmp_path / "docs", tiny) == page
    assert {path: path.read_bytes() for path in (tmp_path / "docs" / "published").iterdir()} == before


def test_missing_results_are_shown(
    whole: Path, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    less = tmp_path / "less"
    shutil.copytree(whole / "results", less / "results")
    for name in ("sac-seed1", "gbs-best"):
        next((less / "results").glob(f"{name}-*.json")).unlink()
    page = report("tiny-parts", less, tmp_path, tiny)
    assert "Missing: rtd on again (1 of 2 seeds), gbs-best on again (missing)." in page
    assert "| rtd | 1 of 2 seeds |" in page
    assert "| gbs-best | missing | - | - | - | - | - |" in page
    assert "2 results are missing" in capsys.readouterr().out


def test_a_result_of_another_page_is_stored_once(whole: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    report("tiny-parts", whole, tmp_path, tiny)
    page = report("tiny-curves", whole, tmp_path, tiny)  # its two runs are those of the first page
    assert not (tmp_path / "published" / "tiny-curves.jsonl").exists()
    ((suite, of_suite),) = Published(tmp_path / "published").indexed("tiny-curves", tiny["SUITES"])
    assert [len(of.found) for of in of_suite] == [2]
    assert with_section(page, suite.name, section(suite, of_suite)) == page


def test_a_repeated_result_is_replaced_in_its_file(
    whole: Path, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report("tiny-parts", whole, tmp_path / "docs", tiny)
    shutil.copytree(whole / "results", tmp_path / "again" / "results")
    path = next((tmp_path / "again" / "results").glob("sac-seed0-*.json"))
    of = results.read(path)
    path.unlink()
    results.write(
        path.parent, of.definition, of.kept, values=of.values, decisions=of.decisions, curve=of.curve, traces=of.traces,
        training_s=of.training_s + 1.0, evaluation_s=1.0, recording=of.recording,
    )  # fmt: skip
    report("tiny-curves", tmp_path / "again", tmp_path / "docs", tiny)
    published = tmp_path / "docs" / "published"
    assert lines_of(published / "tiny-parts.jsonl")[path.stem] == path.read_text().strip()
    assert not (published / "tiny-curves.jsonl").exists()
    assert "is replaced: run benchmarks.report tiny-parts too" in capsys.readouterr().out


def test_a_suite_without_a_picture_shows_none_and_only_what_its_cases_have(
    whole: Path, tiny: dict[str, Any], tmp_path: Path
) -> None:
    (parts,) = tiny["SUITES"]["tiny-parts"]
    suites = {"plain": (replace(parts, name="plain", picture="none", columns=("failed", "backlog_gcycles")),)}
    main(["plain", "--results", str(whole), "--output", str(tmp_path), "--seeds", "2"], suites)
    page = (tmp_path / "plain.md").read_text()
    assert "![" not in page
    assert "| policy | runs | cost | failed | cost minus rtd's |" in page
    assert not list(tmp_path.glob("*.svg"))


def test_results_that_no_page_uses_are_removed(whole: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "published" / "tiny-parts.jsonl"
    report("tiny-parts", whole, tmp_path, tiny)
    before = set(lines_of(file))
    unused = next((whole / "results").glob("reo-full-*.json"))  # of tiny-sweep alone
    file.write_text(file.read_text() + unused.read_text())
    report("tiny-parts", whole, tmp_path, tiny)
    assert set(lines_of(file)) == {*before, unused.stem}, "with --seeds nothing is removed"
    (parts,) = tiny["SUITES"]["tiny-parts"]
    main(["tiny-parts", "--results", str(whole), "--output", str(tmp_path)], {"tiny-parts": (replace(parts, seeds=2),)})
    assert set(lines_of(file)) == before


def test_a_folder_without_results_is_refused(tiny: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no results"):
        report("tiny", tmp_path, tmp_path, tiny)


def test_means_are_of_tasks_then_of_episodes(whole: Path, tiny: dict[str, Any]) -> None:
    (suite,) = tiny["SUITES"]["tiny-parts"]
    lines = collect(suite, 2, ResultStore(whole / "results"))
    rtd = lines[0]
    by_hand = np.mean([np.mean(result.values["cost"]) for result in rtd.found])
    assert rtd.mean("cost").value == pytest.approx(by_hand)
    table = case_table(suite, lines, "cost")
    assert table[0][:5] == ["policy", "runs", "cost", "time [s]", "cost minus rtd's"]
    values = [float(row[2].split()[0]) for row in table[1:]]
    assert values == sorted(values)
    assert next(row for row in table if row[0] == "rtd")[4] == "-"


KEPT = Kept(metrics=("delay_s", "energy_j"), traces=("energy_queue_a",))


def made_up(policy: str, case: str, x: float, *means: float) -> PolicyResults:
    """A line of one result a seed: eight episodes about a mean, and a trace that rises to it."""
    found = tuple(
        Result(
            definition={"policy": {"name": policy, "seed": seed}, "evaluation": {"case": case}},
            kept=KEPT,
            values={"delay_s": mean + 0.01 * np.arange(-3.5, 4.0), "energy_j": np.full(8, 10.0 * mean)},
            decisions=np.full(8, 5.0),
            curve=None,
            traces={"energy_queue_a": np.linspace(0.0, mean, 5)},
            training_s=0.0,
            evaluation_s=0.0,
            provenance={},
            path=Path(policy),
        )
        for seed, mean in enumerate(means)
    )
    return PolicyResults(case=case, x=x, policy=policy, kept=KEPT, expected=tuple("a" * len(means)), found=found)


LINES = [
    made_up("ours", "slow", 1.0, 2.0, 4.0),
    made_up("rule", "slow", 1.0, 5.0),
    made_up("absent", "slow", 1.0),
    made_up("ours", "fast", 2.0, 8.0, 9.0),
    made_up("rule", "fast", 2.0, 7.0),
    made_up("absent", "fast", 2.0),
]


def test_columns_of_differences_and_of_multiples(tiny: dict[str, Any]) -> None:
    suite = replace(
        tiny["PARTS"],
        baseline="ours",
        columns=("energy_j",),
        ratio=None,
        compared=("energy_j",),
        times=("rule", "nobody"),
    )
    head, ours, rule, *_ = case_table(suite, LINES[:3], "delay_s")
    assert head[4:] == ["delay minus ours's", "energy minus ours's", "times rule's", "times nobody's"]
    assert ours[4:6] == ["-", "-"]
    assert ours[6].split()[0] == "0.6000"
    assert [cell.split()[0] for cell in rule[4:]] == ["+2.000", "+20.00", "-", "-"]
    head, ours, rule, *_ = case_table(replace(suite, plain=True), LINES[:3], "delay_s")
    assert head[6] == "delay minus ours's, plain bootstrap"
    assert ours[6] == "-"
    assert rule[6].split()[0] == rule[4].split()[0] == "+2.000"


def test_a_metric_table_has_the_cases_in_columns(tiny: dict[str, Any]) -> None:
    (suite,) = tiny["SUITES"]["tiny-parts"]
    suite = replace(suite, tables="metrics", columns=("delay_s", "energy_j"))
    (delay, delays), (energy, energies) = suite_tables(suite, LINES)
    assert (delay, energy) == ("delay [s]", "energy [J]")
    assert delays[0] == energies[0] == ["policy", "slow", "fast"]
    assert [row[0] for row in delays[1:]] == ["rule", "ours", "absent"], "the least on the last case on top"
    assert [row[1].split()[0] for row in delays[1:]] == ["5.000", "3.000", "-"]
    assert [row[2].split()[0] for row in energies[1:]] == ["70.00", "85.00", "-"]


def test_claims_of_a_paper_are_shown_beside_measured_values(tiny: dict[str, Any]) -> None:
    claims = (
        Claim(case="slow", than="rule", percent=19.14),
        Claim(case="fast", than="rule", percent=-5.0, metric="energy_j"),
        Claim(case="slow", than="absent", percent=1.0),
    )
    suite = replace(tiny["PARTS"], baseline="ours", columns=(), ratio=None, claims=claims)
    title, (head, *rows) = suite_tables(suite, LINES)[-1]
    assert (title, head[2]) == ("What the paper says", "ours better than")
    assert [row[:4] for row in rows] == [
        ["slow", "delay", "rule", "19.14 %"],
        ["fast", "energy", "rule", "-5 %"],
        ["slow", "delay", "absent", "1 %"],
    ]
    assert [row[4].split(" ")[0] for row in rows] == ["+40.00", "-21.43", "-"], "3 against 5 s, 85 against 70 J"


def test_a_claim_of_training_is_of_the_ends_of_the_learning_curves(tiny: dict[str, Any]) -> None:
    def trained(policy: str, *last: float) -> PolicyResults:
        curves = [{"return_mean": np.r_[np.full(18, -1e6), end - 1.0, end + 1.0]} for end in last]
        line = made_up(policy, "slow", 1.0, *last)
        found = (replace(result, curve=curve) for result, curve in zip(line.found, curves, strict=True))
        return replace(line, found=tuple(found))

    claim = Claim(case="slow", than="rule", percent=52.0, metric="return_mean", in_training=True)
    suite = replace(tiny["PARTS"], baseline="ours", columns=(), ratio=None, claims=(claim,))
    _, (_, row) = suite_tables(suite, [trained("ours", -40.0, -60.0), trained("rule", -200.0)])[-1]
    assert row[1:4] == ["return mean, in training", "rule", "52 %"]
    assert row[4].startswith("+75.00 % [")


def test_milestones_are_reached_where_the_mean_of_five_rounds_is(tiny: dict[str, Any]) -> None:
    def trained(policy: str, *curves: list[float]) -> PolicyResults:
        line = made_up(policy, "slow", 1.0, *[3.0] * len(curves))
        of = [{"delay_s": np.array(c), "episodes": 16.0 * np.arange(1, len(c) + 1)} for c in curves]
        found = (replace(result, curve=curve) for result, curve in zip(line.found, of, strict=True))
        return replace(line, found=tuple(found))

    rule = made_up("rule", "slow", 1.0, 5.0)
    falls = [*[20.0] * 3, *[5.0] * 7]  # the mean of rounds 3 to 7 is 8, of 4 to 8 it is 5
    suite = replace(tiny["PARTS"], baseline="ours", columns=(), ratio=None, milestones=(8.0, "rule", "nobody"))
    lines = [trained("ours", falls, [20.0] * 10, falls[:5], [1.0] * 4), rule]
    title, (head, *rows) = suite_tables(suite, lines)[-1]
    assert title == "slow: training episodes until a mean of 5 rounds is reached"
    assert head[2:] == ["delay [s] of 8", "delay [s] of rule's 5.000"]
    assert [row[:1] + row[2:] for row in rows] == [["ours", "112, -, -, -", "128, -, -, -"]]


def test_traces_are_drawn_with_one_value_per_epoch(tiny: dict[str, Any]) -> None:
    (suite,) = tiny["SUITES"]["tiny-parts"]
    suite = replace(suite, picture="traces", shows="energy_queue_a", axis="slot", baseline="ours")
    picture = draw(suite, [line for line in LINES if line.found])
    assert all(f">{name}</text>" in picture for name in ("ours", "rule", "slot"))
    assert "energy queue a" in picture
    falling = [replace(line, found=tuple(replace(r, traces={"energy_queue_a": r.traces["energy_queue_a"][::-1]})
               for r in line.found)) for line in LINES if line.found and line.case == "slow"]  # fmt: skip
    assert "↑" not in draw(suite, falling), "what the baseline falls from is in the picture"
    assert draw(suite, [line for line in LINES if line.found]) == picture


def test_a_layers_suite_has_no_jobs(tmp_path: Path) -> None:
    (suite,) = SUITES["mad2rl-fig1"]
    assert run_main(["mad2rl-fig1", "--output", str(tmp_path)]) == 0
    page, picture = ((tmp_path / f"mad2rl-fig1.{end}").read_text() for end in ("md", "svg"))
    profile = DNNProfile.load("vgg16")
    assert all(layer.name in page and layer.name in picture for layer in profile.layers)
    ((_, (head, *rows)),) = suite_tables(suite, [])
    assert head[2] == "time at 5 GHz [s]"
    assert sum(float(row[1]) for row in rows) == pytest.approx(profile.local_gflops[-1], abs=2e-3)
    assert [float(row[3]) for row in rows] == pytest.approx([layer.output_mbit for layer in profile.layers], abs=1e-3)


def test_equal_values_are_drawn(tiny: dict[str, Any]) -> None:
    (suite,) = tiny["SUITES"]["tiny-sweep"]
    same = [made_up(name, "slow", x, 0.0) for name in ("ours", "rule") for x in (1.0, 2.0)]
    assert ">rule</text>" in draw(replace(suite, shows="energy_j", baseline="ours"), same)


@pytest.mark.parametrize(("sign", "arrow"), [(1.0, "↑"), (-1.0, "↓")])
def test_values_far_beyond_the_baseline_are_cut_off_with_an_arrow(
    sign: float, arrow: str, tiny: dict[str, Any]
) -> None:
    """Returns are negative. A line that ends or begins far below gets an arrow, and does not flatten the others."""
    (suite,) = tiny["SUITES"]["tiny-sweep"]
    suite = replace(suite, picture="curves", shows="return_mean", baseline="ours")
    curves = {"ours": (9e4, 2.0, 1.0), "rule": (9e4, 4e4, 3e4)}

    def trained(policy: str) -> PolicyResults:
        line = made_up(policy, "slow", 1.0, 1.0)
        curve = {"episodes": np.arange(3.0), "return_mean": sign * np.array(curves[policy])}
        return replace(line, found=(replace(line.found[0], curve=curve),))

    picture = draw(suite, [trained(policy) for policy in curves])
    assert f">rule {arrow} {shown(sign * 3e4)}</text>" in picture
    assert ">ours</text>" in picture
    assert picture.count("000</text>") == 1, "the axis ends near the baseline"


def test_without_matplotlib_tables_are_written_with_a_message(
    whole: Path,
    tiny: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    really = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return really(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    (suite,) = tiny["SUITES"]["tiny-sweep"]
    assert write_suite(suite, collect(suite, 2, ResultStore(whole / "results")), tmp_path) == [
        tmp_path / "tiny-sweep.md"
    ]
    assert 'pip install "vec-envs[render]"' in capsys.readouterr().err


def test_labels_do_not_overlap_and_stay_near_their_lines() -> None:
    heights = _apart([0.1, 0.11, 0.12, 0.9])
    assert min(np.diff(heights)) > 0.05
    assert np.abs(np.array(heights) - [0.1, 0.11, 0.12, 0.9]).max() < 0.08


def test_a_result_with_a_non_finite_value_is_rejected(tmp_path: Path, whole: Path) -> None:
    result = results.read(next((whole / "results").glob("leo-full-*.json")))
    values = {**result.values, "cost": np.full(12, np.nan)}
    with pytest.raises(ValueError, match="JSON compliant"):
        results.write(
            tmp_path,
            result.definition,
            result.kept,
            values=values,
            decisions=result.decisions,
            curve=None,
            traces={},
            training_s=0.0,
            evaluation_s=0.0,
        )
    assert not list(tmp_path.iterdir())


def test_values_have_six_digits() -> None:
    assert [results.rounded(x) for x in (1234567.0, 0.123456789, 0.0)] == [1234570.0, 0.123457, 0.0]


def test_a_long_curve_is_thinned_to_means(tmp_path: Path) -> None:
    rows = [f'{{"episodes": {16 * (k + 1)}, "cost": {k}, "round_s": 0.5, "updates": {k}}}\n' for k in range(1000)]
    (tmp_path / "metrics.jsonl").write_text("".join(rows))
    curve, seconds = results.learning_curve(tmp_path / "metrics.jsonl")
    assert seconds == pytest.approx(500.0)
    assert len(curve["cost"]) == 200
    assert curve["cost"][0] == pytest.approx(2.0)
    assert curve["episodes"][-1] == 16000


def test_a_run_without_metrics_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"metrics\.jsonl is empty: delete .* to train the run again"):
        results.learning_curve(tmp_path / "metrics.jsonl")


def test_the_unit_of_a_trend_is_per_step() -> None:
    assert in_words("trend_backlog_gcycles") == "trend backlog [Gcycles per step]"
    assert in_words("trend_energy_queue") == "trend energy queue [per step]"
    assert in_words("backlog_gcycles") == "backlog [Gcycles]"


def test_a_dropped_result_moves_to_another_page_that_uses_it(
    whole: Path, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report("tiny-parts", whole, tmp_path, tiny)
    report("tiny-curves", whole, tmp_path, tiny)
    (parts,) = tiny["SUITES"]["tiny-parts"]
    shorter = replace(parts, cases=tuple(replace(case, policies=case.policies[-1:]) for case in parts.cases))
    main(["tiny-parts", "--results", str(whole), "--output", str(tmp_path)], {"tiny-parts": (shorter,)})
    ((_, of_suite),) = Published(tmp_path / "published").indexed("tiny-curves", tiny["SUITES"])
    assert [len(of.found) for of in of_suite] == [2]
    assert "moved to tiny-curves.jsonl, whose page uses it" in capsys.readouterr().out


def test_fewer_seeds_remove_nothing(whole: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    report("tiny-parts", whole, tmp_path, tiny)
    file = tmp_path / "published" / "tiny-parts.jsonl"
    before = file.read_bytes()
    main(["tiny-parts", "--results", str(whole), "--output", str(tmp_path), "--seeds", "1"], tiny["SUITES"])
    assert file.read_bytes() == before
    with pytest.raises(SystemExit):
        main(["tiny-parts", "--results", str(whole), "--output", str(tmp_path), "--seeds", "-1"], tiny["SUITES"])


def test_a_metric_that_a_result_lacks_is_shown_as_missing(tiny: dict[str, Any]) -> None:
    lacking = made_up("rule", "slow", 1.0, 5.0)
    (result,) = lacking.found
    older = replace(result, kept=Kept(metrics=("delay_s",)), values={"delay_s": result.values["delay_s"]}, traces={})
    of_case = [LINES[0], replace(lacking, found=(older,))]
    suite = replace(tiny["PARTS"], baseline="ours", columns=("energy_j",), compared=("energy_j",), ratio=None)
    head, ours, rule = case_table(suite, of_case, "delay_s")
    assert head[2:4] == ["delay [s]", "energy [J]"]
    assert ours[3].startswith("30.00 [")
    assert (rule[3], rule[5]) == ("-", "-")
    assert rule[2].startswith("5.000 [")
    sweep = replace(suite, picture="sweep", shows="energy_j", axis="x")
    assert ">ours</text>" in (picture := draw(sweep, of_case))
    assert ">rule</text>" not in picture


@pytest.mark.parametrize(
    "page",
    [
        "<!-- measured: a -->\n\nProse that matters.\n",
        "<!-- end: a -->\n<!-- measured: a -->\n",
        "<!-- measured: a -->\n<!-- end: a -->\n<!-- measured: a -->\n<!-- end: a -->\n",
    ],
    ids=["no end", "the other way", "twice"],
)
def test_a_page_with_unpaired_marks_is_not_modified(page: str) -> None:
    with pytest.raises(ValueError, match="there must be one of each"):
        with_section(page, "a", "new")
