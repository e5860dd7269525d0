"""The one number all dice of these tests start from."""

import os

__all__ = ["SEED"]

SEED = int(os.environ.get("SANFEN_SEED", "1"))
