"""The stages that a search of any kind is made of, for any task."""
