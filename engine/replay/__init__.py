"""Past sessions again: through the core that wrote them, and from one of their states on under another bundle."""
