"""What goes over wires, whoever asks: addresses, bodies, streams of events, and what errors of connections mean."""
