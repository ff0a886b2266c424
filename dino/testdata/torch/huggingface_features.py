"""Writes the features that transformers' ViTModel computes with an exported
folder: the library's own where it is installed, else by its formulas.

huggingface_features.py DINO SETTINGS FOLDER IMAGES OUTPUT"""
import json
import os
import sys

import torch
from common import floats, read_safetensors
from torch.nn import functional as F

folder, images, output = sys.argv[3:]
with open(os.path.join(folder, "config.json")) as f:
    config = json.load(f)
x = floats(images, -1, config["num_channels"], config["image_size"], config["image_size"])


def formulas():
    w = read_safetensors(os.path.join(folder, "model.safetensors"))
    used = set()

    def get(name):
        used.add(name)
        return w[name]

    def linear(name, x):
        return F.linear(x, get(name + ".weight"), get(name + ".bias"))

    def norm(name, x):
        return F.layer_norm(x, x.shape[-1:], get(name + ".weight"), get(name + ".bias"), config["layer_norm_eps"])

    def heads(x):
        return x.view(*x.shape[:2], config["num_attention_heads"], -1).transpose(1, 2)

    patches = "embeddings.patch_embeddings.projection"
    h = F.conv2d(x, get(patches + ".weight"), get(patches + ".bias"), stride=config["patch_size"]).flatten(2).transpose(1, 2)
    h = torch.cat((get("embeddings.cls_token").expand(len(x), -1, -1), h), dim=1) + get("embeddings.position_embeddings")
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}."
        y = norm(layer + "layernorm_before", h)
        q, k, v = (heads(linear(layer + "attention.attention." + name, y)) for name in ("query", "key", "value"))
        y = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1) @ v
        h = h + linear(layer + "attention.output.dense", y.transpose(1, 2).flatten(2))
        y = F.gelu(linear(layer + "intermediate.dense", norm(layer + "layernorm_after", h)))
        h = h + linear(layer + "output.dense", y)
    h = norm("layernorm", h)
    assert used == set(w), used ^ set(w)
    return h[:, 0]


with torch.no_grad():
    try:
        from transformers import ViTModel
    except ImportError:
        features = formulas()
    else:
        net = ViTModel.from_pretrained(folder, add_pooling_layer=False)
        features = net.eval()(x).last_hidden_state[:, 0]
features.numpy().astype("<f4").tofile(output)
