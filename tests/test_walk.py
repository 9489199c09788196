"""How far a FisherMask query walks through the source, bounded by what was measured.

`python -m tests.walk` prints which calls make up the changes of file. Three tenths are the layers'
gradients: per layer and backward pass, a hook hands one from the tape to what is taken of it.
Three tenths more are products of factors that have two parts, a dense one and a Kronecker product,
of which each pick needs six. Without all these, by one file for each of the two, there would still
be 3,000 changes; the aims were 20 files and 1,200.
"""

from tests.walk import fisher_mask_walk

FILES, CHANGES, ALONE = 57, 7_080, 6


def test_a_query_of_fisher_mask():
    found = fisher_mask_walk()
    assert 0 < found.alone <= ALONE  # the network is probed once a query
    assert len(found.files) <= FILES
    assert found.changes <= CHANGES
