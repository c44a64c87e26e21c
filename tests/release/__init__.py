"""What is released: the wheel and the sdist, built, installed apart from the checkout, and used as the README says."""
