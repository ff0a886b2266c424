# Writes the files that pth's tests read, with the PyTorch at hand.
import argparse, collections, pathlib
import numpy, torch

x = torch.arange(6.0).reshape(2, 3)
state = collections.OrderedDict(
    x=x,
    transposed=x.t(),                      # shares the storage of x
    column=x[:, 1:2],
    last=x[1],
    parameter=torch.nn.Parameter(torch.tensor([0.5, -1.5])),
    half=torch.tensor([1.0, -0.25, 65504.0, 6e-8], dtype=torch.float16),
    bfloat=torch.tensor([1.0, -2.5, 3e38], dtype=torch.bfloat16),
    double=torch.tensor([1 / 3], dtype=torch.float64),
    long=torch.tensor([-1, 1 << 40]),
    flag=torch.tensor([True, False]),
    scalar=torch.tensor(7.0),
    empty=torch.zeros(0, 3),
)
state._metadata = {"": {"version": 1}}
content = {
    "state": state,
    "lr": numpy.float64(0.0008362196501476349),
    "step": numpy.int64(-5),
    "betas": (0.9, 0.999),
    "large": 1 << 40,
    "args": argparse.Namespace(arch="vit_small", output_dir=pathlib.PosixPath("/data/run"), none=None, sizes=[1, 300, 70000]),
}
torch.save(content, "zip.pth")
torch.save(content, "legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"model": x}, "protocol4.pth", pickle_protocol=4)


class Evil:
    def __reduce__(self):
        import os
        return os.system, ("touch /tmp/dino-vk-was-here",)


torch.save({"teacher": {"backbone.pos_embed": Evil()}}, "evil.pth")
torch.save({"teacher": {"x": torch.zeros(1).expand(1000)}}, "overlap.pth")
