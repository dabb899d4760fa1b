"""
Digits: a code of two numbers
=============================

The rows of digits in the plane, by PCA and by a contractive autoencoder, and what comes back
from codes of eight numbers. No label is used; colours are the digits.
"""

import argparse

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split

from skc2c import C2CAutoencoder


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="autoencoder.png")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()

    X, y = load_digits(return_X_y=True)
    X_train, X_test, _, y_test = train_test_split(X, y, stratify=y, random_state=0)
    epochs = 2 if options.fast else "auto"

    def models(width):
        network = C2CAutoencoder(width, penalty="jacobian", max_iter=epochs, random_state=0)
        return {"PCA": PCA(width), "contractive autoencoder": network}

    figure = plt.figure(figsize=(8, 6.4), layout="constrained")
    plane, images = figure.subfigures(2, 1, height_ratios=(2, 1.4))
    for axes, (name, model) in zip(plane.subplots(1, 2), models(2).items(), strict=True):
        code = model.fit(X_train).transform(X_test)
        axes.scatter(*code.T, c=y_test, cmap="tab10", s=9)
        axes.set(title=name, xticks=[], yticks=[])

    rows = {"held-out rows": X_test[:10]}
    for name, model in models(8).items():
        back = model.fit(X_train).inverse_transform(model.transform(X_test))
        print(f"{name}: mean squared error {mean_squared_error(X_test, back):.2f}")
        rows[name] = back[:10]
    for line, (name, row) in zip(images.subplots(3, 10), rows.items(), strict=True):
        line[0].set_ylabel(name.split()[0], rotation=0, ha="right", va="center")
        for axes, image in zip(line, row, strict=True):
            axes.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
            axes.set(xticks=[], yticks=[])
    plt.savefig(options.output, dpi=130)


if __name__ == "__main__":
    main()
