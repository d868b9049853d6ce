"""A small BERT by a Trainer, with a padding collator: which text messages are spam? The numbered lines are hpcheck's."""

import argparse
import os
import random
import re
from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import hpcheck  # 1
from hpcheck.tasks.hf import Follow  # 2

EPOCHS, BATCH_SIZE, WORDS, LONGEST, PAD = 10, 32, 2000, 16, 0
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--weight-decay", type=float, default=0.01)
parser.add_argument("--seed", type=int, default=0)
given = parser.parse_args()
torch.manual_seed(hpcheck.seed(given.seed))  # 3


def messages():
    """Lists of words and labels, in random order."""
    path = Path(os.environ.get("HPCHECK_DATA", "data")) / "small" / "text" / "SMSSpamCollection"
    lines = [line.split("\t", 1) for line in path.read_text(encoding="utf-8").split("\n") if "\t" in line]
    found = [(re.findall(r"[a-z']+|\d|[^\sa-z\d]", text.lower())[:LONGEST], int(kind == "spam")) for kind, text in lines]
    random.Random(0).shuffle(found)
    return found


def numbered(examples, vocabulary):
    """Words as numbers: 0 is padding, 1 any word that is rare."""
    return [{"input_ids": [vocabulary.get(word, 1) for word in words] or [1], "label": label} for words, label in examples]


def collate(examples):
    """Pad to the longest message of the batch."""
    longest = max(len(example["input_ids"]) for example in examples)
    ids = torch.tensor([example["input_ids"] + [PAD] * (longest - len(example["input_ids"])) for example in examples])
    return {"input_ids": ids, "attention_mask": (ids != PAD).long(), "labels": torch.tensor([example["label"] for example in examples])}


def f1(found):
    """Of the messages that are spam."""
    said, true = found.predictions.argmax(1), found.label_ids
    return {"f1": 2 * float((said & true).sum()) / max(float(said.sum() + true.sum()), 1.0)}


everything = messages()
counts = {}
for words, _ in everything[:1600]:
    for word in words:
        counts[word] = counts.get(word, 0) + 1
common = sorted(counts, key=lambda word: (-counts[word], word))[: WORDS - 2]
vocabulary = {word: number + 2 for number, word in enumerate(common)}
train, val = numbered(everything[:1600], vocabulary), numbered(everything[1600:2600], vocabulary)
config = BertConfig(
    vocab_size=WORDS, hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48, max_position_embeddings=LONGEST
)
trainer = Trainer(
    BertForSequenceClassification(config),
    TrainingArguments(
        output_dir="out",
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=hpcheck.total_batch_size(BATCH_SIZE),  # 4
        per_device_eval_batch_size=200,
        learning_rate=given.lr,
        weight_decay=given.weight_decay,
        lr_scheduler_type="linear",  # up over three tenths of the training, then down to 0: a 1cycle
        warmup_steps=int(0.3 * EPOCHS * len(train) / BATCH_SIZE),
        seed=hpcheck.seed(given.seed),  # 5
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    ),
    train_dataset=train,
    eval_dataset=val,
    data_collator=collate,
    compute_metrics=f1,
    callbacks=[Follow(lambda: trainer.evaluate(), metric="f1", val_examples=len(val))],  # 6
)
trainer.train()
found = trainer.evaluate()
print(f"validation loss {found['eval_loss']:.5f}, f1 {found['eval_f1']:.5f}")
