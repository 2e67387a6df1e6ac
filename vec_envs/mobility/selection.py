"""Who plays which role in an episode, and the random numbers of a stream of episodes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

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

    Raises `TrafficError` where the window holds too few vehicles for the roles.
    """
    clients, services = choose_vehicles(rng, window.may_be_client, window.may_be_service, shape)
    return TrafficBlock(
        client_xy_m=window.xy_m.take(clients, axis=1),
        service_xy_m=window.xy_m.take(services, axis=1),
        client_position_m=window.position_m.take(clients, axis=1),
        service_position_m=window.position_m.take(services, axis=1),
        client_speed_mps=window.speed_mps.take(clients, axis=1),
        service_speed_mps=window.speed_mps.take(services, axis=1),
    )


def split(window: TrafficWindow, num_clients: int) -> TrafficBlock:
    """The block of a window whose first vehicles are the clients and all others service vehicles."""
    return TrafficBlock(
        client_xy_m=window.xy_m[:, :num_clients],
        service_xy_m=window.xy_m[:, num_clients:],
        client_position_m=window.position_m[:, :num_clients],
        service_position_m=window.position_m[:, num_clients:],
        client_speed_mps=window.speed_mps[:, :num_clients],
        service_speed_mps=window.speed_mps[:, num_clients:],
    )


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
        raise TrafficError(
            f"{len(order)} vehicles in range for the whole episode, {np.count_nonzero(may_be_client)} of which may be "
            f"clients and {np.count_nonzero(may_be_service)} service vehicles, cannot fill {num_clients} client and "
            f"{num_services} service vehicles; ask for fewer"
        )
    return clients, services
