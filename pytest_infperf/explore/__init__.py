"""The design space of model serving: what each parameter does to response time and CPU usage."""
