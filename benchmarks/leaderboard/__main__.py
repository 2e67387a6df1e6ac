"""The command `python -m benchmarks.leaderboard`."""

import sys

from benchmarks.leaderboard.command import main

if __name__ == "__main__":
    sys.exit(main())
