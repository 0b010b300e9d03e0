"""Graphs of preferences."""

from __future__ import annotations

from collections.abc import Iterable


def circles(edges: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Return the largest sets of two or more names that all lead to each other; none for an order.

    `edges` are (from, to). Names within a set, and the sets, are in ascending order.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = list(edges)
    names = sorted({name for pair in pairs for name in pair})
    if len(names) < 2:
        return ()
    place = {name: position for position, name in enumerate(names)}
    rows, columns = zip(*((place[one], place[other]) for one, other in pairs), strict=True)
    links = coo_array(([True] * len(pairs), (rows, columns)), shape=(len(names), len(names)))
    count, labels = connected_components(links, directed=True, connection="strong")
    sets: list[list[str]] = [[] for _ in range(count)]
    for name, label in zip(names, labels, strict=True):
        sets[label].append(name)
    return tuple(sorted(tuple(members) for members in sets if len(members) > 1))
