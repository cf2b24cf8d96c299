"""`python -m jejunet_nas`: the command line without its script."""

from jejunet_nas.cli import main

main()
