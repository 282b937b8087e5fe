"""Sequences as arrays: what stands beside them, systems of them, and where they are cut."""

from itertools import groupby, product
from math import inf, log

import numpy as np
import pytest

import lossctl
from lossctl.cli.app import run
from lossctl.errors import DataError
from lossctl.files import sequences
from lossctl.rows import by_list, by_row

GENERATOR = np.random.default_rng(7)
FRAMES = GENERATOR.normal(size=(4, 6, 3))  # (steps, sequences, symbols)
OTHER = GENERATOR.normal(size=(4, 6, 3))
TEXTS = [[1, 2], [2], [], [1, 1], [], [2, 1, 2, 1, 2]]
LENGTHS = [4, 3, 2, 2, 0, 4]
WEIGHTS = [1.0, 2.0, 0.5, 0.0, 3.0, 0.0]
GROUPS = np.array(["x", "x", "y", "y", "y", "x"])


def by_all_paths(frames, text, blank):
    """-log of the chance of a text, over every way to write a symbol at each frame."""
    chances = np.exp(frames) / np.exp(frames).sum(axis=1, keepdims=True)
    total = 0.0
    for path in product(range(frames.shape[1]), repeat=len(frames)):
        if [symbol for symbol, _ in groupby(path) if symbol != blank] == text:
            total += float(np.prod([chances[step, symbol] for step, symbol in enumerate(path)]))
    return -log(total) if total else inf


def truth(frames=FRAMES):
    return np.array([by_all_paths(frames[:size, at], TEXTS[at], 0) for at, size in enumerate(LENGTHS)])


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    padded = np.full((6, 5), -1)
    for row, text in zip(padded, TEXTS, strict=True):
        row[: len(text)] = text
    arrays = {"x": FRAMES, "z": OTHER, "y": padded, "t": LENGTHS, "w": WEIGHTS, "g": GROUPS}
    for name, values in arrays.items():
        np.save(f"{name}.npy", values)
    np.save("ids.npy", np.array([f"u{at}" for at in range(6)]))
    return tmp_path


def test_every_way_to_write_a_sequence_is_counted():
    """Sequences without frames or symbols, symbols as lists, the blank first or last, one sequence alone."""
    assert list(np.isinf(truth())) == [False, False, False, True, False, True]
    np.testing.assert_allclose(
        lossctl.row_losses("ctc", FRAMES, TEXTS, frame_lengths=LENGTHS), truth(), rtol=1e-12, atol=1e-15
    )
    shifted = [[symbol - 1 for symbol in text] for text in TEXTS]
    last = lossctl.row_losses("ctc", np.roll(FRAMES, -1, axis=2), shifted, frame_lengths=LENGTHS, blank=-1)
    np.testing.assert_allclose(last, truth(), rtol=1e-12, atol=1e-15)
    frames = FRAMES[:, 0]
    silent = np.log(np.exp(frames).sum(axis=1)) - frames[:, 0]
    assert lossctl.compute("ctc", frames, np.zeros(0)).value == pytest.approx(silent.sum(), rel=1e-12)
    for at, text in ((0, TEXTS[0]), (1, TEXTS[1])):
        alone = lossctl.compute("ctc", FRAMES[: LENGTHS[at], at], text)
        assert alone.value == pytest.approx(truth()[at], rel=1e-12)


def test_lengths_beside_the_frames_are_read_by_name(folder):
    """Files saved by the names of torch's arguments: all frames of padded sequences gave another number in silence."""
    padded, counts = np.load("y.npy"), np.array([len(text) for text in TEXTS])
    beside = {"log_probs": FRAMES, "targets": padded, "input_lengths": LENGTHS, "target_lengths": counts}
    np.savez("all.npz", **beside)
    np.testing.assert_allclose(lossctl.row_losses("ctc", "all.npz"), truth(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(lossctl.row_losses("ctc", beside), truth(), rtol=1e-12, atol=1e-15)
    longer = np.full(6, len(FRAMES))
    own = lossctl.row_losses("ctc", FRAMES, TEXTS, frame_lengths=longer)
    assert lossctl.row_losses("ctc", "all.npz", frame_lengths=longer).tolist() == own.tolist()


def test_no_cut_of_sequences_changes_a_digit(folder, monkeypatch):
    """Of files and arrays, either order of axes: the same bytes wherever blocks and strips end."""
    np.save("n.npy", np.moveaxis(FRAMES, 1, 0))
    np.savez("x.npz", x=FRAMES.astype("f4"), y=np.load("y.npy"))
    sources = {"x.npy": "y.npy", "n.npy": "y.npy", "x.npz::x": "x.npz::y"}
    asked = {"frame_lengths": "t.npy"}
    whole = {source: lossctl.row_losses("ctc", source, text, **asked) for source, text in sources.items()}
    assert whole["x.npy"].tolist() == whole["n.npy"].tolist()
    for values in (1, 5, 40):
        monkeypatch.setattr(by_row, "BLOCK_VALUES", values)
        monkeypatch.setattr(by_list, "BLOCK_VALUES", values)
        monkeypatch.setattr(sequences, "STRIP_VALUES", values)
        for source, text in sources.items():
            again = lossctl.row_losses("ctc", source, text, **asked)
            assert again.tolist() == whole[source].tolist(), (values, source)


def test_what_stands_beside_a_sequence_has_a_value_for_each(folder, capsys):
    """Weights, groups, ids, the hardest; in a suite as in Python; lists of documents as matrices too."""
    beside = ["--frame-lengths", "t.npy", "--zero-infinity"]
    losses = np.where(np.isinf(truth()), 0.0, truth())

    def printed(*words):
        assert run(list(words)) == 0
        return capsys.readouterr().out

    result = printed("compute", "ctc", "x.npy", "y.npy", *beside, "-w", "w.npy")
    assert float(result) == pytest.approx(np.average(losses, weights=WEIGHTS), rel=1e-12)
    (folder / "s.yaml").write_text(
        "losses:\n- {loss: 'ctc:zero-infinity=true', inputs: [x.npy, y.npy], frame-lengths: t.npy, group: g.npy}\n"
    )
    grouped = lossctl.compute("ctc", FRAMES, TEXTS, frame_lengths=LENGTHS, zero_infinity=True, group=GROUPS)
    for groups in (grouped.groups.values(), lossctl.run("s.yaml").outcomes[0].results):
        values = {item.group: item.value for item in groups if item.group}
        assert values == pytest.approx({name: losses[name == GROUPS].mean() for name in "xy"}, rel=1e-12)
    rows = printed("compute", "ctc", "x.npy", "y.npy", *beside, "--top", "2", "--id", "ids.npy").split("\n")
    hardest = np.argsort(-losses)[:2]
    assert [row.split("\t")[1:3] for row in rows[1:3]] == [[str(at), f"u{at}"] for at in hardest]
    infinite = lossctl.compute("ctc", FRAMES, TEXTS, frame_lengths=LENGTHS)
    assert any("not finite in 2 lists: 3, 5" in warning for warning in infinite.warnings)
    with pytest.raises(DataError, match="2 values beside 6 sequences"):
        lossctl.compute("ctc", FRAMES, TEXTS, frame_lengths=LENGTHS, weight=[1.0, 2.0])
    assert run(["compute", "ctc", "x.npy", "y.npy", *beside, "--also", "ctc:blank=2"]) == 2
    assert "whose blank is 0" in capsys.readouterr().err
    scores, relevance = FRAMES[0], np.tile([2, 1, 0], (6, 1))
    of_rows = lossctl.row_losses("ndcg", scores, relevance)
    weighted = lossctl.compute("ndcg", scores, relevance, weight=WEIGHTS).value
    assert weighted == pytest.approx(np.average(of_rows, weights=WEIGHTS), rel=1e-12)


def test_systems_of_sequences_are_compared_sequence_by_sequence(folder):
    """Rows (groups too) have the differences of the brute force; lengths are those of all systems."""
    losses, others = (np.where(np.isinf(truth(x)), 0.0, truth(x)) for x in (FRAMES, OTHER))
    asked = {"target": "y.npy", "loss": "ctc:zero_infinity=true", "frame_lengths": "t.npy"}
    (comparison,) = lossctl.compare("x.npy", "z.npy", **asked)
    assert comparison.n == 6
    assert comparison.difference == pytest.approx(float((others - losses).mean()), rel=1e-12)
    of_groups = {item.group: item.difference for item in lossctl.compare("x.npy", "z.npy", **asked, group="g.npy")}
    for name in "xy":
        assert of_groups[name] == pytest.approx(float((others - losses)[name == GROUPS].mean()), rel=1e-12)
    np.save("s.npy", FRAMES[0]), np.save("r.npy", np.tile([2, 1, 0], (6, 1)))  # fmt: skip
    (ranked,) = lossctl.compare("s.npy", OTHER[0], target="r.npy", loss="ndcg")
    assert ranked.base_value == lossctl.compute("ndcg", "s.npy", "r.npy").value
