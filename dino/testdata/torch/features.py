"""Loads each file strictly into the official model and writes its features.

features.py DINO SETTINGS IMAGES SIZE OUTPUT FILE..."""
import sys

import torch
from common import backbone, floats, read_safetensors

images, size, output, files = sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6:]
x = floats(images, -1, 3, size, size)
with open(output, "wb") as out:
    for path in files:
        net, _ = backbone()
        net.head = net.fc = torch.nn.Identity()
        state = read_safetensors(path) if path.endswith(".safetensors") else torch.load(path, map_location="cpu", weights_only=True)
        net.load_state_dict(state, strict=True)
        net.eval()
        with torch.no_grad():
            out.write(net(x).numpy().astype("<f4").tobytes())
