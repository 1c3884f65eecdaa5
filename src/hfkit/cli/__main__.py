"""python -m hfkit.cli"""

from hfkit.cli import main

main()
