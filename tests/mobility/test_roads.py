"""Roads and demand of your own: each plays in the real SUMO, or is refused by a sentence of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from sumo_scenarios import check
from tests.mobility.conftest import of_seats, same, shape, take
from vec_envs.mobility import ReplayMobility, Road, Scenario, SumoMobility, TrafficBlock, TrafficError
from vec_envs.mobility.axis import units_of_road
from vec_envs.mobility.headings import kept_seats
from vec_envs.mobility.recording import write_recording

CROSSING = Path(__file__).parent / "roads" / "crossing"
FLOW = '<flow id="new" begin="{begin}" end="{end}" period="2.5" departPos="base" type="car" route="through"/>'
ROUTES = '<routes><vType id="car"/><vType id="van" vClass="delivery"/><route id="through" edges="road"/>{}</routes>'
FEW = shape(clients=3, services=1, slots=6, come_and_go=True)


class MakeRoad(Protocol):
    """Returns the folder of a road."""

    def __call__(
        self, *, name: str = "mine", demand: str | None = None, keys: str = "", change: Callable[[str], str] = str
    ) -> Path: ...


@pytest.fixture
def road(tmp_path: Path) -> MakeRoad:
    """Copies the shipped city road, with other demand, keys and tables of `scenario.toml`."""

    def edited(
        *, name: str = "mine", demand: str | None = None, keys: str = "", change: Callable[[str], str] = str
    ) -> Path:
        folder = tmp_path / name
        shutil.copytree(Scenario.load("fdr-drive").net_file.parent, folder)
        file = folder / "scenario.toml"
        file.write_text(change(file.read_text(encoding="utf-8").replace("[road]", f"{keys}\n[road]")), "utf-8")
        if demand is not None:
            (folder / "rou.xml").write_text(ROUTES.format(demand), encoding="utf-8")
        return folder

    return edited


def blocks(folder: Path, number: int) -> list[TrafficBlock]:
    with closing(SumoMobility(folder)) as mobility:
        return take(mobility.blocks(0, FEW), number)


def refusal(folder: Path) -> str:
    with pytest.raises(TrafficError) as raised:
        blocks(folder, 1)
    return str(raised.value)


def without_axis(text: str) -> str:
    return text[: text.index("# The centre line")]


# The plane


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SumoMobility]:
    folder = tmp_path_factory.mktemp("roads") / "crossing"
    shutil.copytree(CROSSING, folder)
    file = folder / "scenario.toml"
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "axis" not in line]
    file.write_text("\n".join(lines), encoding="utf-8")
    with closing(SumoMobility(folder)) as mobility:
        yield mobility


def assert_never_stands_while_it_drives(block: TrafficBlock) -> None:
    xy_m, speed_mps = of_seats(block, "xy_m"), of_seats(block, "speed_mps")
    stays = kept_seats(of_seats(block, "vehicle"))
    moved_m = np.hypot(*np.moveaxis(xy_m[1:] - xy_m[:-1], -1, 0))
    drives = stays & (moved_m > 5.0)  # a change of lane is shorter
    assert drives.any()
    assert (np.abs(speed_mps[1:])[drives] >= 0.4 * moved_m[drives]).all()
    assert (np.abs(speed_mps) <= 25.0).all()


def test_on_a_crossing_with_an_axis_no_vehicle_seems_to_stand() -> None:
    with closing(SumoMobility(CROSSING)) as mobility:
        for come_and_go in (False, True):
            of = shape(clients=6, services=2, slots=9, come_and_go=come_and_go)
            for block in take(mobility.blocks(0, of), 4):
                assert_never_stands_while_it_drives(block)


@pytest.mark.parametrize("come_and_go", [False, True])
def test_a_crossing_without_an_axis_has_distances_headings_and_speeds(
    crossing: SumoMobility, come_and_go: bool
) -> None:
    for block in take(crossing.blocks(0, shape(clients=6, services=2, slots=9, come_and_go=come_and_go)), 4):
        assert_never_stands_while_it_drives(block)
        held = block.client_vehicle >= 0
        offset_m = block.client_xy_m - np.array(crossing.road.rsu_xyz_m[:2])
        assert np.allclose(np.abs(block.client_position_m), np.hypot(*np.moveaxis(offset_m, -1, 0)) * held)
        heading = np.stack((np.cos(block.client_heading_rad), np.sin(block.client_heading_rad)), axis=-1)
        comes = (offset_m * heading).sum(axis=-1) < -1e-6
        assert (block.client_position_m[comes & held] < 0.0).all()
        assert (block.client_speed_mps >= 0.0).all()


def test_a_recording_of_a_road_without_an_axis_plays(crossing: SumoMobility, tmp_path: Path) -> None:
    of = shape(clients=3, services=1, slots=8, come_and_go=True)
    write_recording(tmp_path / "crossing.npz", crossing.road, 1.0, list(islice(crossing.windows(0, of), 3)))
    replayed = ReplayMobility(tmp_path / "crossing.npz")
    assert replayed.road == crossing.road
    for block in take(replayed.blocks(0, replace(of, num_slots=5)), 5):
        assert_never_stands_while_it_drives(block)


def test_units_of_a_road_without_an_axis() -> None:
    own, others = (0.0, 0.0, 8.0), ((0.0, 500.0, 8.0), (300.0, 0.0, 6.0))
    area = Road(name="a", rsu_xyz_m=own, range_m=100.0, speed_limit_mps=14.0, units_xyz_m=(others[0], own, others[1]))
    assert units_of_road(area, 2, 99.0)[0].tolist() == [list(own), list(others[1])]
    with pytest.raises(TrafficError, match="num_rsus must be at most 3"):
        units_of_road(area, 4, 99.0)
    alone = replace(area, units_xyz_m=())
    assert units_of_road(alone, 3, 50.0)[0][:, :2].tolist() == [[-50.0, 0.0], [0.0, 0.0], [50.0, 0.0]]


AXIS = "axis_xy_m = [\n"
CUT = "# no more of this file"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            AXIS,
            f"axis_xy_m = [[5000, 5000], [5001, 5001]]\n{CUT}",
            "must pass within range_m = 750 of the roadside unit",
        ),
        (
            AXIS,
            f"axis_xy_m = [[-1.07, -0.19], [0.0, 0.0], [1.06, -0.24]]\n{CUT}",
            "at least 150 m long .*got 2.2 m.*km",
        ),
        (
            AXIS,
            f"{AXIS}[-1200.0, -190.0],\n[-900, -190],\n",
            "must not turn back, got a turn of 1.. degrees at its point 1",
        ),
        (
            AXIS,
            f"{AXIS}[-3516.31, -638.53],\n[3474.87, -781.82],\n]\n{CUT}",
            r"must lie in the network, which spans x .*got an end at \[-3516.31.*2477 m outside.* 3.3 times .* feet",
        ),
        (
            "[1.0, -14.97",
            "[51000.0, -14.97",
            r"must be in range of the network, which spans x from -1072 to 1059 .*got",
        ),
        (
            "top_speed_mps = 26.8",
            "top_speed_mps = 9",
            "top_speed_mps must be at least road.speed_limit_mps, 17.9, got 9",
        ),
        (
            "[road]",
            "[road]\nunits_xyz_m = [[1.0, -14.97, 8.0], [9e4, -14.97, 8.0]]",
            r"road.units_xyz_m must be in range of the network, .*got \[90000",
        ),
        ("= 5.0", "= 1e9", "warm_up_s must be a number of at least 0 and at most 86400, got"),
        ("[road]", "end_s = 4.5\n[road]", r"end_s must be above start_s \+ warm_up_s = 5, got 4.5"),
        ("[road]", "start_s = -1\n[road]", "start_s must be a number of at least 0, got -1"),
        ("[road]", "[sumo]\nfcd-output = 'x'\n[road]", "sumo.fcd-output is an unknown key; the known ones are"),
        ("[road]", "additional_files = ['no.xml']\n[road]", "names 'no.xml', but the file does not exist"),
    ],
)
def test_keys_that_cannot_be_right_are_refused_at_once(road: MakeRoad, old: str, new: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SumoMobility(road(change=lambda text: text.replace(old, new).partition(CUT)[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("turned", "aside_m", "words"),
    [(True, 0.0, "of them along it and at most 50 m away"), (False, 70.0, "the nearest of .* places")],
)
def test_an_axis_that_no_vehicle_follows_is_refused_by_environments_and_by_check(
    road: MakeRoad, turned: bool, aside_m: float, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    axis = Scenario.load("fdr-drive").road.axis_xy_m
    points = [[y, x] if turned else [x, y - aside_m] for x, y in axis]
    folder = road(change=lambda text: f"{text.partition(AXIS)[0]}{AXIS}{str(points)[1:]}".replace("],", "],\n"))
    of = shape(clients=3, services=1, slots=60, come_and_go=True)
    with closing(SumoMobility(folder)) as mobility, pytest.raises(TrafficError, match=f"misses the road in .*{words}"):
        take(mobility.blocks(0, of), 1)
    assert check.main([str(folder), "--measure", "60"]) == 1
    assert "misses the road in range" in capsys.readouterr().err


def test_an_axis_in_reverse_order_is_told(road: MakeRoad, capsys: pytest.CaptureFixture[str]) -> None:
    points = [list(point) for point in reversed(Scenario.load("fdr-drive").road.axis_xy_m)]
    folder = road(change=lambda text: f"{text.partition(AXIS)[0]}{AXIS}{str(points)[1:]}".replace("],", "],\n"))
    words = r"100 % of .* vehicles on 'mine' drive against its axis"
    with closing(SumoMobility(folder)) as mobility, pytest.warns(RuntimeWarning, match=words):
        take(mobility.blocks(0, shape(clients=3, services=1, slots=20)), 1)
    assert check.main([str(folder), "--measure", "60"]) == 0
    assert "warning: 100 % of" in capsys.readouterr().err


# Time


@pytest.fixture
def ending(road: MakeRoad) -> Path:
    return road(demand=FLOW.format(begin=0, end=80), change=lambda text: text.replace("= 5.0", "= 60.0"))


def test_demand_that_ends_begins_again_and_a_run_can_be_resumed(ending: Path) -> None:
    with closing(SumoMobility(ending)) as mobility:
        played = take(mobility.blocks(0, FEW), 40)
        assert len({block.client_xy_m.tobytes() for block in played}) > 20
        assert same(played[31:], take(mobility.blocks(0, FEW, start=31), 9))


def test_seeds_are_other_hours_of_the_demand(road: MakeRoad) -> None:
    cars = "".join(f'<vehicle id="v{k}" depart="{k}" type="car" route="through"/>' for k in range(0, 4000, 3))
    folder = road(demand=cars, keys="start_s = 300\nend_s = 4000", change=lambda text: text.replace("= 5.0", "= 60.0"))
    with closing(SumoMobility(folder)) as mobility:
        first = [take(mobility.blocks(seed, FEW), 4) for seed in range(3)]
        assert same(first[0][3:], take(mobility.blocks(0, FEW, start=3), 1))
    assert len({of_seed[0].client_xy_m.tobytes() for of_seed in first}) == 3


# Messages


@pytest.mark.parametrize(
    ("demand", "keys", "words"),
    [
        (
            FLOW.format(begin="7:00:00", end=1e6),
            "",
            "the demand has not begun, .* departs at 25200 s: set start_s = 25200",
        ),
        pytest.param(
            FLOW.format(begin=0, end=1e6),
            'client_types = ["tram"]',
            r"a type of client_types = \[tram\]; seen were car \(",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            FLOW.format(begin=0, end=1e6).replace('"car"', '"van"'),
            'service_types = ["delivery"]',
            r"service_types = \[delivery\]; seen were van .*; delivery is a vehicle class, and its types are van",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            FLOW.format(begin=0, end=60),
            'client_types = ["tram"]',
            r"a type of client_types = \[tram\]; seen were car \(",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            '<vehicle id="a" depart="0" type="car"><route edges="nowhere"/></vehicle>',
            "",
            "'nowhere' .*; give the network of these routes",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            FLOW.format(begin=0, end=2),
            "start_s = 900",
            "the demand is over at .* began at 0 s",
            marks=pytest.mark.slow,
        ),
        pytest.param("", "", "no vehicle was on the road; no departure is in rou.xml", marks=pytest.mark.slow),
        pytest.param(
            FLOW.format(begin=0, end=1e6), "start_s = 5\nend_s = 37", "must fit into the hours", marks=pytest.mark.slow
        ),
        pytest.param(
            '<vehicle id="bus" depart="0" type="car" route="through"><stop busStop="a" duration="9"/></vehicle>',
            "",
            "list the file that defines it in additional_files of scenario.toml",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_each_cause_has_a_message(road: MakeRoad, demand: str, keys: str, words: str) -> None:
    folder = road(demand=demand, keys=keys, change=lambda text: text.replace("= 5.0", "= 30.0"))
    with pytest.raises(TrafficError, match=words):
        blocks(folder, 1)


@pytest.mark.slow
def test_vehicles_faster_than_the_top_speed_are_counted(road: MakeRoad) -> None:
    folder = road(change=lambda text: text.replace("speed_mps = 26.8", "speed_mps = 9").replace("= 17.9", "= 9"))
    said = "vehicles were left out because they seemed faster than top_speed_mps = 9, the fastest at 2"
    assert said in refusal(folder)


@pytest.mark.slow
def test_a_unit_without_vehicles_around_is_told_where_they_are(road: MakeRoad) -> None:
    folder = road(change=lambda text: without_axis(text).replace("[1.0, -14.97", "[1.0, -900.0").replace("750", "700"))
    assert "vehicles were on the road, but none in range" in refusal(folder)


# Files


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_understood(road: MakeRoad, encoding: str) -> None:
    folder = road()
    file = folder / "scenario.toml"
    file.write_bytes(file.read_text(encoding="utf-8").replace("\n", "\r\n").encode(encoding))
    assert Scenario.load(folder).road == replace(Scenario.load("fdr-drive").road, name="mine")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le"])
def test_other_encodings_are_refused(road: MakeRoad, encoding: str) -> None:
    folder = road(change=lambda text: text.replace("New York", "Zürich"))
    file = folder / "scenario.toml"
    file.write_bytes(file.read_text(encoding="utf-8").encode(encoding))
    with pytest.raises(ValueError, match=r"scenario\.toml must be text in UTF-8, got .*: save it as UTF-8"):
        Scenario.load(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a,b;c", "a${HOME}b é"])
def test_a_folder_may_have_any_name(road: MakeRoad, name: str) -> None:
    assert same(blocks(road(name=name), 1), blocks(Scenario.load("fdr-drive").net_file.parent, 1))


def test_a_file_with_a_comma_in_its_name_is_refused(road: MakeRoad) -> None:
    folder = road(change=lambda text: text.replace("rou.xml", "ro,u.xml"))
    (folder / "rou.xml").rename(folder / "ro,u.xml")
    with pytest.raises(ValueError, match=r"'ro,u\.xml' of the scenario 'mine' must have none of , ; "):
        SumoMobility(folder)


@pytest.mark.slow
def test_bus_stops_persons_and_types_come_from_additional_files(road: MakeRoad) -> None:
    stop = '<additional><busStop id="a" lane="road_0" startPos="900" endPos="920"/><vType id="bus" vClass="bus"/>'
    ride = '<person id="p" depart="0"><ride from="road" to="road" lines="7"/></person>'
    bus = '<vehicle id="b" depart="1" type="bus" line="7" route="through"><stop busStop="a" duration="9"/></vehicle>'
    folder = road(
        demand=ride + bus + FLOW.format(begin=2, end=1e6),
        keys='additional_files = ["stops.add.xml"]\n[sumo]\ntime-to-teleport = 100',
        change=lambda text: text.replace("= 5.0", "= 60.0"),
    )
    (folder / "stops.add.xml").write_text(f"{stop}</additional>", encoding="utf-8")
    for before, after in pairwise(blocks(folder, 3)):
        assert not same([before], [after])
