"""What fixtures, or past sessions, cover of a bundle's policies, and the mistakes in them that nothing notices."""
