"""`python -m whimbrel.app.cli`: the command line without an installed script."""

import sys

from whimbrel.app.cli.entry import main

sys.exit(main())
