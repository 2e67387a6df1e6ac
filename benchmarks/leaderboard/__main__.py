"""The command `python -m benchmarks.leaderboard`."""

from benchmarks.leaderboard.command import main

if __name__ == "__main__":
    main()
