"""`python -m tfjs` is the command `tfjs`."""

from tfjs.cli.main import main

main()
