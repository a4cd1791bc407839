"""The data of binary networks: those of image classification (`classification.data`)."""
