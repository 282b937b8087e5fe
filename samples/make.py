"""Write the sample files: predictions of small models on data sets that scikit-learn ships.

    python samples/make.py

Needs numpy and scikit-learn, takes a few seconds, uses no network. Every seed is fixed: a second run writes
the same bytes. On another processor, BLAS or scikit-learn the values move a little (1e-7 was seen).
"""

import csv
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits

HERE = Path(__file__).parent


def write_npy(name, array):
    np.save(HERE / f"{name}.npy", np.ascontiguousarray(array))


def write_npz(name, **arrays):
    np.savez(HERE / f"{name}.npz", **{key: np.ascontiguousarray(array) for key, array in arrays.items()})


def write_csv(name, header, *columns):
    """Floats are written by repr, so the file reads back to the same bits."""
    with open(HERE / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(zip(*(column.tolist() for column in columns), strict=True))


def binary():
    """Breast cancer: class 1 is malignant (scikit-learn has it as 0), the rarer one."""
    x, y = load_breast_cancer(return_X_y=True)
    x, y = x[:, :10], 1 - y  # only the ten mean measurements: with all thirty there are hardly any mistakes
    x, x_test, y, label = train_test_split(x, y, test_size=0.5, stratify=y, random_state=0)

    logistic = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    prob = logistic.predict_proba(x_test)[:, 1]
    write_npy("preds", np.column_stack([prob, label]))
    write_csv("preds", "prob,label", prob, label)
    write_npz("preds", prob=prob, label=label)
    write_npz("binary_logits", logit=logistic.decision_function(x_test), label=label)
    radius = x_test[:, 0]  # the larger the tumour, the more its row counts; 1 on average
    write_npy("weights", radius / radius.mean())

    svm = make_pipeline(StandardScaler(), SVC(kernel="linear")).fit(x, y)
    write_npz("scores", score=svm.decision_function(x_test), label=label)


def digits():
    """Handwritten digits: every file below has the same 300 test images, in the same order."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, label = train_test_split(x / 16, y, test_size=300, stratify=y, random_state=0)

    logistic = LogisticRegression(max_iter=1000).fit(x, y)
    prob = logistic.predict_proba(x_test)
    write_npy("digits_probs", prob)
    write_npy("digits_logits", logistic.decision_function(x_test))
    write_npy("digits_labels", label.astype(np.int64))
    write_csv("digits", ",".join(f"p{k}" for k in range(10)) + ",label", *prob.T, label)

    svm = LinearSVC(multi_class="crammer_singer", C=0.1, random_state=0).fit(x, y)
    write_npz("multiclass_scores", scores=svm.decision_function(x_test), label=label)

    attributes = OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(x, digit_attributes(y))
    write_npz("multilabel", prob=attributes.predict_proba(x_test), label=digit_attributes(label))

    mlp = MLPClassifier((16,), activation="tanh", alpha=0.1, max_iter=1000, random_state=0).fit(x, y)
    write_npz("distributions", p=prob, q=mlp.predict_proba(x_test))
    hidden = np.tanh(x_test @ mlp.coefs_[0] + mlp.intercepts_[0]).astype(np.float32)
    write_npy("embeddings", hidden)
    write_npy("embedding_labels", label.astype(np.int64))
    write_npz("embeddings", emb=hidden, label=label)

    lda = LinearDiscriminantAnalysis(n_components=8).fit(x, y)
    pairs_and_triplets(normalize(lda.transform(x_test)), label)


def digit_attributes(label):
    """Columns: even, prime, drawn with a loop, greater than four."""
    sets = [[0, 2, 4, 6, 8], [2, 3, 5, 7], [0, 6, 8, 9], [5, 6, 7, 8, 9]]
    return np.column_stack([np.isin(label, members) for members in sets]).astype(np.int64)


def pairs_and_triplets(emb, label):
    """Every row is the anchor of one triplet, with its partners drawn at random, and the left side of one pair."""
    rng = np.random.default_rng(0)
    anchor = np.arange(len(label))
    positive = np.array([rng.choice(np.flatnonzero((label == label[a]) & (anchor != a))) for a in anchor])
    negative = np.array([rng.choice(np.flatnonzero(label != label[a])) for a in anchor])
    write_npy("triplets_index", np.column_stack([anchor, positive, negative]).astype(np.int64))
    write_npz("triplets", anchor=emb[anchor], positive=emb[positive], negative=emb[negative])

    same = rng.permutation(anchor % 2)
    right = np.where(same == 1, positive, negative)
    write_npz("pairs", left=emb, right=emb[right], same=same)
    write_csv("pairs", "distance,same", np.linalg.norm(emb - emb[right], axis=1), same)


def ranking(emb, label):
    """40 images search the others: scored by cosine, relevant 2 for the same digit, 1 for a neighbouring one."""
    rng = np.random.default_rng(1)
    unit = emb / np.linalg.norm(emb, axis=1, keepdims=True)
    qid, score, relevance = [], [], []
    for query in range(40):
        found = rng.choice(np.setdiff1d(np.arange(len(label)), [query]), size=rng.integers(1, 16), replace=False)
        distance = np.abs(label[found] - label[query])
        qid += [query] * len(found)
        score += (unit[found] @ unit[query]).tolist()
        relevance += np.where(distance == 0, 2, np.where(distance == 1, 1, 0)).tolist()
    write_csv("ranking", "qid,score,relevance", np.array(qid), np.array(score), np.array(relevance))


def regression():
    """Diabetes: how far the disease has progressed after a year (25 to 346), by ridge regression."""
    x, y = load_diabetes(return_X_y=True)
    x, x_test, y, target = train_test_split(x, y, test_size=0.5, random_state=0)
    pred = Ridge(alpha=0.1).fit(x, y).predict(x_test)
    write_csv("regression", "pred,target", pred, target)
    write_npy("regression_pred", pred)
    write_npy("regression_target", target)


def splits():
    """Iris: how much does splitting at the median petal length tell about the species and the petal width?"""
    iris = load_iris()
    length, width = iris.data[:, 2], iris.data[:, 3]
    bucket = np.where(length < np.median(length), "short", "long")
    write_csv("splits", "label,split,target", iris.target_names[iris.target], bucket, width)


if __name__ == "__main__":
    with threadpool_limits(1):  # the order of additions, and so the last digit, must not depend on the threads
        binary()
        digits()
        regression()
        splits()
        ranking(np.load(HERE / "embeddings.npy").astype(float), np.load(HERE / "embedding_labels.npy"))
