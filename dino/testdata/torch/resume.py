"""Goes on with a checkpoint in the official trainer's own code, on the CPU, and
prints the loss of each step.

resume.py DINO SETTINGS CHECKPOINT CROPS STEPS, where CROPS.global and CROPS.local
hold the crops of all steps."""
import json
import os
import sys
import tempfile

import torch
from common import backbone, floats, settings

# The trainer is written for GPUs.
torch.Tensor.cuda = lambda self, *args, **kwargs: self
torch.nn.Module.cuda = lambda self, *args, **kwargs: self
torch.cuda.synchronize = lambda *args: None

import main_dino  # noqa: E402
import utils  # noqa: E402

utils.SmoothedValue.synchronize_between_processes = lambda self: None

checkpoint, crops, steps = sys.argv[3], sys.argv[4], int(sys.argv[5])
s, args = settings, torch.load(checkpoint, map_location="cpu")["args"]
torch.distributed.init_process_group("gloo", init_method="file://" + tempfile.mktemp(), rank=0, world_size=1)

# From here on as train_dino does it.
nets = []
for norm_last_layer in (args.norm_last_layer, True):
    net, width = backbone()
    nets.append(utils.MultiCropWrapper(net, main_dino.DINOHead(
        width, args.out_dim, use_bn=args.use_bn_in_head, norm_last_layer=norm_last_layer,
        nlayers=s["head_layers"], hidden_dim=s["head_hidden"], bottleneck_dim=s["head_bottleneck"])))
student, teacher = nets
teacher_without_ddp = teacher
if utils.has_batchnorms(student):
    teacher = torch.nn.parallel.DistributedDataParallel(teacher)
    teacher_without_ddp = teacher.module
student = torch.nn.parallel.DistributedDataParallel(student)
for p in teacher.parameters():
    p.requires_grad = False
losses = []


class Loss(main_dino.DINOLoss):
    def forward(self, *inputs):
        loss = super().forward(*inputs)
        losses.append(loss.item())
        return loss


dino_loss = Loss(args.out_dim, args.local_crops_number + 2, args.warmup_teacher_temp, args.teacher_temp,
                 args.warmup_teacher_temp_epochs, args.epochs)
groups = utils.get_params_groups(student)
optimizer = {
    "adamw": lambda: torch.optim.AdamW(groups),
    "sgd": lambda: torch.optim.SGD(groups, lr=0, momentum=0.9),
    "lars": lambda: utils.LARS(groups),
}[args.optimizer]()
n = s["epoch_steps"]
batch = args.batch_size_per_gpu * args.world_size
lr = utils.cosine_scheduler(args.lr * batch / 256.0, args.min_lr, args.epochs, n, warmup_epochs=args.warmup_epochs)
wd = utils.cosine_scheduler(args.weight_decay, args.weight_decay_end, args.epochs, n)
momentum = utils.cosine_scheduler(args.momentum_teacher, 1, args.epochs, n)
restore = {"epoch": 0}
sys.stdout = sys.stderr
for name, value in (("student", student), ("teacher", teacher)):  # strictly, which the restart is not
    value.load_state_dict(torch.load(checkpoint, map_location="cpu")[name], strict=True)
utils.restart_from_checkpoint(checkpoint, run_variables=restore, student=student, teacher=teacher, optimizer=optimizer,
                              fp16_scaler=None, dino_loss=dino_loss)


class Loader:
    """The first steps of the epoch."""

    def __len__(self):
        return n

    def __iter__(self):
        g, l = s["image_size"], s["local_size"]
        globals_ = floats(crops + ".global", steps, 2, batch, 3, g, g)
        locals_ = floats(crops + ".local", steps, args.local_crops_number, batch, 3, l, l)
        for i in range(steps):
            yield list(globals_[i]) + list(locals_[i]), None


main_dino.train_one_epoch(student, teacher, teacher_without_ddp, dino_loss, Loader(), optimizer, lr, wd, momentum,
                          restore["epoch"], None, args)
sys.stdout = sys.__stdout__
print(json.dumps({"epoch": restore["epoch"], "losses": losses}))
sys.stdout.flush()
os._exit(0)  # the process group has no one to part from
