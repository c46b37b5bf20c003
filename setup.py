"""Puts the folder Resources, which lies beside the package in a checkout, inside it when it is installed."""

from setuptools import find_packages, setup

SHIPPED = ("Icons", "Models", "Parameters", "SampleData", "Terminology")

setup(
    packages=[*find_packages(include=["hccoutcome*"]), "hccoutcome.Resources"],
    package_dir={"hccoutcome.Resources": "Resources"},
    package_data={
        "hccoutcome.report": ["*.html"],
        "hccoutcome.Resources": ["requirements.txt", *(f"{folder}/**" for folder in SHIPPED)],
    },
)
