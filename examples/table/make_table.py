"""Write the example's data: scikit-learn's diabetes table as diabetes.csv, in the units that it was measured in."""

import csv
from pathlib import Path

from sklearn.datasets import load_diabetes


def main(path: Path = Path("diabetes.csv")) -> None:
    table = load_diabetes(scaled=False)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*table.feature_names, "progression"])
        writer.writerows([*map(float, row), float(target)] for row, target in zip(table.data, table.target, strict=True))


if __name__ == "__main__":
    main()
