"""Where the description for consoles stands that `console_schema.py` makes at build time: a file of the package."""

from pathlib import Path
from typing import Final

SCHEMA: Final = Path(__file__).with_name("console.json")
