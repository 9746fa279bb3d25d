"""A package is installed only if it is the one that was locked."""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from patience import PATIENCE

ROOT = Path(__file__).parents[1]
NAME = "callhouse_example"
METADATA = "Metadata-Version: 2.1\nName: callhouse-example\nVersion: 1\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
INSTALLED = re.compile(r"pip\b.* install (?!.*--no-deps)(.*)")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Give a package, as an index would serve it."""
    path = tmp_path / f"{NAME}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(f"{NAME}.py", "")
        packed.writestr(f"{NAME}-1.dist-info/METADATA", METADATA)
        packed.writestr(f"{NAME}-1.dist-info/WHEEL", WHEEL)
        packed.writestr(f"{NAME}-1.dist-info/RECORD", "")
    return path


@pytest.mark.parametrize("is_locked", [True, False])
def test_pip_installs_no_package_of_another_hash(
    wheel: Path, tmp_path: Path, *, is_locked: bool
) -> None:
    content = wheel.read_bytes() if is_locked else b"another package"
    digest = hashlib.sha256(content).hexdigest()
    lock, target = tmp_path / "requirements.lock", tmp_path / "target"
    lock.write_text(f"callhouse-example==1 --hash=sha256:{digest}\n")
    where = ("--no-index", "--find-links", str(tmp_path), "--target", str(target))
    command = (sys.executable, "-m", "pip", "--isolated", "install", "--require-hashes")
    done = subprocess.run(
        [*command, *where, "-r", str(lock)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode == 0) == is_locked, done.stderr
    assert (target / f"{NAME}.py").exists() == is_locked
    assert ("DO NOT MATCH THE HASHES" in done.stderr) != is_locked


def test_every_environment_is_made_of_locked_packages_alone() -> None:
    made = INSTALLED.findall((ROOT / "Makefile").read_text())
    assert len(made) >= 4
    for options in made:
        assert "--require-hashes" in options, options
        (lock,) = re.findall(r"-r (\S+)", options)
        text = (ROOT / lock).read_text().replace("\\\n", " ")
        packages = [line for line in text.splitlines() if line.strip()]
        assert packages
        assert [one for one in packages if "--hash=sha256:" not in one] == []
