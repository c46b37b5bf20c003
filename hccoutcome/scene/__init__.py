"""Between plain data and the MRML scene: the only place that imports slicer and vtk."""

from hccoutcome.errors import EnvironmentNeeded

try:
    import slicer  # noqa: F401
except ModuleNotFoundError as error:
    raise EnvironmentNeeded(
        "The scene and its pictures need 3D Slicer's libraries, which are not installed: "
        "run pip install slicer-core, or work inside 3D Slicer."
    ) from error
