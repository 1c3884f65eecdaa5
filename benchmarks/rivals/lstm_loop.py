"""A bidirectional LSTM on reviews as the tutorials write it: words, every text padded to max_length, a bare loop."""

import argparse
import csv
import json
import re
import time
from collections import Counter

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 128, padding_idx=0)
        self.lstm = nn.LSTM(128, 128, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(256, 2)

    def forward(self, ids):
        _, (hidden, _) = self.lstm(self.dropout(self.embedding(ids)))
        return self.head(self.dropout(torch.cat([hidden[-2], hidden[-1]], dim=1)))


def read(path):
    with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123
        rows = list(csv.DictReader(file))
    return [re.findall(r"\w+|[^\w\s]", row["text"].lower()) for row in rows], [row["label"] for row in rows]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--max_length", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    texts, labels = read(f"{options.data}/train.csv")
    known = Counter(word for words in texts for word in words).most_common(19_998)
    ids = {word: number for number, (word, _) in enumerate(known, start=2)}
    names = sorted(set(labels))

    def tensors(texts, labels):
        rows = torch.zeros(len(texts), options.max_length, dtype=torch.long)
        for row, words in enumerate(texts):
            kept = [ids.get(word, 1) for word in words[: options.max_length]]
            rows[row, : len(kept)] = torch.tensor(kept)
        return TensorDataset(rows, torch.tensor([names.index(label) for label in labels]))

    train = DataLoader(tensors(texts, labels), batch_size=32, shuffle=True)
    test = DataLoader(tensors(*read(f"{options.data}/test.csv")), batch_size=32)
    model = Classifier(len(ids) + 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()
    updates = 0
    began = time.perf_counter()
    for _ in range(options.epochs):
        for batch, wanted in train:
            loss = criterion(model(batch), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            updates += 1
    seconds = time.perf_counter() - began
    model.eval()
    with torch.no_grad():
        right = sum(int((model(batch).argmax(1) == wanted).sum()) for batch, wanted in test)
    found = {
        "seconds": seconds,
        "rows": len(texts) * options.epochs,
        "updates": updates,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "test_rows": len(test.dataset),
        "accuracy": right / len(test.dataset),
        "loss": float(loss),
    }
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
