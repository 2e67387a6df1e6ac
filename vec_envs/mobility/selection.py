"""Who plays which role in an episode, and the random numbers of a stream of episodes."""

from __future__ import annotations

from functools import lru_cache
from heapq import heapify, heappop, heappush

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.mobility.traffic import EpisodeShape, TrafficBlock, TrafficError, TrafficWindow


class EpisodeRandom:
    """The random numbers of a stream, addressed by episode: those of episode k do not depend on the others.

    A counter-based generator makes jumping to an episode as cheap as going on to the next.
    """

    def __init__(self, seed: int, *, purpose: int = 0) -> None:
        """Numbers for different purposes of the same seed are independent. Raises `ValueError` for a negative seed."""
        if seed < 0:
            raise ValueError(f"a seed must be at least 0, got {seed}")
        self._bits = np.random.Philox(np.random.SeedSequence(seed, spawn_key=(purpose,)))
        self._origin = self._bits.state
        self._generator = np.random.Generator(self._bits)

    def at(self, episode: int) -> np.random.Generator:
        """The generator at the beginning of an episode's numbers; valid until the next call."""
        self._bits.state = self._origin
        self._bits.advance(episode << 64)
        return self._generator


def choose(rng: np.random.Generator, window: TrafficWindow, shape: EpisodeShape) -> TrafficBlock:
    """Draws the clients and service vehicles of an episode from the vehicles of a window, without overlap.

    With `shape.come_and_go` these are the first holders of the seats, and later ones follow by the rule of
    `EpisodeShape`. Raises `TrafficError` where the window holds too few vehicles for the roles.
    """
    if shape.come_and_go:
        return seated(window, seats(rng, window, shape), shape.num_client_vehicles)
    clients, services = choose_vehicles(rng, window.may_be_client, window.may_be_service, shape)
    vehicle, num_clients = staying_vehicles(shape), shape.num_client_vehicles
    return TrafficBlock(
        client_xy_m=window.xy_m.take(clients, axis=1),
        service_xy_m=window.xy_m.take(services, axis=1),
        client_position_m=window.position_m.take(clients, axis=1),
        service_position_m=window.position_m.take(services, axis=1),
        client_speed_mps=window.speed_mps.take(clients, axis=1),
        service_speed_mps=window.speed_mps.take(services, axis=1),
        client_vehicle=vehicle[:, :num_clients],
        service_vehicle=vehicle[:, num_clients:],
    )


def split(
    num_clients: int,
    xy_m: Float[np.ndarray, "slots seats 2"],
    position_m: Float[np.ndarray, "slots seats"],
    speed_mps: Float[np.ndarray, "slots seats"],
    vehicle: Int[np.ndarray, "slots seats"],
) -> TrafficBlock:
    """The block whose first seats are the clients' and all others the service vehicles'."""
    return TrafficBlock(
        client_xy_m=xy_m[:, :num_clients],
        service_xy_m=xy_m[:, num_clients:],
        client_position_m=position_m[:, :num_clients],
        service_position_m=position_m[:, num_clients:],
        client_speed_mps=speed_mps[:, :num_clients],
        service_speed_mps=speed_mps[:, num_clients:],
        client_vehicle=vehicle[:, :num_clients],
        service_vehicle=vehicle[:, num_clients:],
    )


def staying_vehicles(shape: EpisodeShape) -> Int[np.ndarray, "slots seats"]:
    """The numbers of vehicles that hold their seats throughout; read-only, since it is handed out again and again."""
    return _staying_vehicles(shape.num_slots, shape.num_client_vehicles + shape.num_service_vehicles)


@lru_cache(maxsize=64)
def _staying_vehicles(slots: int, seats: int) -> Int[np.ndarray, "slots seats"]:
    return np.broadcast_to(np.arange(seats), (slots, seats))


def seats(rng: np.random.Generator, window: TrafficWindow, shape: EpisodeShape) -> Int[np.ndarray, "slots seats"]:
    """Who holds each seat in each slot, by column of the window, -1 for nobody; the clients' seats come first.

    The first holders are drawn at random, later ones follow by the rule of `EpisodeShape`; of several seats that are
    free in a slot, the first is given first. Raises `TrafficError` where not every seat can be held in the first slot.
    """
    slots, vehicles = window.present.shape
    first = window.present.argmax(axis=0)
    stop = first + np.count_nonzero(window.present, axis=0)
    here = np.flatnonzero(window.present[0])
    clients, services = choose_vehicles(rng, window.may_be_client[here], window.may_be_service[here], shape)
    may_hold = [window.may_be_client] * len(clients) + [window.may_be_service] * len(services)
    holder = np.full((slots, len(may_hold)), -1)
    waits = np.ones(vehicles, dtype=np.bool_)

    def take(vehicle: int, seat: int, slot: int) -> tuple[int, int]:
        waits[vehicle] = False
        holder[slot : stop[vehicle], seat] = vehicle
        return int(stop[vehicle]), seat

    free = [take(vehicle, seat, 0) for seat, vehicle in enumerate(here[np.concatenate((clients, services))].tolist())]
    heapify(free)
    while free and free[0][0] < slots:
        slot, seat = heappop(free)
        came_in = np.where(waits & may_hold[seat] & (first <= slot) & (slot < stop), first, -1)
        last = int(came_in.argmax())
        heappush(free, take(last, seat, slot) if came_in[last] >= 0 else (slot + 1, seat))
    return holder


def seated(window: TrafficWindow, holder: Int[np.ndarray, "slots seats"], num_clients: int) -> TrafficBlock:
    """The block of a window whose seats are held by its columns `holder`; the first `num_clients` are the clients'."""
    held, slot = holder >= 0, np.arange(len(holder))[:, None]
    return split(
        num_clients,
        np.where(held[..., None], window.xy_m[slot, holder], 0.0),
        np.where(held, window.position_m[slot, holder], 0.0),
        np.where(held, window.speed_mps[slot, holder], 0.0),
        numbered(holder),
    )


def numbered(holder: Int[np.ndarray, "slots seats"]) -> Int[np.ndarray, "slots seats"]:
    """The same holders, numbered from 0 in order of first holding (slot by slot, seat by seat); nobody stays -1."""
    held = holder >= 0
    _, first, which = np.unique(holder[held], return_index=True, return_inverse=True)
    number = np.empty_like(first)
    number[first.argsort()] = np.arange(len(first))
    vehicle = np.full(holder.shape, -1)
    vehicle[held] = number[which]
    return vehicle


def choose_vehicles(
    rng: np.random.Generator,
    may_be_client: Bool[np.ndarray, " vehicles"],
    may_be_service: Bool[np.ndarray, " vehicles"],
    shape: EpisodeShape,
) -> tuple[Int[np.ndarray, " clients"], Int[np.ndarray, " services"]]:
    """Draws disjoint clients and service vehicles, by index.

    A vehicle that may be either becomes a client only as long as enough are left to serve, so that roles are found
    whenever they exist. Raises `TrafficError` where they do not.
    """
    num_clients, num_services = shape.num_client_vehicles, shape.num_service_vehicles
    order = rng.permutation(len(may_be_client))
    if len(order) >= num_clients + num_services and (may_be_client & may_be_service).all():
        # What follows gives the same; this is the common case, a few times faster.
        return order[:num_clients], order[num_clients : num_clients + num_services]
    serves = may_be_service[order]
    is_client = may_be_client[order]
    spare = np.count_nonzero(serves) - num_services
    both = is_client & serves
    is_client &= ~both | (np.cumsum(both) <= spare)
    is_client &= np.cumsum(is_client) <= num_clients
    clients = order[is_client]
    services = order[serves & ~is_client][:num_services]
    if len(clients) < num_clients or len(services) < num_services:
        when = "in the first slot" if shape.come_and_go else "for the whole episode"
        raise TrafficError(
            f"{len(order)} vehicles in range {when}, {np.count_nonzero(may_be_client)} of which may be "
            f"clients and {np.count_nonzero(may_be_service)} service vehicles, cannot fill {num_clients} client and "
            f"{num_services} service vehicles; ask for fewer"
        )
    return clients, services
