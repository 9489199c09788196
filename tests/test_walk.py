"""How far a FisherMask query walks through the source, bounded by what was measured.

The aim is 20 files and 1,200 changes of file; what is measured is far from it, and must not grow.
"""

from tests.walk import fisher_mask_walk

FILES, CHANGES, ALONE = 60, 10_500, 8


def test_a_query_of_fisher_mask():
    found = fisher_mask_walk()
    assert 0 < found.alone <= ALONE  # the network is probed once a query
    assert len(found.files) <= FILES
    assert found.changes <= CHANGES
