"""`python -m enfold`: the command."""

from __future__ import annotations

import sys

from enfold._command import main

sys.exit(main())
