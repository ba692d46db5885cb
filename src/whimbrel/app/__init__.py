"""The server's processes, and the only room that names backends. `python -m` of any of its modules is isolated."""

from whimbrel.app.isolation import of_module_start

of_module_start()
