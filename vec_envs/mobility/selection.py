"""The choice of an episode's clients and service vehicles, and the random numbers of a stream of episodes."""

from __future__ import annotations

from functools import lru_cache
from heapq import heapify, heappop, heappush

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.mobility.traffic import EpisodeShape, TrafficBlock, TrafficError, TrafficWindow


class EpisodeRandom:
    """The random numbers of a stream of episodes.

    The numbers of an episode do not depend on which other episodes were drawn. The generator is
    counter-based, so that jumping to any episode is as cheap as continuing with the next one.
    """

    def __init__(self, seed: int, *, purpose: int = 0) -> None:
        """Numbers of one seed for different purposes are independent. Raises `ValueError` for a negative seed."""
        if seed < 0:
            raise ValueError(f"seed must be at least 0, got {seed}")
        self._bits = np.random.Philox(np.random.SeedSequence(seed, spawn_key=(purpose,)))
        self._origin = self._bits.state
        self._generator = np.random.Generator(self._bits)

    def at(self, episode: int) -> np.random.Generator:
        """Returns the generator at the beginning of an episode's numbers. It is valid until the next call."""
        self._bits.state = self._origin
        self._bits.advance(episode << 64)
        return self._generator


def choose(rng: np.random.Generator, window: TrafficWindow, shape: EpisodeShape) -> TrafficBlock:
    """Draws the clients and service vehicles of an episode from the vehicles of a window, without overlap.

    With `shape.come_and_go` these are the first holders of the seats; the rule of `EpisodeShape` gives the later ones.

    Raises `TrafficError` if the window has too few vehicles for the roles.
    """
    if shape.come_and_go:
        return block_of_holders(window, seat_holders(rng, window, shape), shape.num_client_vehicles)
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
    """Returns a block. The first `num_clients` seats are those of clients, the others those of service vehicles."""
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
    """Returns the vehicle numbers of vehicles that keep their seats; read-only, since the array is shared."""
    return _staying_vehicles(shape.num_slots, shape.num_client_vehicles + shape.num_service_vehicles)


@lru_cache(maxsize=64)
def _staying_vehicles(slots: int, seats: int) -> Int[np.ndarray, "slots seats"]:
    return np.broadcast_to(np.arange(seats), (slots, seats))


def seat_holders(
    rng: np.random.Generator, window: TrafficWindow, shape: EpisodeShape
) -> Int[np.ndarray, "slots seats"]:
    """Returns which column of the window holds each seat in each slot, -1 for an empty seat; clients' seats first.

    The first holders are drawn at random. Later holders follow the rule of `EpisodeShape`; of several seats that are
    free in a slot, the first is filled first.

    Raises `TrafficError` if not every seat can be held in the first slot.
    """
    slots, vehicles = window.present.shape
    first = window.present.argmax(axis=0)
    stop = first + np.count_nonzero(window.present, axis=0)
    in_first_slot = np.flatnonzero(window.present[0])
    clients, services = choose_vehicles(
        rng, window.may_be_client[in_first_slot], window.may_be_service[in_first_slot], shape
    )
    may_hold = [window.may_be_client] * len(clients) + [window.may_be_service] * len(services)
    holder = np.full((slots, len(may_hold)), -1)
    unseated = np.ones(vehicles, dtype=np.bool_)

    def take(vehicle: int, seat: int, slot: int) -> tuple[int, int]:
        """Gives a seat to a vehicle, and returns when the seat is free again, with the seat."""
        unseated[vehicle] = False
        holder[slot : stop[vehicle], seat] = vehicle
        return int(stop[vehicle]), seat

    first_holders = in_first_slot[np.concatenate((clients, services))].tolist()
    free = [take(vehicle, seat, 0) for seat, vehicle in enumerate(first_holders)]
    heapify(free)
    while free and free[0][0] < slots:
        slot, seat = heappop(free)
        came_in = np.where(unseated & may_hold[seat] & (first <= slot) & (slot < stop), first, -1)
        last = int(came_in.argmax())
        heappush(free, take(last, seat, slot) if came_in[last] >= 0 else (slot + 1, seat))
    return holder


def block_of_holders(window: TrafficWindow, holder: Int[np.ndarray, "slots seats"], num_clients: int) -> TrafficBlock:
    """Returns the block of a window whose columns `holder` hold the seats, the first `num_clients` as clients."""
    held, slot = holder >= 0, np.arange(len(holder))[:, None]
    return split(
        num_clients,
        np.where(held[..., None], window.xy_m[slot, holder], 0.0),
        np.where(held, window.position_m[slot, holder], 0.0),
        np.where(held, window.speed_mps[slot, holder], 0.0),
        vehicle_numbers(holder),
    )


def vehicle_numbers(holder: Int[np.ndarray, "slots seats"]) -> Int[np.ndarray, "slots seats"]:
    """Returns vehicle numbers for the holders of seats, from 0 in order of first holding; empty seats stay -1.

    The order is slot by slot, and seat by seat within a slot.
    """
    held = holder >= 0
    _, first, index = np.unique(holder[held], return_index=True, return_inverse=True)
    number = np.empty_like(first)
    number[first.argsort()] = np.arange(len(first))
    vehicle = np.full(holder.shape, -1)
    vehicle[held] = number[index]
    return vehicle


def choose_vehicles(
    rng: np.random.Generator,
    may_be_client: Bool[np.ndarray, " vehicles"],
    may_be_service: Bool[np.ndarray, " vehicles"],
    shape: EpisodeShape,
) -> tuple[Int[np.ndarray, " clients"], Int[np.ndarray, " services"]]:
    """Draws disjoint clients and service vehicles, and returns their indices.

    A vehicle with both roles becomes a client only if enough service vehicles remain. Thus a choice is found whenever
    one exists.

    Raises `TrafficError` if the roles cannot be filled.
    """
    num_clients, num_services = shape.num_client_vehicles, shape.num_service_vehicles
    order = rng.permutation(len(may_be_client))
    if len(order) >= num_clients + num_services and (may_be_client & may_be_service).all():
        # The code below gives an equal result; this common case is a few times faster.
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
            f"{num_services} service vehicles; ask for fewer vehicles"
        )
    return clients, services
