"""Pages for people in a browser: they log in, see what they are asked, and answer."""
