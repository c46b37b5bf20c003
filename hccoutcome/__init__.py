"""Response and survival in hepatocellular carcinoma: from images and clinical data to scores in the scene."""

from hccoutcome.version import __version__

__all__ = ["__version__"]
