"""PDNAS, and the searches it is compared with in the same space."""
