"""Trains DINO under PyTorch with the reference's own modules, for comparison.

Usage: torch_learn.py SETTINGS --dino FOLDER [--threads T] [--output FILE] [NAME=VALUE ...]

SETTINGS is the config.yaml in the folder of a run of "dino-vk train", and
NAME=VALUE replaces a setting. FOLDER holds the reference
(github.com/facebookresearch/dino). Its ViT, head, loss, augmentation,
schedules, optimizer groups and clipping are used as they are; what it
hard-codes (crop sizes, a narrow network) is set from outside, and its training
loop, which wants CUDA, is written out below.

The pictures are those of tars with a folder per class (settings data, knn-train,
knn-test). The output is lines of JSON with the keys of dino-vk's log.txt.
"""

import argparse
import json
import math
import random
import sys
import tarfile
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
import yaml
from PIL import Image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NEIGHBOURS, TEMPERATURE = 20, 0.07


def settings(path, changes):
    """The settings of a file with NAME=VALUE changes."""
    with open(path) as f:
        s = yaml.safe_load(f)
    for name, value in (change.split("=", 1) for change in changes):
        if name not in s:
            sys.exit(f"{path} has no setting {name}")
        s[name] = yaml.safe_load(value)
    s["min-lr"] = float(s["min-lr"])  # YAML reads 1e-06 as text
    if s["accumulate"] != 1:
        sys.exit("accumulate must be 1: the reference has no such setting")
    return s


def pictures(path):
    """The pictures of a tar in the order of their names, and their classes."""
    with tarfile.open(path) as tar:
        members = sorted((m for m in tar.getmembers() if m.isfile()), key=lambda m: m.name)
        images = [Image.open(tar.extractfile(m)).convert("RGB") for m in members]
    names = [m.name.split("/")[-2] for m in members]
    classes = sorted(set(names))
    return images, torch.tensor([classes.index(n) for n in names])


def normalise(images):
    """8-bit pictures (n, S, S, 3) as ToTensor and Normalize make them, (n, 3, S, S)."""
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div(255)
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def augmentation(reference, s):
    """The reference's transforms with the settings' sizes and strengths, up to
    the normalisation, which a whole batch takes at once."""
    a = reference.DataAugmentationDINO(s["global-crops-scale"], s["local-crops-scale"], s["local-crops-number"])
    jitter = torchvision.transforms.ColorJitter(
        s["jitter-brightness"], s["jitter-contrast"], s["jitter-saturation"], s["jitter-hue"])
    for transform, size in ((a.global_transfo1, "image-size"), (a.global_transfo2, "image-size"), (a.local_transfo, "local-size")):
        transform.transforms[0].size = (s[size], s[size])
        color = transform.transforms[1].transforms
        color[1].transforms[0], color[1].p, color[2].p = jitter, s["jitter-prob"], s["gray-prob"]
        transform.transforms[2].prob *= s["blur"]
        transform.transforms[-1] = np.asarray
    return a


def resnet(s):
    """A torchvision ResNet of another width, and with a 3x3 stem without
    pooling where the settings' stem is cifar."""
    net = torchvision.models.__dict__[s["arch"]]()
    width, block = s["width"], type(net.layer1[0])
    counts = [len(layer) for layer in (net.layer1, net.layer2, net.layer3, net.layer4)]
    kernel, stride = (3, 1) if s["stem"] == "cifar" else (7, 2)
    net.inplanes = width
    net.conv1, net.bn1 = nn.Conv2d(3, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width)
    if s["stem"] == "cifar":
        net.maxpool = nn.Identity()
    for i, count in enumerate(counts):
        layer = net._make_layer(block, width << i, count, stride=1 if i == 0 else 2)
        setattr(net, f"layer{i + 1}", layer)
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    return net, (width << 3) * block.expansion


def backbone(vits, s, drop_path):
    """A backbone and the width of its features."""
    if not s["arch"].startswith("vit"):
        return resnet(s)
    like = vits.__dict__[s["arch"]]()
    net = vits.VisionTransformer(
        img_size=[s["image-size"]], patch_size=s["patch-size"], embed_dim=s["dim"] or like.embed_dim,
        depth=s["depth"] or len(like.blocks), num_heads=s["heads"] or like.blocks[0].attn.num_heads,
        mlp_ratio=4, qkv_bias=True, norm_layer=lambda dim: nn.LayerNorm(dim, eps=1e-6), drop_path_rate=drop_path)
    return net, net.embed_dim


def network(utils, vits, s, student):
    """A backbone with the reference's head, as in train_dino."""
    net, features = backbone(vits, s, s["drop-path-rate"] if student else 0)
    head = vits.DINOHead(
        features, s["out-dim"], use_bn=s["use-bn-in-head"], norm_last_layer=not student or s["norm-last-layer"],
        nlayers=s["head-layers"], hidden_dim=s["head-hidden-dim"], bottleneck_dim=s["head-bottleneck-dim"])
    for part in (net if s["arch"].startswith("vit") else nn.Identity(), head.mlp):
        for m in part.modules():
            if isinstance(m, nn.Linear):
                utils.trunc_normal_(m.weight, std=s["init-std"])
    return utils.MultiCropWrapper(net, head)


class Probe:
    """k-NN of the features of whole pictures, as eval_knn.py: cosine similarity,
    votes weighted by exp(similarity/T), top-1 in percent."""

    def __init__(self, s, train=None):
        t = torchvision.transforms
        size = s["image-size"]
        view = t.Compose([t.Resize(size * 256 // 224, interpolation=Image.BICUBIC), t.CenterCrop(size), np.asarray])
        self.sets = []
        for path in (s["knn-train"] or s["data"], s["knn-test"]):
            images, labels = train if train and path == s["data"] else pictures(path)
            self.sets.append((normalise([view(image) for image in images]), labels))

    @torch.no_grad()
    def top1(self, features):
        (train, labels), (test, want) = [
            (F.normalize(torch.cat([features(x) for x in images.split(256)])), labels) for images, labels in self.sets]
        similarity, neighbours = (test @ train.T).topk(NEIGHBOURS)
        votes = torch.zeros(len(test), int(labels.max()) + 1)
        votes.scatter_add_(1, labels[neighbours], (similarity / TEMPERATURE).exp())
        return 100 * (votes.argmax(1) == want).float().mean().item()

    def backbone(self, net):
        mode = net.training
        net.eval()
        result = self.top1(net)
        net.train(mode)
        return result


def train(reference, utils, vits, s, probe, data, write):
    """Carries out train_dino and train_one_epoch of the reference in float32."""
    student, teacher = network(utils, vits, s, True), network(utils, vits, s, False)
    teacher.load_state_dict(student.state_dict())
    for p in teacher.parameters():
        p.requires_grad = False
    crops = 2 + s["local-crops-number"]
    criterion = reference.DINOLoss(
        s["out-dim"], crops, s["warmup-teacher-temp"], s["teacher-temp"], s["warmup-teacher-temp-epochs"], s["epochs"],
        s["student-temp"], s["center-momentum"])
    groups = utils.get_params_groups(student)
    optimizer = {
        "adamw": lambda: torch.optim.AdamW(groups), "sgd": lambda: torch.optim.SGD(groups, lr=0, momentum=0.9),
        "lars": lambda: utils.LARS(groups)}[s["optimizer"]]()
    augment, batch = augmentation(reference, s), s["batch-size"]
    steps = len(data) // batch
    lrs = utils.cosine_scheduler(s["lr"] * batch / 256, s["min-lr"], s["epochs"], steps, warmup_epochs=s["warmup-epochs"])
    wds = utils.cosine_scheduler(s["weight-decay"], s["weight-decay-end"], s["epochs"], steps)
    momenta = utils.cosine_scheduler(s["momentum-teacher"], 1, s["epochs"], steps)
    write({"epoch": -1, "step": 0, "knn": probe.backbone(teacher.backbone), "knn_raw": probe.top1(lambda x: x.flatten(1))})
    for epoch in range(s["epochs"]):
        begun, sums = time.time(), np.zeros(5)
        order = torch.randperm(len(data))[:steps * batch].view(steps, batch)
        for it, indices in enumerate(order, steps * epoch):
            for i, group in enumerate(optimizer.param_groups):
                group["lr"] = lrs[it]
                if i == 0:  # only the first group is regularised
                    group["weight_decay"] = wds[it]
            views = [augment(data[i]) for i in indices]
            images = [normalise([v[c] for v in views]) for c in range(crops)]
            targets = teacher(images[:2])
            q = F.log_softmax((targets - criterion.center) / criterion.teacher_temp_schedule[epoch], -1)
            entropy = -(q.exp() * q).sum(-1).mean().item()
            loss = criterion(student(images), targets, epoch)
            if not math.isfinite(loss.item()):
                sys.exit(f"step {it}: the loss is {loss.item()}")
            optimizer.zero_grad()
            loss.backward()
            if s["clip-grad"]:
                utils.clip_gradients(student, s["clip-grad"])
            utils.cancel_gradients_last_layer(epoch, student, s["freeze-last-layer"])
            optimizer.step()
            with torch.no_grad():
                m = momenta[it]
                for p, k in zip(student.parameters(), teacher.parameters()):
                    k.mul_(m).add_((1 - m) * p)
            sums += [loss.item(), lrs[it], wds[it], entropy, loss.item() - entropy]
        means = sums / steps
        line = {"train_loss": means[0], "train_lr": means[1], "train_wd": means[2], "epoch": epoch, "step": it + 1,
                "teacher_entropy": means[3], "kl": means[4], "ln_k": math.log(s["out-dim"]),
                "images_per_s": steps * batch / (time.time() - begun)}
        if epoch + 1 == s["epochs"] or s["knn-every"] and (epoch + 1) % s["knn-every"] == 0:
            line["knn"] = probe.backbone(teacher.backbone)
        write(line)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("settings")
    parser.add_argument("--dino", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", default="/dev/stdout")
    parser.add_argument("changes", nargs="*", metavar="NAME=VALUE")
    args = parser.parse_args()
    sys.path.insert(0, args.dino)
    import main_dino
    import utils
    import vision_transformer
    torch.set_num_threads(args.threads)
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    s = settings(args.settings, args.changes)
    random.seed(s["seed"])
    np.random.seed(s["seed"])
    torch.manual_seed(s["seed"])
    data = pictures(s["data"])
    with open(args.output, "w") as f:
        def write(line):
            f.write(json.dumps(line) + "\n")
            f.flush()
        train(main_dino, utils, vision_transformer, s, Probe(s, data), data[0], write)


if __name__ == "__main__":
    main()
