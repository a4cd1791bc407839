"""Binary networks: one bit for each weight and each activation. The data and the metrics are those of `classification`."""

from tasknas import hidden

hidden.refuse("common")
hidden.refuse("classification")
