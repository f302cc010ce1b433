"""The design space of serving: the effect of each parameter on response time and CPU usage."""
