"""For tests of stores and bundles: the contracts that every store fulfils, and the plugin for pytest."""
