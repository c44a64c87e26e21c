"""A small HTTP/1.1 server on Trio: it speaks to one ASGI application, and no request ends more than its connection."""
