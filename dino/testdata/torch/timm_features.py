"""Writes the features that timm computes with an exported folder.

timm_features.py DINO SETTINGS TIMM FOLDER IMAGES OUTPUT"""
import json
import os
import sys

import torch
from common import floats, read_safetensors

timm, folder, images, output = sys.argv[3:]
sys.path.insert(0, timm)
from timm import create_model  # noqa: E402

with open(os.path.join(folder, "config.json")) as f:
    config = json.load(f)
net = create_model(config["architecture"], num_classes=config["num_classes"], **config["model_args"])
net.load_state_dict(read_safetensors(os.path.join(folder, "model.safetensors")), strict=True)
net.eval()
with torch.no_grad():
    features = net(floats(images, -1, *config["pretrained_cfg"]["input_size"]))
assert features.shape[1] == config["num_features"]
features.numpy().astype("<f4").tofile(output)
