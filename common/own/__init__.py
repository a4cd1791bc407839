"""A run of a user's own network: a build function, a space, what scores a network, and a train step."""
