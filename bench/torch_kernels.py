"""The operations of a training step in PyTorch, timed beside this program's kernels.

Usage: torch_kernels.py --threads N [--device cpu|cuda]

Prints a line of JSON about PyTorch, then reads operations from the standard input,
a line of JSON each, and answers each with a line: for every pass that it has,
forward and backward, the seconds of the plain form (eager, one call after the
other) and of the fastest form of those that this PyTorch has, with its name. Forms
are functions fused by hand, torch.compile on CUDA, and on a CPU 1 or N threads of
PyTorch's own beside OpenBLAS's. A form that does not work is left out. Operations:

  product    m n k trans_a trans_b            matmul into memory that is there
  linear     rows in out bias gelu residual input_gradient
  attention  sequences length heads dim       of (sequences, length, 3 dim), dim of all heads
  layer_norm rows width
  loss       crops batch width                DINO's loss and its gradient, as the forward
  adamw      sizes                            AdamW and the teacher's average, as the forward

each with type (float32 or bfloat16) and seconds, the time to spend on each form.
"""

import argparse
import functools
import json
import sys
import time

import torch
import torch.nn.functional as F


class Bench:
    def __init__(self, device, threads):
        self.device, self.cuda = device, device.startswith("cuda")
        self.threads = [threads] if self.cuda else sorted({1, threads})
        if self.cuda:
            torch.backends.cuda.matmul.allow_tf32 = False  # float32 is float32
        self.generator = torch.Generator(device).manual_seed(1)

    def normal(self, *shape, type=torch.float32, grad=False):
        x = torch.randn(shape, generator=self.generator, device=self.device).to(type)
        return x.requires_grad_(grad)

    def sync(self):
        if self.cuda:
            torch.cuda.synchronize()

    def once(self, f, times=1):
        self.sync()
        begun = time.perf_counter()
        for _ in range(times):
            f()
        self.sync()
        return (time.perf_counter() - begun) / times

    def median(self, f, seconds):
        """The median time of f, called so often in a row that a clock can tell."""
        self.once(f)
        each = max(self.once(f), 1e-7)
        times = max(1, int(2e-3 / each)) if self.cuda else 1
        count = int(min(50, max(3, seconds / (times * each))))
        return sorted(self.once(f, times) for _ in range(count))[count // 2]

    def attempt(self, name, f):
        """f(), or None where this PyTorch lacks what the form needs."""
        try:
            return f()
        except Exception as error:
            if name == "plain":
                raise
            print("left out: %s: %s" % (name, error), file=sys.stderr)

    def compare(self, forms, seconds):
        """The plain form's time, and the best one's with its name."""
        plain, best, how = None, None, ""
        for name, f in forms.items():
            for threads in self.threads:
                torch.set_num_threads(threads)
                took = self.attempt(name, lambda: self.median(f, seconds))
                if took is None:
                    break
                if name == "plain":
                    plain = min(took, plain or took)
                if best is None or took < best:
                    best, how = took, name if self.cuda else "%s, PyTorch %d threads" % (name, threads)
        return {"plain": plain, "best": best, "how": how}

    def compiled(self, f):
        """f by torch.compile, as a form where there is that."""
        if not (self.cuda and hasattr(torch, "compile")):
            return {}
        from torch import _dynamo

        _dynamo.reset()
        return {"compiled": torch.compile(f)}

    def passes(self, forms, inputs, dy):
        """Forms of a function of inputs forward, and backward to those that need it."""
        leaves = [x for x in inputs if x is not None and x.requires_grad]
        results = {name: self.attempt(name, lambda: f(*inputs)) for name, f in forms.items()}
        backward = {name: functools.partial(torch.autograd.grad, y, leaves, dy, retain_graph=True)
                    for name, y in results.items() if y is not None}
        return {"forward": {name: functools.partial(forms[name], *inputs) for name in backward}, "backward": backward}

    def product(self, o, type):
        a = self.normal(*((o["k"], o["m"]) if o["trans_a"] else (o["m"], o["k"])), type=type)
        b = self.normal(*((o["n"], o["k"]) if o["trans_b"] else (o["k"], o["n"])), type=type)
        c = torch.empty(o["m"], o["n"], device=self.device, dtype=type)
        a, b = a.t() if o["trans_a"] else a, b.t() if o["trans_b"] else b
        return {"forward": {"plain": lambda: torch.mm(a, b, out=c)}}

    def linear(self, o, type):
        def f(x, w, b, residual):
            y = F.linear(x, w, b)
            if o["gelu"]:
                y = F.gelu(y)
            return y if residual is None else y + residual

        x = self.normal(o["rows"], o["in"], type=type, grad=o["input_gradient"])
        w = self.normal(o["out"], o["in"], type=type, grad=True)
        b = self.normal(o["out"], type=type, grad=True) if o["bias"] else None
        # The residual stream is float32, and its gradient is dy itself.
        residual = self.normal(o["rows"], o["out"]) if o["residual"] else None
        dy = self.normal(o["rows"], o["out"], type=torch.float32 if o["residual"] else type)
        forms = {"plain": f}
        if o["gelu"] or o["residual"]:
            forms.update(self.compiled(f))
        return self.passes(forms, [x, w, b, residual], dy)

    def attention(self, o, type):
        n, length, heads, dim = o["sequences"], o["length"], o["heads"], o["dim"]

        def split(qkv):
            return qkv.reshape(n, length, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)

        def join(x):
            return x.transpose(1, 2).reshape(n, length, dim)

        def plain(qkv):
            q, k, v = split(qkv)
            return join((q @ k.transpose(-2, -1) * (dim // heads) ** -0.5).softmax(-1) @ v)

        def sdpa(qkv):
            return join(F.scaled_dot_product_attention(*split(qkv)))

        forms = {"plain": plain}
        if hasattr(F, "scaled_dot_product_attention"):
            forms["SDPA"] = sdpa
        return self.passes(forms, [self.normal(n, length, 3 * dim, type=type, grad=True)], self.normal(n, length, dim, type=type))

    def layer_norm(self, o, type):
        # The residual stream goes in as float32; only what comes out is narrow.
        def f(x, w, b):
            return F.layer_norm(x, x.shape[-1:], w, b, 1e-6).to(type)

        x, w, b = self.normal(o["rows"], o["width"], grad=True), self.normal(o["width"], grad=True), self.normal(o["width"], grad=True)
        return self.passes({"plain": f, **self.compiled(f)}, [x, w, b], self.normal(o["rows"], o["width"], type=type))

    def loss(self, o, type):
        crops, batch, width = o["crops"], o["batch"], o["width"]
        student = self.normal(crops * batch, width, grad=True)
        teacher, center = self.normal(2 * batch, width), self.normal(width)

        def written_out():
            s = F.log_softmax(student / 0.1, -1).chunk(crops)
            t = F.softmax((teacher - center) / 0.04, -1).chunk(2)
            terms = [-(q * p).sum(-1).mean() for i, q in enumerate(t) for v, p in enumerate(s) if v != i]
            return sum(terms) / len(terms)

        def at_once():
            s = F.log_softmax(student / 0.1, -1).unflatten(0, (crops, -1))
            t = F.softmax((teacher - center) / 0.04, -1).unflatten(0, (2, -1))
            return -(t * (s.sum(0) - s[:2])).sum(-1).mean() / (crops - 1)

        forms = {"plain": written_out, "all crops at once": at_once, **self.compiled(at_once)}
        return {"forward": {name: lambda f=f: torch.autograd.grad(f(), [student]) for name, f in forms.items()}}

    def adamw(self, o, type):
        student = [self.normal(n, grad=True) for n in o["sizes"]]
        teacher = [self.normal(n) for n in o["sizes"]]
        for p in student:
            p.grad = self.normal(*p.shape)

        def one_by_one():
            for t, s in zip(teacher, student):
                t.mul_(0.996).add_(s, alpha=0.004)

        def at_once():
            torch._foreach_mul_(teacher, 0.996)
            torch._foreach_add_(teacher, student, alpha=0.004)

        def form(average, **options):
            made = []  # the optimizer, whose options not every PyTorch knows, at the first call

            def f():
                if not made:
                    made.append(torch.optim.AdamW(student, lr=1e-4, weight_decay=0.04, **options))
                made[0].step()
                with torch.no_grad():
                    average()

            return f

        return {"forward": {"plain": form(one_by_one), "foreach": form(at_once, foreach=True), "fused": form(at_once, fused=True)}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    try:
        import torch._functorch.config as functorch

        functorch.donated_buffer = False  # the same backward is run again and again
    except (ImportError, AttributeError):  # an older PyTorch, which does not reuse gradients' memory
        pass
    bench = Bench(args.device, args.threads)
    device = torch.cuda.get_device_name(args.device) if bench.cuda else "cpu"
    print(json.dumps({"version": torch.__version__, "device": device}), flush=True)
    last, passes = None, None
    for line in sys.stdin:
        if line != last:  # the same one again needs no new tensors and nothing compiled
            o, passes = json.loads(line), None
            last, passes = line, getattr(bench, o["kind"])(o, getattr(torch, o["type"]))
        print(json.dumps({name: bench.compare(forms, o["seconds"]) for name, forms in passes.items()}), flush=True)


if __name__ == "__main__":
    main()
