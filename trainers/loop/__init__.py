"""The training loop: episodes of all environments, and the experience that learners learn from."""
