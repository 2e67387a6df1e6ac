"""Episodes are shown as pages, videos and GIFs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from tests.trainers.runs import run
from trainers.watch import main
from trainers.watching.files import write_gif
from trainers.watching.page import page

Image = pytest.importorskip("PIL.Image")
REFERENCE = [
    "--policy",
    "random",
    "--env.mobility",
    "straight",
    "--env.num-client-vehicles",
    "2",
    "--env.episode-slots=3",
]


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Returns the message with which the command refuses its arguments."""
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    return f"{refused.value}{capsys.readouterr().err}"


def test_a_page_plays_the_episode_without_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*REFERENCE, "--episode", "7", "--output", str(tmp_path / "new" / "episode.html")])
    out = capsys.readouterr().out
    assert out.startswith("random on VEC-DNNPartition-v0, episode 7: completion time ")
    text = (tmp_path / "new" / "episode.html").read_text()
    assert "{{" not in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    (recording,) = data["recordings"]
    assert len(recording["frames"]) == 3
    assert recording["queues"] == [{"name": "Waiting", "unit": "Gcycles"}]
    assert os.listdir(tmp_path / "new") == ["episode.html"]


def test_texts_of_an_episode_cannot_become_markup() -> None:
    recording = {"unit": "s", "nodes": [], "frames": [{"caption": "</script><script>alert(1)"}]}
    text = page("<b>title</b>", "a {{ data }} & more", [recording])
    assert "<b>title" not in text
    assert "<script>alert" not in text
    assert "a {{ data }} &amp; more" in text, "a text is no template"


@pytest.mark.parametrize("ending", ["gif", "mp4"])
@pytest.mark.slow
def test_videos_and_gifs_have_a_picture_for_each_decision(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / f"episode.{ending}"
    main([*REFERENCE, "--output", str(path), "--width", "400"])
    assert os.listdir(tmp_path) == [path.name]
    if ending == "gif":
        assert (Image.open(path).n_frames, Image.open(path).width) == (4, 400)
        main([*REFERENCE, "--output", str(path), "--frames", "2"])
        assert Image.open(path).n_frames == 2
    else:
        assert path.stat().st_size > 1000


def test_a_gif_keeps_the_colours_of_small_marks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (60, 60, 3)).astype(np.uint8) for _ in range(3)]
    for picture in pictures:
        picture[:10, :10] = (240, 180, 0)
    write_gif(tmp_path / "a.gif", pictures, frames_per_s=4)
    assert Image.open(tmp_path / "a.gif").convert("RGB").getpixel((5, 5)) == (240, 180, 0)


@pytest.mark.slow
def test_a_run_is_shown_in_its_own_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "0")
    capsys.readouterr()
    main([str(tmp_path / "run"), "--output", str(tmp_path / "episode.html")])
    assert capsys.readouterr().out.startswith("qmix (tuned, seed 0) on VEC-DNNPartition-v0, episode 500000: ")
    other = ["--env.num-service-vehicles", "4", "--output", str(tmp_path / "a.html")]
    assert "belongs to another learner, other agents, " in told([str(tmp_path / "run"), *other], capsys)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--output", "a.gif"], "give either RUN_DIR, the folder of a run, or --policy NAME"),
        (["run", "--policy", "random", "--output", "a.gif"], "give either RUN_DIR"),
        (["--policy", "random"], "--output"),
        (["--policy", "random", "--output", "a.png"], "--output must end in .html, .gif or .mp4, got 'a.png'"),
        (["--policy", "random", "--output", "a"], "must end in"),
        (["--policy", "random", "--output", "folder.gif"], "--output folder.gif is a folder: give the name of a file"),
        (["--policy", "random", "--output", "file/a.gif"], "--output file/a.gif cannot be written: "),
        (["--policy", "randon", "--output", "a.gif"], "the reference policy 'randon' is unknown; known are: 'random'"),
        (["--policy", "random", "--env-id", "VEC-v0", "--output", "a.gif"], "the environment 'VEC-v0' is unknown"),
        (["run", "--env-id", "VEC-v0", "--output", "a.gif"], "--env-id is for --policy; a run has its own environment"),
        (["run", "--output", "a.gif"], "run holds no run"),
        ([*REFERENCE, "--episode", "-1", "--output", "a.gif"], "episode must be"),
        ([*REFERENCE, "--fps", "0", "--output", "a.gif"], "fps must be"),
        ([*REFERENCE, "--frames", "0", "--output", "a.gif"], "frames must be"),
        ([*REFERENCE, "--env.num-client-vehicles", "0", "--output", "a.gif"], "num_client_vehicles must be"),
    ],
)
def test_a_wrong_command_is_refused_in_a_sentence_and_writes_nothing(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.gif").mkdir()
    (tmp_path / "file").touch()
    message = told(arguments, capsys)
    assert says in message
    assert "Traceback" not in message
    assert sorted(os.listdir()) == ["file", "folder.gif"]
