"""Nothing asks the network."""

import socket
from typing import NoReturn

import pytest

import huiyi
from huiyi.perceive.encoders import ENCODERS, UniversalSentenceEncoder


def test_train_and_decide_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo", "socketpair"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setitem(ENCODERS, UniversalSentenceEncoder.name, UniversalSentenceEncoder)  # read the weights anew
    model = huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")])
    assert model.decide("卡被偷了").label == "theft"
    evaluation = huiyi.evaluate(model, [("has my card arrived?", "arrival")])
    assert evaluation.figures["n"] == 1
