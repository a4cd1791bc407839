"""Image-to-image translation: pictures of two domains, games of generators and discriminators, and the systems on them."""

from tasknas import hidden

hidden.refuse("common")
