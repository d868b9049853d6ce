"""A recommendation and edited copies of it."""

import copy

BASE = {
    "settings": {
        "total_batch_size": 64,
        "learning_rate": {"policy": "1cycle", "max": 0.4, "min": 0.04, "final": 4e-5, "cycle_epochs": 22.5, "epochs": 25.0},
        "momentum": {"max": 0.95, "min": 0.85},
        "weight_decay": 0.001,
    },
    "evidence": {
        "total_batch_size": {"value": 64, "status": "tied", "interval": [22.6, 90.5], "tied": [32.0, 64.0]},
        "learning_rate": {"value": 0.4, "status": "tied", "interval": [0.2, 0.57], "tied": [0.2, 0.4]},
        "momentum": {"value": {"max": 0.95, "min": 0.85}, "status": "chosen", "interval": [0.93, 0.96]},
        "momentum_shape": {"value": "falling", "status": "chosen", "interval": [1.0, 1.5]},
        "weight_decay": {"value": 0.001, "status": "chosen", "interval": [0.00056, 0.0018]},
    },
    "provenance": {"hpcheck": "0.1.0", "config": "c0", "data": "d0", "seed": 0, "environment": {"torch": "2.10.0", "device": "cpu"}},
}


def rerun(setting, value, **evidence):
    """The base recommendation with another reading of one setting."""
    content = copy.deepcopy(BASE)
    settings = content["settings"]
    if isinstance(settings[setting], dict):
        settings[setting]["max"] = value
        settings[setting]["min"] = settings[setting]["min"] if setting == "momentum" else value / 10
    else:
        settings[setting] = value
    told = {"max": value, "min": 0.85} if setting == "momentum" else value
    content["evidence"][setting] = {"value": told, "status": "chosen", **evidence}
    return content


def edited(setting, value):
    """The base recommendation with a setting changed by hand, its evidence as it was."""
    content = rerun(setting, value)
    content["evidence"] = copy.deepcopy(BASE["evidence"])
    return content
