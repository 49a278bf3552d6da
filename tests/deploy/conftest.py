"""One deployment for all tests of this folder: the zip unpacked, its packages installed from the registry by their hashes."""

from __future__ import annotations

import pytest

from tests.deploy.deployment import Deployment, installed, unzipped


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The zip of this repository, deployed; shared, so whoever changes files makes a copy."""
    folder = tmp_path_factory.mktemp("deployed")
    root = unzipped(folder)
    return Deployment(root, installed(folder / "packages", root))
