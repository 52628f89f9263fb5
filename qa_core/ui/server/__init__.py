"""The ASGI application: connections, proxies, health, routes, API."""
