"""HNAS: cells and the place of the upsampling cell, searched together."""
