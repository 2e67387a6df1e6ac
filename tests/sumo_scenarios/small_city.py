"""Small inputs of our own for the importer: a map, and a configuration with a bus line, persons and signals."""

from __future__ import annotations

import gzip
from pathlib import Path

from sumo_scenarios.sumo_files.programs import run_program

NODES = """<nodes>
  <node id="w" x="-400" y="0"/><node id="c" x="0" y="0" type="traffic_light"/><node id="e" x="400" y="0"/>
  <node id="s" x="0" y="-300"/><node id="n" x="0" y="300"/>
</nodes>"""
EDGES = "".join(
    f'<edge id="{a}{b}" from="{a}" to="{b}" numLanes="2" speed="13.9" name="{name}"/>'
    for name, ends in (("Main Street", "we"), ("Cross Street", "sn"))
    for a, b in ((ends[0], "c"), ("c", ends[1]), (ends[1], "c"), ("c", ends[0]))
)
ROUTES = """<routes>
  <flow id="we" begin="27000" end="28800" period="exp(0.2)" type="car" from="wc" to="ce" departSpeed="max"/>
  <flow id="ew" begin="27000" end="28800" period="exp(0.2)" type="car" from="ec" to="cw" departSpeed="max"/>
  <flow id="sn" begin="27000" end="28800" period="exp(0.1)" type="bike" from="sc" to="cn"/>
  <vehicle id="bus0" type="bus" depart="27100"><route edges="wc ce"/><stop busStop="before" duration="20"/>
    <stop busStop="after" duration="20"/></vehicle>
  <person id="p0" depart="27050"><stop busStop="before" duration="1"/><ride busStop="after" lines="bus0"/></person>
</routes>"""
STOPS = """<additional>
  <busStop id="before" lane="wc_0" startPos="200" endPos="230"/>
  <busStop id="after" lane="ce_0" startPos="200" endPos="230"/>
  <e1Detector id="loop" lane="wc_1" pos="300" period="60" file="loop.xml"/>
  <edgeData id="dump" file="dump.xml"/>
</additional>"""
TYPES = (
    """<additional><vType id="car"/><vType id="bike" vClass="bicycle"/><vType id="bus" vClass="bus"/></additional>"""
)
CONFIGURATION = """<configuration>
  <input><n value="net/city.net.xml"/><route-files value="city.rou.xml.gz"/>
    <additional-files value="types.add.xml, stops.add.xml"/></input>
  <output><tripinfo-output value="trips.xml"/></output>
  <time><begin value="7:30:00"/><end value="8:00:00"/><step-length value="0.5"/></time>
  <processing><time-to-teleport value="120"/><collision.stoptime value="1"/></processing>
</configuration>"""


def write_city(folder: Path, name: str = "city.sumocfg") -> Path:
    """A crossing with signals: traffic from 7:30 to 8:00 of cars, bicycles, and a bus with a passenger."""
    (folder / "net").mkdir(parents=True)
    (folder / "nod.xml").write_text(NODES)
    (folder / "edg.xml").write_text(f"<edges>{EDGES}</edges>")
    arguments = ["--node-files", "nod.xml", "--edge-files", "edg.xml", "--output-file", "net/city.net.xml"]
    arguments += ["--output.street-names"]
    run_program("netconvert", arguments, folder=folder)
    (folder / "city.rou.xml.gz").write_bytes(gzip.compress(ROUTES.encode()))
    (folder / "types.add.xml").write_text(TYPES)
    (folder / "stops.add.xml").write_text(STOPS)
    (folder / name).write_text(CONFIGURATION)
    return folder / name


def write_map(path: Path) -> Path:
    """An OpenStreetMap extract: a river road of 1.5 km with two lanes each way, crossed by three streets."""
    nodes: dict[tuple[int, int], int] = {(i, j): 1 + 3 * i + j for i in range(5) for j in range(3)}
    places = "".join(
        f'<node id="{number}" lat="{52.0 + 0.0025 * (j - 1):.6f}" lon="{9.0 + 0.0055 * i:.6f}"/>\n'
        for (i, j), number in nodes.items()
    )
    along = [nodes[i, 1] for i in range(5)]
    ways = [_way(100, along, "River Road", "primary", ("lanes", "4"), ("maxspeed", "60"))]
    ways += [
        _way(200 + i, [nodes[i, j] for j in range(3)], f"Street {i}", "residential", ("maxspeed", "30"))
        for i in (1, 2, 3)
    ]
    bounds = '<bounds minlat="51.99" minlon="8.99" maxlat="52.01" maxlon="9.03"/>\n'
    path.write_text(f'<?xml version="1.0"?>\n<osm version="0.6">\n{bounds}{places}{"".join(ways)}</osm>\n')
    return path


def _way(number: int, nodes: list[int], name: str, kind: str, *tags: tuple[str, str]) -> str:
    references = "".join(f'<nd ref="{node}"/>' for node in nodes)
    said = "".join(f'<tag k="{key}" v="{value}"/>' for key, value in (("name", name), ("highway", kind), *tags))
    return f'<way id="{number}">{references}{said}</way>\n'
