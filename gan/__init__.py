"""Image-to-image translation: pictures of two domains, games of generators and discriminators, and the systems on them."""

import tasknas  # noqa: F401 (refuses a file of the user's that hides the core)
