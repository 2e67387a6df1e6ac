"""The blueprints of the shipped roads. `python -m sumo_scenarios.build` builds the roads from them.

The geometry of a road is a list of pieces (length, radius), as in road design: a positive radius bends to the left, and
an infinite radius is straight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

STRAIGHT = math.inf
HOURS = "start_s = 0.0\nend_s = 86400.0\n"
"""Lines of a `scenario.toml`: simulations begin at times drawn over a day, so that signals are in any phase."""


@dataclass(frozen=True, kw_only=True)
class VehicleType:
    """A SUMO vehicle type and its share of the traffic. `attributes` are copied into the `vType` element."""

    name: str
    share: float
    attributes: dict[str, str]


CARS_AND_VANS = (
    VehicleType(name="car", share=0.75, attributes={"length": "4.6", "speedFactor": "normc(1,0.08,0.8,1.2)"}),
    VehicleType(name="van", share=0.25, attributes={"length": "5.4", "speedFactor": "normc(0.95,0.06,0.8,1.1)"}),
)
"""The vehicle types of most shipped roads, and of the traffic that an import makes."""


def distribution(types: tuple[VehicleType, ...]) -> str:
    """Returns the element of the vehicle types and their shares."""
    kinds = "".join(
        f'        <vType id="{kind.name}" probability="{kind.share}"'
        + "".join(f' {name}="{value}"' for name, value in kind.attributes.items())
        + "/>\n"
        for kind in types
    )
    return f'    <vTypeDistribution id="traffic">\n{kinds}    </vTypeDistribution>\n'


@dataclass(frozen=True, kw_only=True)
class Crossings:
    """Streets that cross a road at signals, at every inner point of its centre line, with one lane each way.

    Their vehicles drive straight across and hold no seats.
    """

    arm_m: float
    """Length of a street on each side of the road."""
    headway_s: float
    """Time between two vehicles of a direction."""
    cycle_s: int
    """Time of a cycle of the signals, with equal times of green for the road and the street."""


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """The definition of a shipped road. The numbers of lanes and vehicles and the headway apply to each carriageway.

    A road with crossings has straight pieces only.
    """

    title: str
    pieces: tuple[tuple[float, float], ...]
    lanes: int
    lane_width_m: float
    speed_limit_mps: float
    rsu_offset_m: float
    rsu_height_m: float
    range_m: float
    prefill_vehicles: int
    headway_s: float
    types: tuple[VehicleType, ...]
    two_way: bool = False
    crossings: Crossings | None = None
    num_units: int = 1
    unit_spacing_m: float = 0.0
    warm_up_s: float = 5.0
    chord_m: float = 60.0


# Published data of FDR Drive southbound in New York: three lanes in one direction, a limit of 40 mph (17.9 m/s), cars
# only. The bends are our own: gentle, and in both directions, as is usual for a riverside parkway.
_FDR_DRIVE = Blueprint(
    title="FDR Drive southbound, New York: three lanes one way, 40 mph, gentle bends (authored geometry)",
    pieces=(
        (260.0, STRAIGHT),
        (330.0, 900.0),
        (180.0, STRAIGHT),
        (420.0, -1100.0),
        (150.0, STRAIGHT),
        (300.0, -700.0),
        (140.0, STRAIGHT),
        (420.0, 1200.0),
    ),
    lanes=3,
    lane_width_m=3.35,
    speed_limit_mps=17.9,
    rsu_offset_m=15.0,
    rsu_height_m=8.0,
    range_m=750.0,
    prefill_vehicles=54,
    headway_s=2.5,
    types=CARS_AND_VANS,
)
BLUEPRINTS = {
    "fdr-drive": _FDR_DRIVE,
    "fdr-drive-dense": replace(
        _FDR_DRIVE,
        title="FDR Drive southbound with twice the traffic of fdr-drive (authored geometry)",
        prefill_vehicles=108,
        headway_s=1.25,
    ),
    "motorway": Blueprint(
        title="A three-lane motorway carriageway at 31 m/s (112 km/h) with wide bends",
        pieces=((700.0, STRAIGHT), (800.0, 2400.0), (500.0, STRAIGHT), (700.0, -3000.0), (500.0, STRAIGHT)),
        lanes=3,
        lane_width_m=3.75,
        speed_limit_mps=31.0,
        rsu_offset_m=25.0,
        rsu_height_m=10.0,
        range_m=1200.0,
        prefill_vehicles=54,
        headway_s=2.0,
        types=(
            VehicleType(name="car", share=0.85, attributes={"length": "4.6", "speedFactor": "normc(1,0.1,0.75,1.25)"}),
            VehicleType(name="truck", share=0.15, attributes={"length": "12", "maxSpeed": "25", "vClass": "truck"}),
        ),
    ),
    "two-way-road": Blueprint(
        title="A straight two-way road, three 3.5 m lanes each way, 60 km/h",
        pieces=((2400.0, STRAIGHT),),
        lanes=3,
        lane_width_m=3.5,
        speed_limit_mps=16.7,
        rsu_offset_m=15.0,
        rsu_height_m=4.0,
        range_m=1000.0,
        prefill_vehicles=28,
        headway_s=5.4,
        types=CARS_AND_VANS,
        two_way=True,
    ),
    "arterial": Blueprint(
        title="A straight city street, two 3.25 m lanes each way, 50 km/h, signals every 300 m, three roadside units",
        pieces=7 * ((300.0, STRAIGHT),),
        lanes=2,
        lane_width_m=3.25,
        speed_limit_mps=13.9,
        rsu_offset_m=12.0,
        rsu_height_m=10.0,
        range_m=960.0,
        prefill_vehicles=28,
        headway_s=10.0,
        types=CARS_AND_VANS,
        two_way=True,
        crossings=Crossings(arm_m=100.0, headway_s=15.0, cycle_s=60),
        num_units=3,
        unit_spacing_m=600.0,
        warm_up_s=60.0,
    ),
}


@dataclass(frozen=True, kw_only=True)
class GridBlueprint:
    """The definition of a shipped grid of streets: signals at all crossings, and an arm out of it at each border.

    Vehicles enter at the end of each arm at random times, and leave at the ends of others.
    """

    title: str
    crossings: int
    """Crossings in a row and in a column."""
    block_m: float
    arm_m: float
    lanes: int
    lane_width_m: float
    speed_limit_mps: float
    cycle_s: int
    headway_s: float
    """Mean time between two vehicles that enter at an arm."""
    unit_offset_m: float
    unit_height_m: float
    range_m: float
    warm_up_s: float
    types: tuple[VehicleType, ...]


GRIDS = {
    "city-grid": GridBlueprint(
        title="A grid of city streets: 4 by 4 crossings with signals, blocks of 200 m, 50 km/h, four roadside units",
        crossings=4,
        block_m=200.0,
        arm_m=200.0,
        lanes=2,
        lane_width_m=3.25,
        speed_limit_mps=13.9,
        cycle_s=60,
        headway_s=30.0,
        unit_offset_m=12.0,
        unit_height_m=8.0,
        range_m=400.0,
        warm_up_s=240.0,
        types=CARS_AND_VANS,
    )
}


@dataclass(frozen=True, kw_only=True)
class BorrowedBlueprint:
    """The definition of a shipped scenario on a real road, whose network is read from the `eclipse-sumo` package.

    These networks were made of OpenStreetMap's data. Its traffic is our own: vehicles enter at random times.
    """

    title: str
    net: str
    """The place of the network in the package."""
    flows: tuple[tuple[str, str, float], ...] = ()
    """First edge, last edge, and vehicles an hour."""
    random_flows: int = 0
    """Further flows between edges that SUMO's `randomTrips` draws."""
    random_flow_per_h: float = 0.0
    """Vehicles an hour of these flows together."""
    speed_limit_mps: float
    range_m: float
    units_xyz_m: tuple[tuple[float, float, float], ...]
    """The places of the roadside units, the road's own one first."""
    warm_up_s: float
    top_speed_mps: float
    types: tuple[VehicleType, ...]
    signals_off: bool = False
    """Whether signals are off, such as a ramp meter that a program would have to switch."""


BORROWED = {
    "bremen-motorway": BorrowedBlueprint(
        title="A motorway junction near Bremen, with ramps; network (c) OpenStreetMap contributors, in eclipse-sumo",
        net="tools/game/highway/highway.net.xml",
        flows=(
            ("145354574", "153177820", 2400.0),
            ("153180751", "153177820", 400.0),
            ("153180750", "4086683", 900.0),
            ("35136848", "153189949", 900.0),
        ),
        speed_limit_mps=33.33,
        range_m=1200.0,
        units_xyz_m=((716.6, 391.4, 8.0), (353.5, 779.3, 8.0), (1142.8, 12.7, 8.0), (1239.6, 788.1, 8.0)),
        warm_up_s=120.0,
        top_speed_mps=70.0,
        signals_off=True,
        types=BLUEPRINTS["motorway"].types,
    ),
    "berlin-district": BorrowedBlueprint(
        title="Streets in the south-east of Berlin; network (c) OpenStreetMap contributors, in eclipse-sumo",
        net="tools/game/DRT/osm.net.xml",
        random_flows=120,
        random_flow_per_h=900.0,
        speed_limit_mps=13.89,
        range_m=750.0,
        units_xyz_m=((1701.8, 956.3, 8.0), (1937.2, 499.4, 8.0), (1261.3, 606.4, 8.0), (2203.5, 1223.0, 8.0)),
        warm_up_s=240.0,
        top_speed_mps=25.0,
        types=CARS_AND_VANS,
    ),
}
