"""Fine-tuning with a Trainer, as people write it: a tokenizer's padding collator, a metric, warm-up. Five lines are hpcheck's."""

import argparse
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import hpcheck  # 1
from hpcheck.tasks.hf import Follow  # 2

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=float, default=6)
parser.add_argument("--folder", type=Path, default=Path("out"))
arguments = parser.parse_args()
torch.manual_seed(hpcheck.seed(0))  # 3

# Sentences of a small made-up language: a word of praise or of blame stands somewhere among 20 others. No download.
WORDS, PAD = 50, 0
random = np.random.default_rng(0)


def sentence(label):
    """Word numbers; 1 to 5 praise, 6 to 10 blame."""
    words = random.integers(11, WORDS, random.integers(4, 20))
    words[random.integers(len(words))] = random.integers(1, 6) + 5 * label
    return {"input_ids": words.tolist(), "label": int(label)}


def collate(examples):
    """Pad to the longest sentence of the batch."""
    longest = max(len(example["input_ids"]) for example in examples)
    rows = [example["input_ids"] + [PAD] * (longest - len(example["input_ids"])) for example in examples]
    ids = torch.tensor(rows)
    return {"input_ids": ids, "attention_mask": (ids != PAD).long(), "labels": torch.tensor([example["label"] for example in examples])}


train, val = ([sentence(label) for label in random.integers(0, 2, count)] for count in (600, 200))
config = BertConfig(
    vocab_size=WORDS, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=32
)
model = BertForSequenceClassification(config)  # a small one that begins at random; yours comes from from_pretrained
trainer = Trainer(
    model,
    TrainingArguments(
        output_dir=str(arguments.folder),
        num_train_epochs=arguments.epochs,
        per_device_train_batch_size=hpcheck.total_batch_size(32),  # 4
        per_device_eval_batch_size=100,
        learning_rate=1e-3,
        weight_decay=0.01,
        warmup_steps=10,
        seed=hpcheck.seed(0),
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    ),
    train_dataset=train,
    eval_dataset=val,
    data_collator=collate,
    compute_metrics=lambda found: {"accuracy": float((found.predictions.argmax(1) == found.label_ids).mean())},
    callbacks=[Follow(lambda: trainer.evaluate(), metric="accuracy", val_examples=len(val))],  # 5
)
trainer.train()
print(trainer.evaluate()["eval_accuracy"])
trainer.save_model(str(arguments.folder))
