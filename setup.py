"""Puts the studies and search spaces, which are beside the package, into it.

pyproject.toml has the rest: it can name these folders, but not together with a search for packages.
"""

from setuptools import find_namespace_packages, setup

SHIPPED = {f"jejunet_nas.shipped.{kind}": kind for kind in ("studies", "search_spaces")}

setup(
    packages=[*find_namespace_packages(include=["jejunet_nas*"]), *SHIPPED],
    package_dir=SHIPPED,
)
