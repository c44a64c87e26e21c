"""Documents to the frozen parts of a bundle: names resolved, expressions typed, settings checked."""
