"""DINO's training step (arXiv 2104.14294, algorithm 1) in PyTorch, for comparison.

Usage: torch_step.py FILE --steps N --threads T [--variant plain|eager|compiled] [--device cpu|cuda]

FILE is a safetensors file, written by "dino-vk bench --torch", with the weights
student.NAME and teacher.NAME by the reference's names, the crops crops.global
(2, B, 3, S, S) and crops.local (L, B, 3, s, s), and the settings as metadata.
Every step takes the same crops and settings, on CUDA where PyTorch has it. The
variant plain is algorithm 1 written out, in float32. The others are what PyTorch
does best: bfloat16 by autocast with float32 weights, SDPA, the fused AdamW,
clipping and averaging of all tensors at once, and compiled has torch.compile
make the forward and backward pass. The output is one line of JSON: PyTorch's
version, the device and the loss and the seconds of every step.
"""

import argparse
import json
import struct
import time

import numpy
import torch
import torch.nn.functional as F


def read(path):
    """Reads the float32 tensors and the metadata of a safetensors file."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        values = numpy.frombuffer(data[begin:end], dtype="<f4").reshape(t["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors, {name: json.loads(value) for name, value in metadata.items()}


class Network:
    """A Vision Transformer or ResNet with DINO's head, on weights by name."""

    def __init__(self, weights, settings, sdpa):
        self.w, self.sdpa = weights, sdpa
        self.resnet, self.norm_in_head = settings["resnet"], settings["use_bn_in_head"]
        self.patch, self.depth, self.heads = settings["patch_size"], settings["depth"], settings["heads"]
        self.eps, self.layers = settings["layer_norm_eps"], settings["head_layers"]

    def __call__(self, images):
        """Logits (n, K) of all images of tensors (n_i, 3, S_i, S_i)."""
        features = self.pooled if self.resnet else self.cls
        return self.head(torch.cat([features(x) for x in images]))

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], self.eps)

    def batch_norm(self, x, name):
        w = self.w
        return F.batch_norm(x, w[name + ".running_mean"], w[name + ".running_var"], w[name + ".weight"], w[name + ".bias"], training=True)

    def convolution(self, x, name, norm, stride=1):
        w = self.w[name + ".weight"]
        return self.batch_norm(F.conv2d(x, w, stride=stride, padding=w.shape[-1] // 2), norm)

    def pooled(self, images):
        cifar = self.resnet["Stem"] == "cifar"
        x = F.relu(self.convolution(images, "backbone.conv1", "backbone.bn1", 1 if cifar else 2))
        if not cifar:
            x = F.max_pool2d(x, 3, 2, 1)
        for stage, blocks in enumerate(self.resnet["Layers"]):
            for i in range(blocks):
                x = self.block(x, f"backbone.layer{stage + 1}.{i}.", 2 if stage > 0 and i == 0 else 1)
        return x.mean((2, 3))

    def block(self, x, name, stride):
        count, strided = (3, 2) if self.resnet["Bottleneck"] else (2, 1)
        h = x
        for i in range(1, count + 1):
            h = self.convolution(h, f"{name}conv{i}", f"{name}bn{i}", stride if i == strided else 1)
            if i < count:
                h = F.relu(h)
        if name + "downsample.0.weight" in self.w:
            x = self.convolution(x, name + "downsample.0", name + "downsample.1", stride)
        return F.relu(h + x)

    def cls(self, images):
        x = F.conv2d(images, self.w["backbone.patch_embed.proj.weight"], self.w["backbone.patch_embed.proj.bias"], self.patch)
        rows, columns = x.shape[2:]
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([self.w["backbone.cls_token"].expand(len(x), -1, -1), x], 1) + self.positions(rows, columns)
        for i in range(self.depth):
            block = f"backbone.blocks.{i}."
            x = x + self.attention(self.norm(x, block + "norm1"), block + "attn.")
            h = F.gelu(self.linear(self.norm(x, block + "norm2"), block + "mlp.fc1"))
            x = x + self.linear(h, block + "mlp.fc2")
        return self.norm(x[:, 0], "backbone.norm")

    def positions(self, rows, columns):
        """The position embedding, interpolated as the reference does it."""
        p = self.w["backbone.pos_embed"]
        side = int(round((p.shape[1] - 1) ** 0.5))
        if rows == columns == side:
            return p
        grid = p[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, scale_factor=((rows + 0.1) / side, (columns + 0.1) / side), mode="bicubic")
        return torch.cat([p[:, :1], grid.flatten(2).transpose(1, 2)], 1)

    def attention(self, x, name):
        n, tokens, dim = x.shape
        qkv = self.linear(x, name + "qkv").reshape(n, tokens, 3, self.heads, dim // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if self.sdpa:
            o = F.scaled_dot_product_attention(q, k, v)
        else:
            o = (q @ k.transpose(-2, -1) * (dim // self.heads) ** -0.5).softmax(-1) @ v
        return self.linear(o.transpose(1, 2).reshape(n, tokens, dim), name + "proj")

    def head(self, x):
        apart = 3 if self.norm_in_head else 2
        for i in range(self.layers):
            x = self.linear(x, f"head.mlp.{apart * i}" if self.layers > 1 else "head.mlp")
            if i < self.layers - 1:
                x = F.gelu(self.batch_norm(x, f"head.mlp.{apart * i + 1}") if self.norm_in_head else x)
        v, g = self.w["head.last_layer.weight_v"], self.w["head.last_layer.weight_g"]
        return F.linear(F.normalize(x, dim=-1), torch._weight_norm(v, g, 0))


def is_statistic(name):
    """Running statistics are no parameters: neither trained nor averaged."""
    return ".running_" in name or name.endswith(".num_batches_tracked")


class Training:
    """The step written out, in float32."""

    sdpa = False
    optimizer_options = {}

    def __init__(self, tensors, settings, device):
        self.s = settings
        student, teacher = ({name[len(role):]: t.to(device) for name, t in tensors.items() if name.startswith(role)}
                            for role in ("student.", "teacher."))
        trained = {name: t for name, t in student.items()
                   if not is_statistic(name) and not (settings["norm_last_layer"] and name == "head.last_layer.weight_g")}
        for t in trained.values():
            t.requires_grad_()
        plain = [t for name, t in trained.items() if name.endswith(".bias") or t.ndim == 1]
        decayed = [t for name, t in trained.items() if not (name.endswith(".bias") or t.ndim == 1)]
        self.optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": settings["weight_decay"]},
                                            {"params": plain, "weight_decay": 0}], lr=settings["lr"], **self.optimizer_options)
        self.student, self.teacher = Network(student, settings, self.sdpa), Network(teacher, settings, self.sdpa)
        self.averaged = [name for name in teacher if not is_statistic(name)]
        self.center = torch.zeros(len(student["head.last_layer.weight_v"]), device=device)
        crops = [tensors[name].to(device) for name in ("crops.global", "crops.local") if name in tensors]
        self.crops = [x.flatten(0, 1) for x in crops]
        self.count = sum(len(x) for x in crops)

    def loss(self, student, teacher, center):
        s = F.log_softmax(student / self.s["student_temp"], -1).chunk(self.count)
        t = F.softmax((teacher - center) / self.s["teacher_temp"], -1).chunk(2)
        terms = [-(q * p).sum(-1).mean() for i, q in enumerate(t) for v, p in enumerate(s) if v != i]
        return sum(terms) / len(terms)

    def forward(self, center):
        """The loss, and the mean of the teacher's outputs (K)."""
        with torch.no_grad():
            teacher = self.teacher(self.crops[:1])
        return self.loss(self.student(self.crops), teacher, center), teacher.mean(0)

    def clip(self, gradients):
        for g in gradients:
            scale = self.s["clip_grad"] / (g.norm() + 1e-6)
            if scale < 1:
                g.mul_(scale)

    def average(self, teacher, student, m):
        for t, s in zip(teacher, student):
            t.mul_(m).add_(s, alpha=1 - m)

    def step(self):
        loss, mean = self.forward(self.center)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        with torch.no_grad():
            m = self.s["center_momentum"]
            self.center = self.center * m + mean * (1 - m)
            if self.s["clip_grad"] > 0:
                self.clip([t.grad for group in self.optimizer.param_groups for t in group["params"]])
        self.optimizer.step()
        with torch.no_grad():
            self.average([self.teacher.w[n] for n in self.averaged], [self.student.w[n] for n in self.averaged], self.s["momentum"])
        return loss.detach()


class Fast(Training):
    """The same step as PyTorch does it best."""

    sdpa = True
    optimizer_options = {"fused": True}

    def loss(self, student, teacher, center):
        s = F.log_softmax(student / self.s["student_temp"], -1).unflatten(0, (self.count, -1))
        t = F.softmax((teacher - center) / self.s["teacher_temp"], -1).unflatten(0, (2, -1))
        others = s.sum(0) - s[:2]  # for each of the teacher's crops, all of the student's but the same one
        return -(t * others).sum(-1).mean() / (self.count - 1)

    def forward(self, center):
        with torch.autocast(center.device.type, torch.bfloat16):
            loss, mean = super().forward(center)
        return loss, mean.float()

    def clip(self, gradients):
        norms = torch.stack(torch._foreach_norm(gradients))
        scales = (self.s["clip_grad"] / (norms + 1e-6)).clamp(max=1)
        torch._foreach_mul_(gradients, list(scales.unbind()))

    def average(self, teacher, student, m):
        torch._foreach_lerp_(teacher, student, 1 - m)


class Compiled(Fast):
    def __init__(self, *args):
        super().__init__(*args)
        self.forward = torch.compile(self.forward)


class Clock:
    """Times between marks, on CUDA the device's own: the host need not wait."""

    def __init__(self, device):
        self.cuda = device.startswith("cuda")
        self.name = torch.cuda.get_device_name(device) if self.cuda else "cpu"
        self.marks = []
        if self.cuda:
            torch.cuda.synchronize()
        self.mark()

    def mark(self):
        if not self.cuda:
            self.marks.append(time.perf_counter())
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self.marks.append(event)

    def seconds(self):
        pairs = list(zip(self.marks, self.marks[1:]))
        if not self.cuda:
            return [end - begin for begin, end in pairs]
        torch.cuda.synchronize()
        return [begin.elapsed_time(end) / 1e3 for begin, end in pairs]


VARIANTS = {"plain": Training, "eager": Fast, "compiled": Compiled}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--variant", choices=VARIANTS, default="plain")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.allow_tf32 = False  # float32 is float32
    tensors, settings = read(args.file)
    training = VARIANTS[args.variant](tensors, settings, args.device)
    clock = Clock(args.device)
    losses = []
    for _ in range(args.steps):
        losses.append(training.step())
        clock.mark()
    print(json.dumps({"version": torch.__version__, "device": clock.name, "losses": [x.item() for x in losses], "seconds": clock.seconds()}))


if __name__ == "__main__":
    main()
