"""`python -m upr_analysis` is the command `upr`."""

from upr_analysis.cli import main

main()
