import numpy as np

from skactive.labelling._files import File
from skactive.labelling._matching import Known, match


def test_random_folders_against_what_was_done_to_them():
    """Files are renamed, changed, removed and added at random; contents are all different."""
    draw = np.random.default_rng(0)
    for _ in range(200):
        n = int(draw.integers(1, 8))
        content = {f"{i}": f"content {i}" for i in range(n)}
        known = {path: Known(i, 5, 0, content[path]) for i, path in enumerate(content)}
        names = [str(name) for name in draw.permutation(n + 3)]
        today, owner = {}, {}
        for i in range(n):
            fate = draw.choice(["stays", "goes", "moves"])
            if fate == "goes":
                continue
            path = f"{i}" if fate == "stays" else names[i]
            today[path], owner[path] = f"content {i}", i
        files = [File(path, 5, 1) for path in today]
        found = match(known, files, today.get)
        matched = [*found.touched, *found.moved]
        assert {file.path: i for i, file in matched} == {path: owner[path] for path in today}
        assert found.changed == found.new == found.same == []
        assert sorted(found.lost) == sorted(set(range(n)) - set(owner.values()))
