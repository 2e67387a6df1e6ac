"""The core: lanes of episodes that run side by side. It knows no reinforcement learning API."""
