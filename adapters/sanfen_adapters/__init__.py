"""The channels and notifiers that come with sanfen, one folder each."""
