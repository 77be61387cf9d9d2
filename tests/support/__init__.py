"""What the tests of the whole gateway share: a gateway process, a provider, a checker."""
