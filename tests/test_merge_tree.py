"""Results are merged as a tree: all of them, each a few times."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.large.merge_tree import MergeTree


@given(st.lists(st.lists(st.integers(), max_size=40), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_nothing_is_lost(bundles: list[list[int]]) -> None:
    """However the elements are dealt out."""
    tree = MergeTree(lambda parts: sorted(item for part in parts for item in part))
    accumulators = []
    for bundle in bundles:
        accumulator = tree.create_accumulator()
        for item in bundle:
            accumulator = tree.add_input(accumulator, [item])
        accumulators.append(accumulator)
    found = tree.extract_output(tree.merge_accumulators(accumulators))
    assert found == sorted(item for bundle in bundles for item in bundle)


def test_a_result_is_merged_a_few_times() -> None:
    """The work grows as the number of results, not as its square."""
    copied = 0

    def merge(parts: Iterable[list[int]]) -> list[int]:
        nonlocal copied
        found = [item for part in parts for item in part]
        copied += len(found)
        return found

    tree = MergeTree(merge)
    accumulator = tree.create_accumulator()
    for item in range(4096):
        accumulator = tree.add_input(accumulator, [item])
    assert len(tree.extract_output(accumulator)) == 4096
    assert copied <= 4096 * 7
