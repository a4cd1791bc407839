"""EfficientDet: a scaled family of detectors (Tan et al., CVPR 2020, arXiv 1911.09070)."""
