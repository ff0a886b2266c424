"""What the scripts share: the official modules in the folder that the first
argument names, and the settings that the second, a JSON file, holds."""
import functools
import json
import struct
import sys

import numpy
import torch

sys.path.insert(0, sys.argv[1])
import vision_transformer  # noqa: E402

with open(sys.argv[2]) as f:
    settings = json.load(f)


def floats(path, *shape):
    return torch.from_numpy(numpy.fromfile(path, dtype="<f4").reshape(shape).copy())


def backbone():
    """The backbone of the settings and its features' width."""
    s = settings
    if s["arch"].startswith("vit"):
        net = vision_transformer.VisionTransformer(
            img_size=[s["image_size"]], patch_size=s["patch_size"], embed_dim=s["dim"], depth=s["depth"], num_heads=s["heads"],
            mlp_ratio=4, qkv_bias=True, norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-6))
        return net, net.embed_dim
    import torchvision

    net = torchvision.models.__dict__[s["arch"]]()
    width = net.fc.weight.shape[1]
    return net, width


def read_safetensors(path):
    """A state dict, by the file format's description."""
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        data = f.read()
    types = {"F32": numpy.float32, "I64": numpy.int64}
    return {
        name: torch.from_numpy(numpy.frombuffer(data[slice(*t["data_offsets"])], types[t["dtype"]]).reshape(t["shape"]).copy())
        for name, t in header.items() if name != "__metadata__"
    }
