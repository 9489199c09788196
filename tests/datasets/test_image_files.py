"""The images of a folder: sub-folders, every suffix, one order, and keys that stay the same."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skactive import ImageReader
from skactive.datasets import image_files
from skactive.exceptions import DatasetError

IMAGES = ["a.JPG", "a/b.jpeg", "a/b/c.Png", "a/b/d.TIFF", "a b/ü.webp", "b.gif", "b.bmp", "b/a.JPG"]
OTHERS = [
    "a.txt",
    "labels.csv",
    "b.jpg.part",
    ".hidden.png",
    ".git/a.png",
    "a/.b/c.png",
    "film.mpg",
]


@pytest.fixture
def folder(tmp_path):
    for name in IMAGES + [name for name in OTHERS if name.endswith(".png")]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name)
    for name in OTHERS:
        if not name.endswith(".png"):
            (tmp_path / name).write_text("no image")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def test_all_images_and_nothing_else(folder):
    """The folder example found nothing in sub-folders or .JPG."""
    for given in (folder, str(folder), folder / "a" / ".."):
        found = image_files(given)
        assert {path.relative_to(given).as_posix() for path in found} == set(IMAGES)
        assert all(isinstance(path, Path) for path in found)
        assert found == sorted(found, key=lambda path: path.relative_to(given).parts)
    assert ImageReader(size=(4, 4)).transform(image_files(folder)).shape == (len(IMAGES), 4, 4, 3)


def test_relative_folders(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    names = [path.relative_to(folder.name).as_posix() for path in image_files(folder.name)]
    assert set(names) == set(IMAGES)
    monkeypatch.chdir(folder)
    assert [path.as_posix() for path in image_files(".")] == names


def test_a_folder_inside_a_hidden_one_is_read(folder):
    assert [path.name for path in image_files(folder / ".git")] == ["a.png"]


def test_keys_differ_where_names_do_not(folder):
    keys = [path.relative_to(folder).as_posix() for path in image_files(folder)]
    assert len(set(keys)) == len(keys)
    assert len({path.name for path in image_files(folder)}) < len(keys)


def test_a_folder_without_images(tmp_path):
    (tmp_path / "a.txt").write_text("no image")
    with pytest.raises(DatasetError, match=r"no image in '.*' and its sub-folders\. Files"):
        image_files(tmp_path)


@pytest.mark.parametrize("folder", ["nowhere", __file__, None, ["a.png"]])
def test_what_is_no_folder(folder):
    with pytest.raises(ValueError, match="'folder' parameter of image_files must be the path of a"):
        image_files(folder)


def test_folders_that_are_links_are_followed_and_none_within_itself(tmp_path):
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    for folder in (elsewhere, root / "own"):
        folder.mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "1.png")
    (root / "linked").symlink_to(elsewhere)
    (root / "own" / "up").symlink_to(root)
    (elsewhere / "round").symlink_to(root / "linked")
    found = [path.relative_to(root).as_posix() for path in image_files(root)]
    assert found == ["linked/1.png", "own/1.png"]
