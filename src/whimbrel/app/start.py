"""Runs a module of this package as a program: `python -I start.py MODULE ARGUMENT ...`; `interpreter.py` says why."""

import os
import runpy
import sys


def main() -> None:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if root not in sys.path:
        # After the standard library, before another Whimbrel that may be installed.
        installed = [at for at, path in enumerate(sys.path) if path.endswith(("site-packages", "dist-packages"))]
        sys.path.insert(installed[0] if installed else len(sys.path), root)
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
