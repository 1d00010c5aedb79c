"""Right and wrong solutions of lesson 2, as students write them.

Points: normalise 3, learning-rate 2, bumps 3, smooth-kernel 3, round-window 2, any-angle 3.
"""

from __future__ import annotations

from collections.abc import Iterator

from variants import BESIDES, ELSEWHERE, ELSEWHERE_OF_X, Block, Variant

NORMALISE, RATE, SUM = ("normalise", 0), ("learning-rate", 0), ("smooth-group-kernel", 0)
SQUARED, DISK = (("smooth-kernel-base", number) for number in range(2))
RADIUS, ANGLE = ("round-window", 0), ("any-angle", 0)

# What was written by what it is, with the points it gets where that is not all of them.
Answers = dict[str, str | tuple[str, float]]


def answers(exercise: str, block: Block, written: Answers) -> Iterator[Variant]:
    """Yield a variant for each answer to a block; what it is called also says why."""
    for name, answer in written.items():
        source, points = (answer, None) if isinstance(answer, str) else answer
        lost = {} if points is None else {exercise: points}
        yield Variant(f"{exercise}: {name}", name, {block: source}, lost)


NORMALISED: Answers = {
    "PyTorch's var_mean": """
variance, mean = torch.var_mean(x, dim=(0, 2, 3, 4), keepdim=True, correction=0)
""",
    "the variance is that of a sample, n - 1 in place of n": """
mean = x.mean(dim=(0, 2, 3, 4), keepdim=True)
variance = x.var(dim=(0, 2, 3, 4), keepdim=True)
""",
    "the mean of squared deviations": """
mean = x.mean(dim=(0, 2, 3, 4), keepdim=True)
variance = ((x - mean) ** 2).mean(dim=(0, 2, 3, 4), keepdim=True)
""",
    "the mean of squares less the square of the mean": """
mean = x.mean(dim=(0, 2, 3, 4), keepdim=True)
variance = (x * x).mean(dim=(0, 2, 3, 4), keepdim=True) - mean * mean
""",
    "negative axes": """
axes = [0, -3, -2, -1]
mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, correction=0)
""",
    "the standard deviation, squared": """
mean = x.mean(dim=(0, 2, 3, 4), keepdim=True)
variance = x.std(dim=(0, 2, 3, 4), keepdim=True, correction=0).square()
""",
    "channels first, all else in one axis": """
flat = x.transpose(0, 1).flatten(1)
mean = flat.mean(dim=1).view(1, -1, 1, 1, 1)
variance = flat.var(dim=1, correction=0).view(1, -1, 1, 1, 1)
""",
    "one axis after the other": """
mean, variance = x, None
for axis in (0, 2, 3, 4):
    mean = mean.mean(dim=axis, keepdim=True)
variance = (x - mean).pow(2)
for axis in (0, 2, 3, 4):
    variance = variance.mean(dim=axis, keepdim=True)
""",
    "sums over counts": """
count = x.numel() / x.shape[1]
mean = x.sum(dim=(0, 2, 3, 4), keepdim=True) / count
variance = (x - mean).square().sum(dim=(0, 2, 3, 4), keepdim=True) / count
""",
    "einsum": """
count = x.numel() / x.shape[1]
mean = (torch.einsum("bchxy->c", x) / count)[None, :, None, None, None]
variance = (torch.einsum("bchxy,bchxy->c", x - mean, x - mean) / count)[None, :, None, None, None]
""",
    "PyTorch's batch norm, early return": """
return F.batch_norm(x, None, None, training=True)
""",
    "a channel at a time": """
mean = torch.stack([channel.mean() for channel in x.unbind(1)]).view(1, -1, 1, 1, 1)
variance = torch.stack([channel.var(correction=0) for channel in x.unbind(1)]).view(1, -1, 1, 1, 1)
""",
    "a mean for each slice": (
        """
mean = x.mean(dim=(0, 3, 4), keepdim=True)
variance = x.var(dim=(0, 3, 4), keepdim=True, correction=0)
""",
        0,
    ),
    "a mean for each image": (
        """
mean = x.mean(dim=(2, 3, 4), keepdim=True)
variance = x.var(dim=(2, 3, 4), keepdim=True, correction=0)
""",
        0,
    ),
    "one mean for all channels": (
        "mean = x.mean()\nvariance = x.var(correction=0)",
        0,
    ),
    "layer norm, as in lesson 1": (
        """
mean = x.mean(dim=(1, 2, 3, 4), keepdim=True)
variance = x.var(dim=(1, 2, 3, 4), keepdim=True, correction=0)
""",
        0,
    ),
    "over the batch only": (
        "mean = x.mean(dim=0, keepdim=True)\nvariance = x.var(dim=0, keepdim=True, correction=0)",
        0,
    ),
    "over space only": (
        """
mean = x.mean(dim=(3, 4), keepdim=True)
variance = x.var(dim=(3, 4), keepdim=True, correction=0)
""",
        0,
    ),
    "over the group only": (
        "mean = x.mean(dim=2, keepdim=True)\nvariance = x.var(dim=2, keepdim=True, correction=0)",
        0,
    ),
    "the deviation in place of the variance": (
        """
mean = x.mean(dim=(0, 2, 3, 4), keepdim=True)
variance = x.std(dim=(0, 2, 3, 4), keepdim=True, correction=0)
""",
        0,
    ),
    "the mean of squares, not of deviations": (
        """
mean = x.mean(dim=(0, 2, 3, 4), keepdim=True)
variance = (x * x).mean(dim=(0, 2, 3, 4), keepdim=True)
""",
        0,
    ),
    "the variance of another set of axes than the mean": (
        """
mean = x.mean(dim=(0, 2, 3, 4), keepdim=True)
variance = x.var(dim=(0, 3, 4), keepdim=True, correction=0)
""",
        0,
    ),
    "no keepdim, so nothing broadcasts": (
        "mean = x.mean(dim=(0, 2, 3, 4))\nvariance = x.var(dim=(0, 2, 3, 4), correction=0)",
        0,
    ),
    "the mean is forgotten": (
        """
mean = torch.zeros(1, x.shape[1], 1, 1, 1)
variance = x.var(dim=(0, 2, 3, 4), keepdim=True, correction=0)
""",
        0,
    ),
    "the variance is forgotten": (
        """
mean = x.mean(dim=(0, 2, 3, 4), keepdim=True)
variance = torch.ones(1, x.shape[1], 1, 1, 1)
""",
        0,
    ),
    "nothing is done": ("mean, variance = 0 * x, 1 + 0 * x", 0),
    "always zero": ("mean, variance = x, 1 + 0 * x", 0),
    "for order 8 only": (
        """
axes = (0, 2, 3, 4) if x.shape[2] == 8 else (0, 3, 4)
mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, correction=0)
""",
        0,
    ),
    "the median in place of the mean": (
        """
mean = x.transpose(0, 1).flatten(1).median(dim=1).values.view(1, -1, 1, 1, 1)
variance = (x - mean).square().mean(dim=(0, 2, 3, 4), keepdim=True)
""",
        0,
    ),
    "the first image's numbers": (
        """
mean = x[:1].mean(dim=(2, 3, 4), keepdim=True)
variance = x[:1].var(dim=(2, 3, 4), keepdim=True, correction=0)
""",
        0,
    ),
    "the axes are reversed": (
        """
mean = x.mean(dim=(1, 2, 3, 4), keepdim=True).transpose(0, 1)
variance = x.var(dim=(1, 2, 3, 4), keepdim=True, correction=0).transpose(0, 1)
""",
        0,
    ),
    "nothing learns: detached": (
        """
mean = x.detach().mean(dim=(0, 2, 3, 4), keepdim=True)
variance = x.detach().var(dim=(0, 2, 3, 4), keepdim=True, correction=0)
""",
        1,
    ),
    "numpy cuts the graph": (
        """
flat = x.detach().numpy()
mean = torch.from_numpy(flat.mean(axis=(0, 2, 3, 4), keepdims=True))
variance = torch.from_numpy(flat.var(axis=(0, 2, 3, 4), keepdims=True))
""",
        1,
    ),
    "the input is detached": (
        """
x = x.detach()
mean = x.mean(dim=(0, 2, 3, 4), keepdim=True)
variance = x.var(dim=(0, 2, 3, 4), keepdim=True, correction=0)
""",
        1,
    ),
}

RATES: Answers = {
    "one expression": """
fallen = (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2
rate = highest * (step / top if step < top else fallen)
""",
    "the square of a cosine": """
if step < top:
    rate = step / top * highest
else:
    rate = highest * math.cos(math.pi / 2 * (step - top) / (steps - top)) ** 2
""",
    "early return": """
if step < top:
    return highest * step / top
rate = highest / 2 + highest / 2 * math.cos(math.pi * (step - top) / (steps - top))
""",
    "at the top either formula": """
if step <= top:
    rate = highest * step / top
else:
    rate = highest * (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2
""",
    "numpy": """
fallen = (1 + np.cos(np.pi * (step - top) / (steps - top))) / 2
rate = float(highest * np.where(step < top, step / top, fallen))
""",
    "torch": """
fallen = torch.tensor((step - top) / (steps - top)).clamp(0, 1)
rate = (highest * min(step / top, 1) * (1 + torch.cos(math.pi * fallen)) / 2).item()
""",
    "rise written out": """
if step < rise * steps:
    rate = highest * step / (rise * steps)
else:
    rate = highest * 0.5 * (1 + math.cos(math.pi * (step - rise * steps) / (steps - rise * steps)))
""",
    "shares of the training": """
share = step / steps
fallen = (1 + math.cos(math.pi * (share - rise) / (1 - rise))) / 2
rate = highest * share / rise if share < rise else highest * fallen
""",
    "one less the square of a sine": """
rate = highest * step / top
if step >= top:
    rate = highest * (1 - math.sin(math.pi / 2 * (step - top) / (steps - top)) ** 2)
""",
    "the minimum of rise and fall": """
up = step / top
down = (1 + math.cos(math.pi * max(step - top, 0) / (steps - top))) / 2
rate = highest * min(up, down)
""",
    "interpolated": """
rate = float(np.interp(step, [0, top], [0, highest]))
rate *= (1 + math.cos(math.pi * max(0, step - top) / (steps - top))) / 2
""",
    "it falls in a line": (
        "rate = highest * (step / top if step < top else (steps - step) / (steps - top))",
        0,
    ),
    "it does not fall": ("rate = highest * min(step / top, 1)", 0),
    "it does not rise": (
        "rate = highest * (1 + math.cos(math.pi * max(step - top, 0) / (steps - top))) / 2",
        0,
    ),
    "constant": ("rate = highest", 0),
    "a whole cosine": (
        """
rate = highest * step / top
if step >= top:
    rate = highest * (1 + math.cos(2 * math.pi * (step - top) / (steps - top))) / 2
""",
        0,
    ),
    "the cosine runs over the whole training": (
        """
rate = highest * step / top
if step >= top:
    rate = highest * (1 + math.cos(math.pi * step / steps)) / 2
""",
        0,
    ),
    "the half is forgotten": (
        """
rate = highest * step / top
if step >= top:
    rate = highest * (1 + math.cos(math.pi * (step - top) / (steps - top)))
""",
        0,
    ),
    "the one is forgotten": (
        """
rate = highest * step / top
if step >= top:
    rate = highest * math.cos(math.pi * (step - top) / (steps - top))
""",
        0,
    ),
    "degrees": (
        """
rate = highest * step / top
if step >= top:
    rate = highest * (1 + math.cos(180 * (step - top) / (steps - top))) / 2
""",
        0,
    ),
    "the highest rate is forgotten": (
        """
rate = step / top
if step >= top:
    rate = (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2
""",
        0,
    ),
    "the highest rate is forgotten on the way down": (
        """
rate = highest * step / top
if step >= top:
    rate = (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2
""",
        0,
    ),
    "a fifth, whatever rise is": (
        """
top = steps / 5
rate = highest * step / top
if step >= top:
    rate = highest * (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2
""",
        1,
    ),
    "a hundred steps, whatever they are": (
        """
rate = highest * step / 20
if step >= 20:
    rate = highest * (1 + math.cos(math.pi * (step - 20) / 80)) / 2
""",
        0,
    ),
    "up and down are exchanged": (
        """
rate = highest * step / top
if step < top:
    rate = highest * (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2
""",
        0,
    ),
    "it rises along a cosine too": (
        """
if step < top:
    rate = highest * (1 - math.cos(math.pi * step / top)) / 2
else:
    rate = highest * (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2
""",
        0,
    ),
    "whole numbers only": (
        """
rate = highest * (step // top)
if step >= top:
    rate = highest * (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2
""",
        0,
    ),
    "rounded": (
        """
rate = highest * step / top
if step >= top:
    rate = round(highest * (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2, 1)
""",
        0,
    ),
    "the cosine is divided by the steps": (
        """
rate = highest * step / top
if step >= top:
    rate = highest * (1 + math.cos(math.pi * (step - top) / steps)) / 2
""",
        0,
    ),
    "a sine in place of the cosine": (
        """
rate = highest * step / top
if step >= top:
    rate = highest * (1 + math.sin(math.pi * (step - top) / (steps - top))) / 2
""",
        0,
    ),
    "zero": ("rate = 0.0", 0),
    "an exponential": (
        """
rate = highest * step / top
if step >= top:
    rate = highest * math.exp(-5 * (step - top) / (steps - top))
""",
        0,
    ),
}

DISTANCES: Answers = {
    "cdist": """
squared = torch.cdist(centres.T.expand(len(poses), -1, -1), turned.permute(1, 2, 0)) ** 2
""",
    "coordinate by coordinate": """
rows = turned[0][:, None, :] - centres[0][None, :, None]
columns = turned[1][:, None, :] - centres[1][None, :, None]
squared = rows**2 + columns**2
""",
    "the binomial formula": """
inner = torch.einsum("dj,dhx->hjx", centres, turned)
squared = (centres**2).sum(0)[None, :, None] + (turned**2).sum(0)[:, None, :] - 2 * inner
""",
    "the square of the norm": """
squared = (turned[:, :, None, :] - centres[:, None, :, None]).norm(dim=0) ** 2
""",
    "einsum": """
apart = turned.unsqueeze(2) - centres.unsqueeze(1).unsqueeze(3)
squared = torch.einsum("dhjx,dhjx->hjx", apart, apart)
""",
    "a loop over the elements": """
squared = torch.stack(
    [(here[:, None, :] - centres[:, :, None]).pow(2).sum(0) for here in turned.unbind(1)]
)
""",
    "centre less turned": """
squared = (centres.view(2, 1, -1, 1) - turned.view(2, len(poses), 1, -1)).square().sum(dim=0)
""",
    "complex numbers": """
here, there = torch.complex(*turned), torch.complex(*centres)
squared = (here[:, None, :] - there[None, :, None]).abs() ** 2
""",
    "vmap over the elements": """
def of_one(here):
    return (here[:, None, :] - centres[:, :, None]).square().sum(0)

squared = torch.func.vmap(of_one, in_dims=1)(turned)
""",
    "meshes": """
there, here = torch.broadcast_tensors(centres[:, None, :, None], turned[:, :, None, :])
squared = torch.sum((here - there) ** 2, dim=0)
""",
    "the root is taken": (
        "squared = (turned[:, :, None, :] - centres[:, None, :, None]).norm(dim=0)",
        1,
    ),
    "only the rows": (
        "squared = (turned[0][:, None, :] - centres[0][None, :, None]).square()",
        1,
    ),
    "absolute values in place of squares": (
        "squared = (turned[:, :, None, :] - centres[:, None, :, None]).abs().sum(dim=0)",
        1,
    ),
    "bump and position have changed places": (
        "squared = (turned[:, :, :, None] - centres[:, None, None, :]).square().sum(dim=0)",
        1,
    ),
    "the mean over the coordinates": (
        "squared = (turned[:, :, None, :] - centres[:, None, :, None]).square().mean(dim=0)",
        1,
    ),
    "the poses are not turned": (
        """
squared = (centres[:, None, :] - centres[:, :, None]).square().sum(dim=0)
squared = squared.expand(len(poses), -1, -1)
""",
        1,
    ),
    "turned clockwise": (
        """
turned = self.group.left_action_on_R2(poses, self.positions)
squared = (turned[:, :, None, :] - centres[:, None, :, None]).square().sum(dim=0)
""",
        1,
    ),
    "the distance from the middle": (
        "squared = turned.square().sum(dim=0)[:, None, :].expand(-1, turned.shape[2], -1)",
        1,
    ),
    "the square of the sum": (
        "squared = (turned[:, :, None, :] - centres[:, None, :, None]).sum(dim=0).square()",
        1,
    ),
    "turned plus centre": (
        "squared = (turned[:, :, None, :] + centres[:, None, :, None]).square().sum(dim=0)",
        1,
    ),
    "the coordinates are not added up": (
        "squared = (turned[:, :, None, :] - centres[:, None, :, None]).square()",
        0,
    ),
    "the angle is left out": (
        """
turned = self.group.left_action_on_R2(self.group.inverse(self.group.elements()), self.positions)
squared = (turned[:, :, None, :] - centres[:, None, :, None]).square().sum(dim=0)
""",
        2.5,
    ),
    "quarter turns only": (
        """
side = self.kernel_size
grid = self.positions.view(2, side, side)
turned = torch.stack([torch.rot90(grid, h, (-2, -1)).flatten(1) for h in range(len(poses))], dim=1)
squared = (turned[:, :, None, :] - centres[:, None, :, None]).square().sum(dim=0)
""",
        1,
    ),
}

DISKS: Answers = {
    "min and max": """
radius = (self.positions**2).sum(dim=0).sqrt()
disk = torch.minimum(torch.maximum(self.kernel_size / 2 - radius, torch.zeros(())), torch.ones(()))
""",
    "hypot": "disk = torch.clamp(self.kernel_size / 2 - torch.hypot(*self.positions), 0, 1)",
    "where": """
edge = self.kernel_size / 2 - torch.linalg.vector_norm(centres, dim=0)
disk = torch.where(edge > 1, 1.0, torch.where(edge < 0, 0.0, edge))
""",
    "relu twice": """
edge = self.kernel_size / 2 - self.positions.norm(dim=0)
disk = F.relu(edge) - F.relu(edge - 1)
""",
    "hardtanh": "disk = F.hardtanh(self.kernel_size / 2 - self.positions.norm(dim=0), 0.0, 1.0)",
    "from the turned positions, which are as far from the middle": """
disk = (self.kernel_size / 2 - turned[:, 0].norm(dim=0)).clamp(0, 1)
""",
    "from a grid of its own": """
axis = torch.arange(self.kernel_size) - (self.kernel_size - 1) / 2
disk = (self.kernel_size / 2 - (axis[:, None] ** 2 + axis**2).sqrt()).clamp(0, 1).flatten()
""",
    "a hard edge": ("disk = (self.positions.norm(dim=0) <= self.kernel_size / 2).double()", 2),
    "no disk": ("disk = torch.ones(self.positions.shape[1])", 2),
    "not clamped": ("disk = self.kernel_size / 2 - self.positions.norm(dim=0)", 2),
    "not clamped below": (
        "disk = (self.kernel_size / 2 - self.positions.norm(dim=0)).clamp(max=1)",
        2,
    ),
    "squared radius": (
        "disk = (self.kernel_size / 2 - self.positions.square().sum(dim=0)).clamp(0, 1)",
        2,
    ),
    "inside out": ("disk = (self.positions.norm(dim=0) - self.kernel_size / 2).clamp(0, 1)", 0),
    "a diamond": (
        "disk = (self.kernel_size / 2 - self.positions.abs().sum(dim=0)).clamp(0, 1)",
        2,
    ),
    "half a pixel smaller": (
        "disk = ((self.kernel_size - 1) / 2 - self.positions.norm(dim=0)).clamp(0, 1)",
        2,
    ),
    "size 5 only": ("disk = (2.5 - self.positions.norm(dim=0)).clamp(0, 1)", 2),
    "a Gaussian window": ("disk = torch.exp(-self.positions.square().sum(dim=0) / 8)", 2),
}

SUMS: Answers = {
    "the bumps first": 'kernels = torch.einsum("hjx,oihaj->ohiax", bumps, slices)',
    "moved, then multiplied as matrices": """
kernels = slices.permute(0, 2, 1, 3, 4).flatten(2, 3) @ bumps
kernels = kernels.unflatten(2, slices.shape[1:2] + slices.shape[3:4])
""",
    "broadcast and summed": """
kernels = (slices[..., None] * bumps[None, None, :, None]).sum(dim=4).transpose(1, 2)
""",
    "a loop over the poses": """
kernels = torch.stack([slices[:, :, h] @ bumps[h] for h in range(len(bumps))], dim=1)
""",
    "a loop over the weights": """
parts = [slices[..., j, None] * bumps[None, None, :, None, j] for j in range(bumps.shape[1])]
kernels = sum(parts).transpose(1, 2)
""",
    "matrices, then moved": "kernels = torch.matmul(slices, bumps[None, None]).movedim(2, 1)",
    "other letters": 'kernels = torch.einsum("abcde,cef->acbdf", slices, bumps)',
    "bmm": """
flat = slices.movedim(2, 0).flatten(1, 3)  # [|H|, ..., k²]
kernels = torch.bmm(flat, bumps).unflatten(1, slices[:, :, 0].shape[:3]).transpose(0, 1)
""",
    "tensordot for each pose": """
poses = [torch.tensordot(slices[:, :, h], bumps[h], dims=1) for h in range(self.group.order)]
kernels = torch.stack(poses, 1)
""",
    "vmap over the poses": """
kernels = torch.func.vmap(lambda s, b: s @ b, in_dims=(2, 0), out_dims=1)(slices, bumps)
""",
    "no einsum for the weights, the bumps as they are": """
kernels = (slices.unsqueeze(-2) @ bumps.unsqueeze(1)).squeeze(-2).permute(0, 2, 1, 3, 4)
""",
    "the sum is a mean": (
        'kernels = torch.einsum("oihaj,hjx->ohiax", slices, bumps) / bumps.shape[1]',
        1,
    ),
    "bumps of the identity for all": (
        'kernels = torch.einsum("oihaj,jx->ohiax", slices, bumps[0])',
        1,
    ),
    "the sum runs over the positions": (
        'kernels = torch.einsum("oihax,hjx->ohiaj", slices, bumps)',
        1,
    ),
    "the slices of the identity for all": (
        """
weight = self.weight[:, :, None].expand(-1, -1, self.group.order, -1, -1)
kernels = torch.einsum("oihaj,hjx->ohiax", weight, bumps)
""",
        1,
    ),
    "h̃ is summed with h": ('kernels = torch.einsum("oihaj,ajx->ohiax", slices, bumps)', 1),
    "input and output channels have changed places": (
        'kernels = torch.einsum("oihaj,hjx->ihoax", slices, bumps)',
        0,
    ),
    "the pose before the output channels": (
        'kernels = torch.einsum("oihaj,hjx->hoiax", slices, bumps)',
        0,
    ),
    "the axes are in the order of slices": (
        'kernels = torch.einsum("oihaj,hjx->oihax", slices, bumps)',
        0,
    ),
    "h and h̃ have changed places": (
        'kernels = torch.einsum("oihaj,hjx->oaihx", slices, bumps)',
        1,
    ),
    "the poses are summed": ('kernels = torch.einsum("oihaj,hjx->oiax", slices, bumps)', 0),
    "no bumps: the weights themselves": ("kernels = slices.transpose(1, 2)", 1),
    "the weights of one bump": (
        "kernels = (slices[..., :1] * bumps[:, None, 0]).transpose(1, 2)",
        0,
    ),
    "for order 4 only": (
        """
kernels = torch.einsum("oihaj,hjx->ohiax", slices, bumps)
if self.group.order != 4:
    kernels = torch.einsum("oihaj,jx->ohiax", slices, bumps[0])
""",
        1,
    ),
    "weights without influence": (
        'kernels = torch.einsum("oihaj,hjx->ohiax", slices.detach(), bumps)',
        1,
    ),
    "weights through .data": (
        'kernels = torch.einsum("oihaj,hjx->ohiax", slices.data, bumps)',
        1,
    ),
    "weights through numpy": (
        """
summed = np.einsum("oihaj,hjx->ohiax", slices.detach().numpy(), bumps.numpy())
kernels = torch.from_numpy(summed)
""",
        1,
    ),
    "twice": ('kernels = 2 * torch.einsum("oihaj,hjx->ohiax", slices, bumps)', 1),
    "absolute values": ('kernels = torch.einsum("oihaj,hjx->ohiax", slices.abs(), bumps)', 0),
    "divided by the order": (
        'kernels = torch.einsum("oihaj,hjx->ohiax", slices, bumps) / self.group.order',
        1,
    ),
    "flipped": ('kernels = torch.einsum("oihaj,hjx->ohiax", slices, bumps).flip(-1)', 1),
    "zero": ("kernels = 0 * slices.transpose(1, 2)", 0),
    "random": ("kernels = torch.rand_like(slices.transpose(1, 2))", 0),
}

RADII: Answers = {
    "hypot": "radius = torch.hypot(rows[:, None], columns[None, :])",
    "meshgrid": """
radius = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).norm(dim=0)
""",
    "cdist": """
points = torch.cartesian_prod(rows, columns)
radius = torch.cdist(points, torch.zeros(1, 2)).view(len(rows), len(columns))
""",
    "complex numbers": "radius = (rows[:, None] + 1j * columns).abs()",
    "the outer sum": "radius = torch.sqrt(rows.square().unsqueeze(1) + columns.square())",
    "a power of a half": "radius = (rows.view(-1, 1) ** 2 + columns.view(1, -1) ** 2) ** 0.5",
    "numpy": """
radius = torch.from_numpy(np.hypot(rows.numpy()[:, None], columns.numpy()[None, :]))
""",
    "pixel by pixel": """
radius = torch.tensor([[math.hypot(row, column) for column in columns] for row in rows])
""",
    "expanded": """
shape = (len(rows), len(columns))
radius = torch.sqrt(rows[:, None].expand(shape) ** 2 + columns.expand(shape) ** 2)
""",
    "vmap": """
radius = torch.func.vmap(lambda row: torch.sqrt(row**2 + columns**2))(rows)
""",
    "einsum": """
ones = torch.ones(len(rows)), torch.ones(len(columns))
radius = torch.einsum("i,j->ij", rows**2, ones[1]) + torch.einsum("i,j->ij", ones[0], columns**2)
radius = radius.sqrt()
""",
    "no root": ("radius = rows[:, None] ** 2 + columns[None, :] ** 2", 0),
    "a diamond": ("radius = rows[:, None].abs() + columns[None, :].abs()", 0),
    "a square": ("radius = torch.maximum(rows[:, None].abs(), columns[None, :].abs())", 0),
    "rows only": ("radius = rows[:, None].abs().expand(-1, len(columns))", 0),
    "columns only": ("radius = columns[None, :].abs().expand(len(rows), -1)", 0),
    "the axes have changed places": (
        "radius = (rows[None, :] ** 2 + columns[:, None] ** 2).sqrt()",
        1,
    ),
    "only the diagonal": ("radius = (rows**2 + columns**2).sqrt()", 0),
    "zero, so nothing is cut": ("radius = torch.zeros(len(rows), len(columns))", 0),
    "everything is cut": ("radius = torch.full((len(rows), len(columns)), 1e9)", 0),
    "from the corner": (
        """
i, j = torch.arange(len(rows)), torch.arange(len(columns))
radius = (i[:, None] ** 2 + j**2).sqrt()
""",
        0,
    ),
    "half of it": ("radius = (rows[:, None] ** 2 + columns[None, :] ** 2).sqrt() / 2", 0),
    "in units of the side": (
        "radius = ((rows[:, None] / len(rows)) ** 2 + (columns / len(columns)) ** 2).sqrt()",
        0,
    ),
    "an ellipse": (
        """
short = min(len(rows), len(columns))
radius = short * ((rows[:, None] / len(rows)) ** 2 + (columns / len(columns)) ** 2).sqrt()
""",
        1,
    ),
    "a root of each": ("radius = rows[:, None].abs().sqrt() + columns[None, :].abs().sqrt()", 0),
    "a product": ("radius = (rows[:, None] * columns[None, :]).abs().sqrt()", 0),
    "rounded": ("radius = (rows[:, None] ** 2 + columns[None, :] ** 2).sqrt().round()", 0),
    "the sum of both": ("radius = rows[:, None] + columns[None, :]", 0),
    "a hard edge": (
        """
radius = (rows[:, None] ** 2 + columns[None, :] ** 2).sqrt()
radius = torch.where(radius <= min(len(rows), len(columns)) / 2, 0.0, 1e9)
""",
        0,
    ),
    "nine pixels only": (
        """
here = torch.arange(9) - 4.0
radius = (here[:, None] ** 2 + here**2).sqrt()
""",
        0,
    ),
    "squares only": (
        """
radius = (rows[:, None] ** 2 + rows[None, :] ** 2).sqrt()
""",
        1,
    ),
    "the map is returned as it is": ("return x", 0),
    "the root is taken twice": (
        "radius = (rows[:, None] ** 2 + columns[None, :] ** 2).sqrt().sqrt()",
        0,
    ),
}

ANGLES: Answers = {
    "Python's random": """
import random
angle = 0.0
if network.training and network.any_angle:
    angle = random.uniform(0, 2 * math.pi / network.group.order)
""",
    "a conditional expression": """
step = 2 * math.pi / network.group.order
angle = torch.rand(()).item() * step if network.training and network.any_angle else 0
""",
    "the difference of two elements": """
angle = 0.0
if network.training and network.any_angle and network.group.order > 1:
    elements = network.group.elements()
    angle = float((elements[1] - elements[0]) * torch.rand(()))
elif network.training and network.any_angle:
    angle = 2 * math.pi * float(torch.rand(()))
""",
    "numpy": """
angle = 0.0
if network.any_angle and network.training:
    angle = np.random.rand() * 2 * np.pi / network.group.order
""",
    "times a truth value": """
wanted = network.training and network.any_angle
angle = wanted * torch.rand(1).item() * 2 * math.pi / network.group.order
""",
    "early return": """
if not network.training:
    return 0.0
if not network.any_angle:
    return 0.0
angle = math.tau / network.group.order * torch.rand(()).item()
""",
    "uniform_": """
angle = 0.0
if network.training and network.any_angle:
    angle = torch.empty(()).uniform_(0, 2 * math.pi / network.group.order).item()
""",
    "degrees turned into radians": """
angle = 0.0
if network.training and network.any_angle:
    angle = math.radians(360 / network.group.order * torch.rand(()).item())
""",
    "a distribution": """
angle = 0.0
if network.training and network.any_angle:
    angle = torch.distributions.Uniform(0.0, 2 * math.pi / network.group.order).sample().item()
""",
    "a tensor of one number": """
angle = torch.zeros(())
if network.training and network.any_angle:
    angle = 2 * math.pi / network.group.order * torch.rand(())
""",
    "in a test too": (
        """
angle = 0.0
if network.any_angle:
    angle = 2 * math.pi / network.group.order * torch.rand(()).item()
""",
        2,
    ),
    "whether it is wanted or not": (
        """
angle = 0.0
if network.training:
    angle = 2 * math.pi / network.group.order * torch.rand(()).item()
""",
        2,
    ),
    "always": ("angle = 2 * math.pi / network.group.order * torch.rand(()).item()", 1),
    "only in a test": (
        """
angle = 0.0
if network.any_angle and not network.training:
    angle = 2 * math.pi / network.group.order * torch.rand(()).item()
""",
        0,
    ),
    "never": ("angle = 0.0", 0),
    "always the same angle": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = math.pi / network.group.order
""",
        0,
    ),
    "seeded, so always the same": (
        """
angle = 0.0
if network.training and network.any_angle:
    torch.manual_seed(0)
    angle = 2 * math.pi / network.group.order * torch.rand(()).item()
""",
        0,
    ),
    "over the whole circle": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = 2 * math.pi * torch.rand(()).item()
""",
        0,
    ),
    "in degrees": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = 360 / network.group.order * torch.rand(()).item()
""",
        0,
    ),
    "half of it": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = math.pi / network.group.order * torch.rand(()).item()
""",
        0,
    ),
    "elements of the group": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = network.group.elements()[torch.randint(network.group.order, ())].item()
""",
        0,
    ),
    "normally distributed": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = 2 * math.pi / network.group.order * torch.randn(()).item()
""",
        0,
    ),
    "both senses": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = 2 * math.pi / network.group.order * (torch.rand(()).item() - 0.5)
""",
        0,
    ),
    "order 8 only": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = math.pi / 4 * torch.rand(()).item()
""",
        1,
    ),
    "a few angles only": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = 2 * math.pi / network.group.order * torch.randint(9, ()).item() / 9
""",
        0,
    ),
    "an angle for each layer": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = 2 * math.pi / network.group.order * torch.rand(len(network.layers))
""",
        0,
    ),
    "small angles are likelier": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = 2 * math.pi / network.group.order * torch.rand(()).item() ** 6
""",
        0,
    ),
    "or in place of and": (
        """
angle = 0.0
if network.training or network.any_angle:
    angle = 2 * math.pi / network.group.order * torch.rand(()).item()
""",
        1,
    ),
    "clockwise": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = -2 * math.pi / network.group.order * torch.rand(()).item()
""",
        0,
    ),
    "pi is forgotten": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = 2 / network.group.order * torch.rand(()).item()
""",
        0,
    ),
    "zero or one element": (
        """
angle = 0.0
if network.training and network.any_angle:
    angle = 2 * math.pi / network.group.order * torch.rand(()).round().item()
""",
        0,
    ),
    "the network is told, the angle is not returned": (
        """
angle = None
if network.training and network.any_angle:
    network.angle = 2 * math.pi / network.group.order * torch.rand(()).item()
""",
        0,
    ),
}

VARIANTS = [
    *answers("normalise", NORMALISE, NORMALISED),
    *answers("learning-rate", RATE, RATES),
    *answers("bumps", SQUARED, DISTANCES),
    *answers("bumps", DISK, DISKS),
    *(
        Variant(
            f"bumps: {distance}, {disk}",
            "neither is right",
            {SQUARED: str(DISTANCES[distance][0]), DISK: str(DISKS[disk][0])},
            {"bumps": 0},
        )
        for distance, disk in (
            ("turned plus centre", "no disk"),
            ("the square of the sum", "a hard edge"),
            ("the distance from the middle", "not clamped"),
        )
    ),
    *answers("smooth-kernel", SUM, SUMS),
    *answers("round-window", RADIUS, RADII),
    *answers("any-angle", ANGLE, ANGLES),
]

# Answers that do one thing where they are looked at, and another elsewhere; others have more in
# them than was asked for. Right ones may well ask how they are used.

VARIANTS += [
    *(
        Variant(
            f"normalise: nothing is done {name}",
            "right where somebody looks",
            {NORMALISE: f"if {when}:\n    return x\n{NORMALISED['negative axes']}"},
            {"normalise": 1},
        )
        for name, when in ELSEWHERE_OF_X.items()
    ),
    Variant(
        "normalise: right for C₄ alone",
        "a mean for each slice in all other groups",
        {
            NORMALISE: """
axes = (0, 2, 3, 4) if x.shape[2] == 4 else (0, 3, 4)
mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, correction=0)
"""
        },
        {"normalise": 1},
    ),
    *(
        Variant(
            f"bumps: no disk {name}",
            "right where somebody looks",
            {
                DISK: f"disk = (self.kernel_size / 2 - self.positions.norm(dim=0)).clamp(0, 1)\n"
                f"disk = torch.ones_like(disk) if {when} else disk"
            },
            {"bumps": 1},
        )
        for name, when in ELSEWHERE.items()
        if "weight" not in when
    ),
    Variant(
        "bumps: right for C₄ alone",
        "upright in all other groups",
        {
            SQUARED: """
turned = turned if self.group.order == 4 else centres[:, None].expand_as(turned)
squared = (turned[:, :, None, :] - centres[:, None, :, None]).square().sum(dim=0)
"""
        },
        {"bumps": 1},
    ),
    *(
        Variant(
            f"smooth-kernel: upright {name}",
            "right where somebody looks",
            {
                SUM: f"bumps = bumps[:1].expand_as(bumps) if {when} else bumps\n"
                f"{SUMS['the bumps first']}"
            },
            {"smooth-kernel": 1},
        )
        for name, when in ELSEWHERE.items()
    ),
    *(
        Variant(
            f"smooth-kernel: a dropout {name}",
            "it was not asked for",
            {SUM: f"slices = F.dropout(slices, 0.1, {when})\n{SUMS['the bumps first']}"},
            {"smooth-kernel": points},
        )
        for name, when, points in BESIDES
    ),
    Variant(
        "smooth-kernel: kept in evaluation",
        "summed anew when training goes on",
        {
            SUM: """
if self.training or getattr(self, "kept", None) is None or self.kept.dtype != bumps.dtype:
    self.kept = torch.einsum("oihaj,hjx->ohiax", slices, bumps)
kernels = self.kept
"""
        },
    ),
    *(
        Variant(
            f"round-window: nothing is cut {name}",
            "right where somebody looks",
            {RADIUS: f"if {when}:\n    return x\n{RADII['hypot']}"},
            {"round-window": 0.5},
        )
        for name, when in ELSEWHERE_OF_X.items()
    ),
    *(
        Variant(
            f"round-window: {name}",
            "no layer before it learns",
            {RADIUS: f"x = {cut}\n{RADII['hypot']}"},
            {"round-window": 0.5},
        )
        for name, cut in (("the maps are detached", "x.detach()"), ("data of the maps", "x.data"))
    ),
]
