"""The retail bundle against recorded conversations of a domain that nobody here made.

The data is not part of the repository: it lies in the directory that `$RETAIL_DATA` names.  A small shop of our own
in the same form, `shop/`, shows the same in every run of the tests.
"""
