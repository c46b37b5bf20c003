"""Stand-in for ``SampleData`` (Slicer/Modules/Scripted/SampleData/SampleData.py): registering sources, and its buttons.

Downloading is not part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

__all__ = ["SampleDataLogic", "SampleDataSource"]


class SampleDataSource:
    """What a button of the module stands for; one file is given as text, several as lists of one length."""

    def __init__(
        self,
        sampleName: str | None = None,
        sampleDescription: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        checksums: Any = None,
        loadFiles: Any = None,
        customDownloader: Callable[[SampleDataSource], Any] | None = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
    ) -> None:
        given = {
            "nodeNames": nodeNames,
            "loadFiles": loadFiles,
            "loadFileTypes": loadFileTypes,
            "checksums": checksums,
        }
        if isinstance(uris, (list, tuple)):
            if isinstance(loadFileTypes, str):
                given["loadFileTypes"] = [loadFileTypes] * len(uris)
            given = {name: [None] * len(uris) if value is None else value for name, value in given.items()}
        elif isinstance(uris, str):
            uris, fileNames = [uris], [fileNames]
            given = {name: [value] for name, value in given.items()}
        self.sampleName, self.sampleDescription = sampleName, sampleDescription or sampleName
        self.uris, self.fileNames = uris, fileNames
        self.customDownloader, self.thumbnailFileName = customDownloader, thumbnailFileName
        self.loadFileProperties = loadFileProperties or {}
        self.nodeNames, self.loadFiles = given["nodeNames"], given["loadFiles"]
        self.loadFileTypes, self.checksums = given["loadFileTypes"], given["checksums"]
        if len({len(values) for values in (self.uris, self.fileNames, *given.values())}) != 1:
            raise ValueError("All fields of sample data source must have the same length")

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    __hash__ = None  # type: ignore[assignment]  # as in Slicer, where only __eq__ is written

    def __str__(self) -> str:
        return str(vars(self))


class SampleDataLogic:
    """The part of the logic that extensions call when the application has started."""

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Callable[[SampleDataSource], Any] | None = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFiles: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
        checksums: Any = None,
    ) -> None:
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            thumbnailFileName=thumbnailFileName,
            loadFileTypes=loadFileTypes,
            loadFiles=loadFiles,
            loadFileProperties=loadFileProperties,
            checksums=checksums,
            customDownloader=customDownloader,
        )
        registered = SampleDataLogic.sampleDataSourcesByCategory().setdefault(category, [])
        if source not in registered:
            registered.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category: str | None = None) -> Any:
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        sources = slicer.modules.sampleDataSources
        return sources if category is None else sources.get(category, [])


def press(source: SampleDataSource) -> None:
    """Press a source's button, which the module connects so in ``setCategoriesFromSampleDataSources``."""
    if source.customDownloader is None:
        raise NotImplementedError("the stand-in downloads nothing")
    source.customDownloader(source)
