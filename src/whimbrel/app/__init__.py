from whimbrel.app.isolation import of_module_start

of_module_start()
