"""What people call a training's quantities: the words of a column's name, and which words stand for what, the best first."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

VALIDATION = {
    "val",
    "valid",
    "validation",
    "validating",
    "test",
    "testing",
    "eval",
    "evaluation",
    "evaluating",
    "evaluate",
    "dev",
    "holdout",
    "heldout",
}
TRAINING = {"train", "training", "trn"}
HELD_OUT = VALIDATION - {"test", "testing"}  # a validation set goes before a test set, which should choose nothing
AROUND = {"epoch", "step", "avg", "average", "mean", "metrics", "metric", "log", "dataloader", "idx", "top", "set", "0", "1"}
AROUND_METRIC = AROUND | {
    "sparse",
    "categorical",
    "binary",
    "error",
    "err",
    "overall",
    "b",
    "m",
    "bbox",
    "segm",
    "coco",
    "macro",
    "score",
    "s",
}
AROUND_STEP = TRAINING | {"global", "trainer", "num", "number", "n", "batch", "batches", "optimizer"}
AROUND_SEEN = AROUND_STEP | {"seen", "consumed", "processed", "total", "n", "so", "far"}
NO_LR = {  # beside "lr": something made of it, or a setting of its schedule
    *("scale", "multiplier", "mult", "factor", "decay", "min", "max", "warmup", "ratio", "policy", "initial", "init", "final", "target"),
    *("loss", "acc", "accuracy", "schedule", "name", "momentum", "mom", "weight", "wd"),
}
AROUND_LR = TRAINING | {
    *("base", "trainer", "optimizer", "scheduler", "current", "epoch", "sgd", "nesterov", "adam", "adamw", "radam", "nadam", "rmsprop"),
    *("w", "lion", "pg", "group", "param", "params", "log", "x", "0", "1", "2", "3"),  # w: of AdamW
}
WORSE_WHEN_HIGHER = {"error", "err", "loss", "perplexity", "ppl", "rmse", "mse", "mae", "wer", "cer", "nll", "logloss"}
KINDS_OF_LOSS = {
    "mse",
    "mae",
    "rmse",
    "ce",
    "bce",
    "nll",
    "cross",
    "entropy",
    "xent",
    "kl",
    "huber",
    "smooth",
    "categorical",
    "sparse",
    "binary",
}
LOSSES = (
    "nll",
    "bce",
    "crossentropy",
    "xent",
    "logloss",
    "mlogloss",
    "multiclass",
    "deviance",
    "bpb",
    "bpc",
    "cost",
    "mse",
    "rmse",
    "mae",
    "msle",
    "rmsle",
    "mape",
    "error",
    "err",
    "ppl",
    "perplexity",
)
NO_LOSS = {  # beside "loss": something made of it, or about it
    *("scale", "scaler", "weight", "weights", "best", "min", "max", "lowest", "std", "var", "time", "improvement", "delta", "gap", "diff"),
    *("ratio", "patience", "count", "coef", "lambda", "smoothed", "ema", "grad", "norm", "spike", "change"),
}
PARTS = {  # of one loss that is a sum: detectors and segmenters log each by itself (YOLO, Detectron2, MMDetection, DETR)
    *("box", "cls", "dfl", "obj", "objectness", "giou", "seg", "mask", "pose", "kobj", "kpt", "rle", "angle", "sem", "rpn", "bbox", "reg"),
    *("centerness", "class", "classification", "regression", "localization", "loc", "conf", "classifier"),
}
PLURALS = {
    **{"losses": "loss", "accuracies": "accuracy", "accs": "acc", "lrs": "lr", "rates": "rate", "errors": "error", "vals": "val"},
    **{"perplexities": "perplexity", "mses": "mse", "maes": "mae"},
    **{"tot": "total", "vld": "val", "vali": "val", "learn": "train"},
}
GLUED = re.compile(
    r"(v|va|val|vali|vld|valid|validation|test|te|eval|dev|tr|trn|train|training)(loss|losses|acc|accuracy|nll|error|err|mse|mae|ppl)"
)
SHORT = {"v": "val", "va": "val", "vali": "val", "vld": "val", "te": "test", "tr": "train"}
ALONE = {"tr": "train", "te": "test", "cv": "val"}  # splits where they stand beside a loss or a metric alone: "tr_loss", "loss_cv"
FOREIGN = {  # without their accents
    **dict.fromkeys(("epoque", "epoca", "epoche"), "epoch"),
    **dict.fromkeys(("perte", "perdida", "perda", "perdita", "verlust"), "loss"),
    **dict.fromkeys(("exactitude", "exactitud", "acuracia", "accuratezza", "genauigkeit"), "accuracy"),
    **dict.fromkeys(("entrainement", "entrenamiento", "treino", "treinamento"), "train"),
    **dict.fromkeys(("validacion", "validacao", "validierung", "validazione"), "validation"),
}
MEANT = {"l1": "mae", "l2": "mse", "r2": "rsquared", "f1": "fscore"}  # a letter and a digit that are one word

REMEMBERED = 4096  # names of which it is remembered what they mean: a log repeats them in every line
TRANSLATED = {  # the longer ones first
    **{"訓練損失": "train loss", "驗證損失": "val loss", "検証損失": "val loss", "学習損失": "train loss", "損失": "loss"},
    **{"準確率": "accuracy", "學習率": "learning rate", "エポック": "epoch", "轮次": "epoch"},
    **{"训练损失": "train loss", "验证损失": "val loss", "测试损失": "test loss", "训练准确率": "train accuracy"},
    **{"验证准确率": "val accuracy", "测试准确率": "test accuracy", "学习率": "learning rate", "准确率": "accuracy", "损失": "loss"},
}


@dataclass(frozen=True)
class Called:
    """One way to call a quantity: a word of `one_of`, all of `beside`, and besides them only words of `around` (any but `never`: None)."""

    one_of: set[str]
    beside: set[str] = field(default_factory=set)
    around: set[str] | None = field(default_factory=set)
    never: set[str] = field(default_factory=set)

    def fits(self, column: str) -> bool:
        """Whether a column's name is of this kind."""
        has = set(words(column))
        known = self.one_of | self.beside | (self.around or set())
        return bool(has & self.one_of) and self.beside <= has and not has & self.never and (self.around is None or has <= known)


def _losses(split: set[str]) -> list[Called]:
    """A loss of one split: by that very word, of a kind that the name tells, then by what is measured."""
    plain, kind = AROUND | {"total", "overall", "sum"}, AROUND | KINDS_OF_LOSS
    return [Called(split, {"loss"}, AROUND), Called(split, {"loss"}, plain), Called(split, {"loss"}, kind)]


def _other_losses(split: set[str]) -> list[Called]:
    return [Called(split, {"cross", "entropy"}, kind := AROUND | {"categorical", "sparse", "binary", "multi", "s"})] + [
        Called(split, {name}, kind) for name in LOSSES
    ]


VALIDATION_LOSS = tuple(one for split in (HELD_OUT, VALIDATION) for one in _losses(split))
OTHER_SETS = (  # what stands beside val and loss is the name of a set
    Called(HELD_OUT, {"loss"}, None, TRAINING | NO_LOSS),
    Called(VALIDATION, {"loss"}, None, TRAINING | NO_LOSS),
    *(one for split in (HELD_OUT, VALIDATION) for one in _other_losses(split)),
)
TRAINING_LOSS = (
    *_losses(TRAINING)[:2],
    Called({"loss"}, set(), AROUND),
    Called({"loss"}, {"total"}, AROUND),
    *_losses(TRAINING)[2:],
    *_other_losses(TRAINING),
    Called({"loss"}, set(), AROUND | KINDS_OF_LOSS),
    *(Called({name}, set(), AROUND) for name in LOSSES),
)
OTHER_TRAINING = (  # a loss of some kind: of several it is asked which
    Called(TRAINING, {"loss"}, None, VALIDATION | NO_LOSS),
    Called({"loss"}, set(), None, VALIDATION | NO_LOSS),
)
AROUND_MAP = AROUND_METRIC | VALIDATION
OF_DETECTION = ({"map", "95"}, {"map"}, {"ap"}, {"map", "50"}, {"map", "5"})
METRIC = (
    *(Called(VALIDATION, {name}, AROUND_METRIC) for name in ("accuracy", "acc", "top", "metric")),
    Called({"accuracy", "acc", "metric"}, set(), AROUND_METRIC),
    Called(VALIDATION, {"error"}, AROUND_METRIC),
    Called(VALIDATION, {"err"}, AROUND_METRIC),
    *(Called({"map", "ap"} & names, names, AROUND_MAP | ({"50", "5"} if "95" in names else set())) for names in OF_DETECTION),
    Called(VALIDATION, {"prec", "1"}, AROUND_METRIC),
    *(
        Called(VALIDATION, {name}, AROUND_METRIC | {"1"})
        for name in ("fscore", "auc", "auroc", "dice", "miou", "iou", "bleu", "rsquared", "psnr", "score", "wer", "cer", "ndcg", "mrr")
    ),
    *(Called(VALIDATION, {name}, None, TRAINING | NO_LOSS) for name in ("accuracy", "acc")),
)
NAMES: Mapping[str, Sequence[Called]] = {
    "step": (
        Called({"iteration", "iterations", "iter", "iters", "it", "itr", "step", "steps", "updates", "update"}, set(), AROUND_STEP),
        Called({"epoch", "epochs", "ep", "round", "rounds"}, set(), AROUND_STEP),
        Called({"samples", "examples", "tokens", "images", "frames", "timesteps"}, set(), AROUND_SEEN),
        Called({"episode", "episodes", "generation", "generations"}, set(), AROUND_STEP),
    ),
    "lr": (
        Called({"lr", "learningrate"}, set(), AROUND_LR),
        Called({"learning"}, {"rate"}, AROUND_LR),
        Called(VALIDATION, {"lr"}, AROUND_LR),
        Called({"lr"}, set(), None, NO_LR),
        Called({"learning"}, {"rate"}, None, NO_LR),
    ),
    "val_loss": (*VALIDATION_LOSS, *OTHER_SETS),
    "train_loss": (*TRAINING_LOSS, *OTHER_TRAINING),
    "accuracy": METRIC,
    "momentum": (Called({"momentum", "mom"}, set(), AROUND_LR | {"lr"}),),
    "weight_decay": (Called({"wd", "weightdecay"}, set(), AROUND_LR), Called({"weight"}, {"decay"}, AROUND_LR)),
}


def words(name: str) -> list[str]:
    """The words of a column's name, in lower case and in the singular; words that are written as one are parted.

    >>> words("metrics/valLoss_top1")
    ['metrics', 'val', 'loss', 'top', '1']
    >>> words("val_losses"), words("vloss"), words("metrics/mAP50-95(B)")
    (['val', 'loss'], ['val', 'loss'], ['metrics', 'map', '50', '95', 'b'])
    """
    return list(_words(name))


@lru_cache(maxsize=REMEMBERED)
def _words(name: str) -> tuple[str, ...]:
    plain = in_english(name).replace("mAP", "map ").replace("mIoU", "miou ").replace("MultiClass", "multiclass")
    if not plain.isascii():
        plain = "".join(one for one in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(one))
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", plain)
    for spelled, meant in MEANT.items():
        apart = re.sub(rf"(?<![A-Za-z]){spelled}(?![A-Za-z0-9])", meant, apart, flags=re.IGNORECASE)
    found: list[str] = []
    for word in re.findall(r"[a-z]+|\d+", apart.lower()):
        glued = GLUED.fullmatch(word)
        word = FOREIGN.get(word, word)
        found += [SHORT.get(glued[1], glued[1]), PLURALS.get(glued[2], glued[2])] if glued else [PLURALS.get(word, word)]
    if len(found) == 2 and {"loss", "acc", "accuracy", "err", "error"}.intersection(found):
        found = [ALONE.get(word, word) for word in found]
    return tuple(found)


def in_english(text: str) -> str:
    """The text with quantities in Chinese in English.

    >>> in_english("验证损失: 0.5")
    'val loss: 0.5'
    """
    for chinese, english in TRANSLATED.items() if not text.isascii() else ():
        text = text.replace(chinese, english)
    return text


@lru_cache(maxsize=REMEMBERED)
def split_of(name: str) -> str:
    """ "val" or "train" where a name says which split it is of; else "".

    >>> split_of("eval/loss"), split_of("training"), split_of("loss")
    ('val', 'train', '')
    """
    has = set(words(name))
    return "val" if has & VALIDATION else "train" if has & TRAINING else ""


def is_called(column: str | None, name: str) -> bool:
    """Whether the user's `name` is this column's, by its words."""
    return column is not None and (column == name or words(column) == words(name) != [])


def is_worse_when_higher(name: str) -> bool:
    """The direction of a metric, by its name."""
    return bool(WORSE_WHEN_HIGHER.intersection(words(name)))


@lru_cache(maxsize=REMEMBERED)
def is_setting(name: str) -> bool:
    """Whether a column counts or sets something that holds for training and validation alike."""
    return any(one.fits(name) for quantity in ("step", "lr", "momentum", "weight_decay") for one in NAMES[quantity]) or bool(
        {"time", "eta", "timestamp", "memory", "seconds"}.intersection(words(name))
    )


MEASURED = {
    *("loss", "accuracy", "acc", "map", "entropy", "auc", "fscore", "iou", "miou", "dice", "bleu", "prec", "top", "ap", "wer", "cer"),
    *LOSSES,
}


@lru_cache(maxsize=REMEMBERED)
def measures(name: str) -> bool:
    """Whether a name speaks of a loss or a metric."""
    return bool(MEASURED.intersection(words(name)))
