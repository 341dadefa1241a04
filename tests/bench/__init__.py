"""scripts/bench: riad beside its peers. README.md says what is in which file."""
