"""The study's tables in Markdown: `python benchmarks/study/tables.py FOLDER ... > tables.md`."""

from __future__ import annotations

import sys

import pandas as pd

from skactive.experiments import Results


def overview(results: Results) -> pd.DataFrame:
    """Return a row a strategy, by mean rank: areas on each data set, and how it compares."""
    areas = results.aubc()
    mean, sd = (
        areas.pivot_table(index="strategy", columns="dataset", values="aubc", aggfunc=function)
        for function in ("mean", "std")
    )
    table = mean.join(sd.add_suffix(", sd"))
    critical = results.critical_differences(over="seed")
    table.insert(0, "mean rank", critical.ranks)
    table["ahead of Random"] = [
        f"{_wins(areas, name)} of {critical.n_blocks}" if name != "Random" else ""
        for name in table.index
    ]
    against = results.wilcoxon(over="seed")
    against = against[(against[["a", "b"]] == "Random").any(axis=1)]
    against.index = against["a"].where(against["a"] != "Random", against["b"])
    table["p, alone"], table["p, Holm"] = against["p"], against["p_holm"]
    return table.sort_values("mean rank").reset_index()


def _wins(areas: pd.DataFrame, name: str) -> int:
    curves = areas.pivot_table(index=["dataset", "seed"], columns="strategy", values="aubc")
    return int((curves[name] > curves["Random"]).sum())


def main() -> None:
    results = Results.load(sys.argv[1:])
    critical = results.critical_differences(over="seed")
    print("# Areas under the budget curves\n")
    print(
        f"Mean accuracy over the budgets, five seeds a data set. Ranks are over {critical.n_blocks}"
        f" runs of {len(critical.ranks)} strategies; by Nemenyi's test at {critical.alpha:g} two "
        f"differ if their ranks are {critical.critical_difference:.1f} apart (Friedman's p = "
        f"{critical.friedman_p:.0e}). p is Wilcoxon's, against Random: alone, and with Holm's "
        "correction over all pairs of strategies.\n"
    )
    print(results.to_markdown(overview(results)))
    for dataset in dict.fromkeys(results.frame["dataset"]):
        on = results.on(dataset)
        print(f"\n# {dataset}: accuracy by labels\n")
        accuracy = on.comparable().frame.pivot_table(
            index="strategy", columns="n_labelled", values="accuracy"
        )
        accuracy.columns = [f"{n} labels" for n in accuracy.columns]
        print(results.to_markdown(accuracy.reset_index()))
        print(f"\n# {dataset}: BADGE's pairwise penalties\n")
        penalties = on.penalty_matrix().mean().rename("mean penalty").sort_values()
        print(results.to_markdown(penalties.rename_axis("strategy").reset_index()))


if __name__ == "__main__":
    main()
