"""What commands share: arguments, output, progress, files, and the door to store and engine."""
