"""`python -m hedgerow.cli`, which is what the installed command runs."""

import sys

from hedgerow.cli.main import main

sys.exit(main())
