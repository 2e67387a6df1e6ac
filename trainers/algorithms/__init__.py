"""The algorithms: variants of Tianshou's DQN, SAC and PPO, and QMIX on its base classes."""
