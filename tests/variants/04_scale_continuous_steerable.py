"""Right and wrong solutions of lesson 4, as students write them.

Points: dilation 4, dilation-kernel 3, dilation-shift 3, continuous-kernel 4, monte-carlo-layer 3,
circular-harmonics 3, steering 3, act-on-fields 2, steerable-layer 4.
"""

from __future__ import annotations

from variants import ELSEWHERE, OTHERWISE, Variant


def catalogue(exercise: str, block: tuple[str, int], entries: list[tuple]) -> list[Variant]:
    """Return variants of one block: (name, why, code), and for a wrong one the points it keeps."""
    return [
        Variant(f"{exercise}: {name}", why, {block: code}, {exercise: kept[0]} if kept else {})
        for name, why, code, *kept in entries
    ]


# Section 1: scale.

SCALED, UNSCALED, SCALING, AREA = (("dilation-group", number) for number in range(4))
WHERE, DIVIDED = (("dilated-lifting-kernel", number) for number in range(2))
STEPS, SHIFTED = (("dilated-group-kernel", number) for number in range(2))

DILATIONS = [
    *catalogue(
        "dilation",
        SCALED,
        [
            ("mul", "the product of numbers", "product = torch.mul(h_prime, h)"),
            ("by logarithms", "logarithms add", "product = torch.exp(h.log() + h_prime.log())"),
            (
                "by steps",
                "whole steps add",
                "product = self.step ** (self.steps(h) + self.steps(h_prime)).to(h)",
            ),
            ("sum", "scales multiply", "product = h + h_prime", 3.5),
            ("quotient", "that is h · h'⁻¹", "product = h / h_prime", 3.5),
            (
                "round again",
                "scales do not come round",
                "product = torch.remainder(h * h_prime, self.elements()[-1] * self.step)",
                3.5,
            ),
            (
                "kept inside",
                "the product may lie outside",
                "product = (h * h_prime).clamp(1.0, self.elements()[-1].item())",
                3.5,
            ),
            ("the larger", "not a product", "product = torch.maximum(h, h_prime)", 3.5),
            ("matrix product", "of numbers", "product = h @ h_prime", 3.5),
            ("in place", "cannot broadcast", "h *= h_prime\nproduct = h", 3.5),
            ("product left open", "nothing done", "product = ...", 3.5),
        ],
    ),
    *catalogue(
        "dilation",
        UNSCALED,
        [
            ("reciprocal", "1/h", "inverse = h.reciprocal()"),
            ("power of −1", "1/h", "inverse = h**-1"),
            ("ones over h", "1/h", "inverse = torch.ones_like(h) / h"),
            ("by logarithms, back", "the sign changes", "inverse = torch.exp(-torch.log(h))"),
            ("steps back", "as many", "inverse = self.step ** -self.steps(h).to(h)"),
            ("h itself", "undoes nothing", "inverse = h.clone()", 3.5),
            ("minus h", "as for angles", "inverse = -h", 3.5),
            ("one minus h", "not an inverse", "inverse = 1 - h", 3.5),
            ("one over h²", "that undoes h twice", "inverse = 1 / h**2", 3.5),
            ("not below 1", "inverses lie outside", "inverse = (1 / h).clamp(min=1)", 3.5),
            ("reversed", "the order of the elements", "inverse = h.flip(0)", 3.5),
            ("in place, back", "h is changed too", "inverse = h.reciprocal_()", 3.5),
            ("step over h", "off by a step", "inverse = self.step / h", 3.5),
            ("inverse left open", "nothing done", "inverse = ...", 3.5),
        ],
    ),
    *catalogue(
        "dilation",
        SCALING,
        [
            (
                "diag_embed",
                "a diagonal of two",
                "representation = torch.diag_embed(torch.stack([h, h], dim=-1))",
            ),
            (
                "einsum",
                "an outer product with the identity",
                'representation = torch.einsum("...,ij->...ij", h, torch.eye(2).to(h))',
            ),
            (
                "rows",
                "stacked as in lesson 1",
                """
zero = torch.zeros_like(h)
rows = [torch.stack([h, zero], dim=-1), torch.stack([zero, h], dim=-1)]
representation = torch.stack(rows, dim=-2)
""",
            ),
            (
                "entry by entry",
                "two of four",
                """
representation = torch.zeros(*h.shape, 2, 2, dtype=h.dtype)
representation[..., 0, 0] = h
representation[..., 1, 1] = h
""",
            ),
            (
                "loop",
                "one matrix after the other",
                """
matrices = [[[a, 0.0], [0.0, a]] for a in h.flatten().tolist()]
representation = torch.tensor(matrices, dtype=h.dtype).reshape(*h.shape, 2, 2)
""",
            ),
            ("eye times h", "does not broadcast", "representation = torch.eye(2) * h", 3),
            (
                "filled",
                "h off the diagonal too",
                "representation = h[..., None, None].expand(*h.shape, 2, 2)",
                3,
            ),
            (
                "one axis",
                "only rows are moved",
                """
one, zero = torch.ones_like(h), torch.zeros_like(h)
rows = [torch.stack([h, zero], dim=-1), torch.stack([zero, one], dim=-1)]
representation = torch.stack(rows, dim=-2)
""",
                3,
            ),
            (
                "of the inverse",
                "that makes smaller",
                "representation = torch.eye(2).to(h) / h[..., None, None]",
                3,
            ),
            (
                "area on the diagonal",
                "lengths grow by h",
                "representation = torch.eye(2).to(h) * h[..., None, None] ** 2",
                3,
            ),
            (
                "a rotation",
                "from lesson 1",
                """
cos, sin = torch.cos(h), torch.sin(h)
rows = [torch.stack([cos, -sin], dim=-1), torch.stack([sin, cos], dim=-1)]
representation = torch.stack(rows, dim=-2)
""",
                3,
            ),
            (
                "one number only",
                "torch.tensor takes numbers",
                "representation = torch.tensor([[h, 0.0], [0.0, h]], dtype=h.dtype)",
                3,
            ),
            (
                "always a list",
                "one scale gets an axis too many",
                "representation = h.reshape(-1, 1, 1) * torch.eye(2).to(h)",
                3,
            ),
            (
                "axes in front",
                "the matrix axes come first",
                "representation = torch.eye(2).to(h).view(2, 2, *[1] * h.dim()) * h",
                3,
            ),
            ("matrix left open", "nothing done", "representation = ...", 3),
        ],
    ),
    *catalogue(
        "dilation",
        AREA,
        [
            ("square", "h²", "determinant = h.square()"),
            ("h times h", "h²", "determinant = h * h"),
            (
                "of the matrix",
                "its determinant",
                "determinant = torch.linalg.det(self.matrix_representation(h))",
            ),
            ("twice", "h · h has the scale h²", "determinant = self.product(h, h)"),
            ("by the inverse", "h over 1/h", "determinant = h / self.inverse(h)"),
            ("h", "the factor of lengths", "determinant = h", 2),
            ("one", "as for rotations", "determinant = torch.ones_like(h)", 2),
            ("twice h", "h² is not 2h", "determinant = 2 * h", 2),
            ("cube", "the factor of volumes", "determinant = h**3", 2),
            ("inverse area", "1/|h| is not |h|", "determinant = 1 / h**2", 2),
            ("by the dimension", "it is 1, that of H", "determinant = h**self.dimension", 2),
            ("of all", "one number for all scales", "determinant = (h**2).prod()", 2),
            ("root", "not the square", "determinant = h.sqrt()", 2),
            ("the trace", "2h", "determinant = self.matrix_representation(h).sum((-2, -1))", 2),
            ("item", "one scale only", "determinant = torch.tensor(h.item() ** 2)", 2),
            ("determinant left open", "nothing done", "determinant = ...", 2),
        ],
    ),
]

SEVERAL = [
    Variant(
        "dilation: as for angles",
        "lesson 1's methods",
        {
            SCALED: "product = torch.remainder(h + h_prime, 2 * math.pi)",
            UNSCALED: "inverse = torch.remainder(-h, 2 * math.pi)",
            SCALING: """
rows = [torch.stack([h.cos(), -h.sin()], -1), torch.stack([h.sin(), h.cos()], -1)]
representation = torch.stack(rows, dim=-2)
""",
            AREA: "determinant = torch.ones_like(h)",
        },
        {"dilation": 0},
    ),
    Variant(
        "dilation: as for logarithms",
        "right if elements were logarithms of scales, but they are scales",
        {
            SCALED: "product = h + h_prime",
            UNSCALED: "inverse = -h",
            SCALING: "representation = torch.exp(h)[..., None, None] * torch.eye(2).to(h)",
            AREA: "determinant = torch.exp(2 * h)",
        },
        {"dilation": 0},
    ),
    Variant(
        "dilation: numbers one by one",
        "tensors of several scales have no item",
        {
            SCALING: "representation = torch.tensor([[h.item(), 0.0], [0.0, h.item()]])",
            AREA: "determinant = torch.tensor(h.item() ** 2)",
        },
        {"dilation": 1},
    ),
    Variant(
        "dilation: all left open",
        "nothing done",
        {
            SCALED: "product = ...",
            UNSCALED: "inverse = ...",
            SCALING: "representation = ...",
            AREA: "determinant = ...",
        },
        {"dilation": 0},
    ),
]

DILATED = [
    *catalogue(
        "dilation-kernel",
        WHERE,
        [
            (
                "a loop",
                "stacked along the second axis",
                """
positions = torch.stack(
    [self.group.left_action_on_R2(self.group.inverse(h), self.grid_R2) for h in elements], dim=1
)
""",
            ),
            (
                "divided",
                "h⁻¹x is x/h",
                "positions = self.grid_R2[:, None] / elements.to(self.grid_R2).view(-1, 1, 1)",
            ),
            (
                "matrices",
                "the matrices of the inverses",
                """
matrices = self.group.matrix_representation(self.group.inverse(elements)).to(self.grid_R2)
positions = torch.einsum("nij,jxy->inxy", matrices, self.grid_R2)
""",
            ),
            (
                "inverted matrices",
                "inverses of the matrices",
                """
matrices = torch.linalg.inv(self.group.matrix_representation(elements)).to(self.grid_R2)
positions = (matrices @ self.grid_R2.flatten(1)).unflatten(2, self.grid_R2.shape[1:])
positions = positions.transpose(0, 1)
""",
            ),
            (
                "outer product",
                "each coordinate times each inverse",
                'positions = torch.einsum("cxy,n->cnxy", self.grid_R2, 1 / elements)',
            ),
            (
                "forward",
                "the inverse is missing: kernels shrink",
                "positions = self.group.left_action_on_R2(elements, self.grid_R2)",
                1,
            ),
            (
                "not moved",
                "all kernels have one size",
                "positions = self.grid_R2[:, None].expand(-1, len(elements), -1, -1)",
                1,
            ),
            (
                "moved twice",
                "grows by h²",
                """
back = self.group.inverse(elements)
positions = self.group.left_action_on_R2(self.group.product(back, back), self.grid_R2)
""",
                1,
            ),
            (
                "coordinates exchanged",
                "the kernel is transposed",
                """
positions = self.group.left_action_on_R2(self.group.inverse(elements), self.grid_R2.flip(0))
""",
                0.5,
            ),
            (
                "mirrored",
                "−h⁻¹x",
                """
positions = -self.group.left_action_on_R2(self.group.inverse(elements), self.grid_R2)
""",
                0.5,
            ),
            (
                "clamped",
                "outside there is nothing, not the border",
                """
positions = self.group.left_action_on_R2(self.group.inverse(elements), self.grid_R2)
positions = positions.clamp(-1, 1)
""",
                0.5,
            ),
            (
                "another grid",
                "from −1 to 1 over the large kernel",
                """
grid = create_grid_R2(self.kernel_size)
positions = self.group.left_action_on_R2(self.group.inverse(elements), grid)
""",
                0.5,
            ),
            (
                "step 2 hard-coded",
                "there are other steps",
                """
scales = 2.0 ** torch.arange(len(elements))
positions = self.grid_R2[:, None] / scales.view(-1, 1, 1)
""",
                1,
            ),
            (
                "root of the scale",
                "areas grow by h",
                "positions = self.grid_R2[:, None] / elements.sqrt().view(-1, 1, 1)",
                1,
            ),
            (
                "scales reversed",
                "the largest comes first",
                "positions = self.grid_R2[:, None] / elements.flip(0).view(-1, 1, 1)",
                0.5,
            ),
            (
                "scrambled",
                "stacked in front, then reshaped",
                """
back = self.group.inverse(elements)
grids = torch.stack([self.group.left_action_on_R2(h, self.grid_R2) for h in back])
positions = grids.reshape(2, len(back), *self.grid_R2.shape[1:])
""",
                0,
            ),
            ("positions left open", "nothing done", "positions = ...", 0),
        ],
    ),
    *catalogue(
        "dilation-kernel",
        DIVIDED,
        [
            (
                "broadcast by None",
                "the second axis",
                """
area = self.group.determinant(elements)
kernels = dilated / area[None, :, None, None, None]
""",
            ),
            (
                "areas of the inverses",
                "they multiply",
                """
area = self.group.determinant(self.group.inverse(elements))
kernels = dilated * area.view(1, -1, 1, 1, 1)
""",
            ),
            (
                "einsum with the areas",
                "along n",
                'kernels = torch.einsum("onixy,n->onixy", dilated, elements.to(dilated) ** -2)',
            ),
            (
                "loop over the scales",
                "one after the other",
                """
parts = [dilated[:, n] / self.group.determinant(h) for n, h in enumerate(elements)]
kernels = torch.stack(parts, dim=1)
""",
            ),
            (
                "axis moved",
                "last, divided, and back",
                """
kernels = dilated.movedim(1, -1) / self.group.determinant(elements)
kernels = kernels.movedim(-1, 1)
""",
            ),
            (
                "early return",
                "the same",
                "return dilated / (elements**2).view(-1, 1, 1, 1)",
            ),
            (
                "in place",
                "a tensor of our own",
                """
kernels = dilated.clone()
for n, h in enumerate(elements):
    kernels[:, n] /= h * h
""",
            ),
            ("no factor", "grows with the area", "kernels = dilated", 2),
            (
                "multiplied",
                "grows even more",
                "kernels = dilated * self.group.determinant(elements).view(-1, 1, 1, 1)",
                2,
            ),
            ("by h", "not |h|", "kernels = dilated / elements.view(-1, 1, 1, 1)", 2),
            (
                "twice",
                "too small",
                "kernels = dilated / self.group.determinant(elements).view(-1, 1, 1, 1) ** 2",
                2,
            ),
            ("by h³", "too small", "kernels = dilated / elements.view(-1, 1, 1, 1) ** 3", 2),
            (
                "along the last axis",
                "sizes do not match",
                "kernels = dilated / self.group.determinant(elements)",
                0,
            ),
            (
                "along the first axis",
                "the output channels",
                "kernels = dilated / self.group.determinant(elements).view(-1, 1, 1, 1, 1)",
                0,
            ),
            (
                "by the largest",
                "the same for all",
                "kernels = dilated / self.group.determinant(elements).max()",
                1.5,
            ),
            (
                "unit sums",
                "every kernel sums to 1",
                "kernels = dilated / dilated.sum(dim=(-2, -1), keepdim=True)",
                0,
            ),
            (
                "unit energy",
                "every kernel has the norm 1",
                "kernels = dilated / dilated.norm(dim=(-2, -1), keepdim=True)",
                0,
            ),
            (
                "detached",
                "the weights never learn",
                "kernels = dilated.detach() / self.group.determinant(elements).view(-1, 1, 1, 1)",
                1,
            ),
            (
                "a mean",
                "divided by the number of pixels",
                "kernels = dilated / self.kernel_size**2",
                1.5,
            ),
            ("kernels left open", "nothing done", "kernels = ...", 0),
        ],
    ),
]

SHIFTS = [
    *catalogue(
        "dilation-shift",
        STEPS,
        [
            (
                "steps subtracted",
                "of each element",
                """
steps = self.group.steps(elements)
steps = steps[None, :] - steps[:, None]
""",
            ),
            (
                "numbers subtracted",
                "element number i has i steps",
                """
number = torch.arange(self.group.order)
steps = number - number[:, None]
""",
            ),
            (
                "logarithms",
                "of the ratio",
                """
ratio = torch.log(elements[None, :] / elements[:, None]) / math.log(self.group.step)
steps = ratio.round().long()
""",
            ),
            (
                "row by row",
                "a loop over h",
                """
rows = [self.group.product(self.group.inverse(h), elements) for h in elements]
steps = self.group.steps(torch.stack(rows))
""",
            ),
            (
                "ratio",
                "h̃ over h",
                "steps = self.group.steps(elements[None, :] / elements[:, None])",
            ),
            (
                "transposed",
                "it looks at smaller scales",
                """
back = self.group.inverse(elements)
steps = self.group.steps(self.group.product(elements[:, None], back[None, :]))
""",
                2,
            ),
            (
                "no inverse",
                "steps add",
                "steps = self.group.steps(self.group.product(elements[:, None], elements))",
                0.5,
            ),
            (
                "without sign",
                "smaller scales count as larger",
                "steps = self.group.steps(elements[None, :] / elements[:, None]).abs()",
                0.5,
            ),
            (
                "cyclic",
                "there is no first scale after the last",
                "steps = self.group.steps(elements / elements[:, None]) % self.group.order",
                0.5,
            ),
            (
                "cut off at 0",
                "smaller scales get the first weights",
                "steps = self.group.steps(elements[None, :] / elements[:, None]).clamp(min=0)",
                0.5,
            ),
            (
                "counted from 1",
                "one too many",
                "steps = self.group.steps(elements[None, :] / elements[:, None]) + 1",
                0.5,
            ),
            (
                "scales for steps",
                "the product itself",
                "steps = elements[None, :] / elements[:, None]",
                0,
            ),
            (
                "coordinates",
                "from −1 to 1",
                "steps = self.group.normalize_group_elements(elements / elements[:, None])",
                0,
            ),
            (
                "no steps",
                "nothing shifts",
                "steps = torch.zeros(self.group.order, self.group.order, dtype=torch.long)",
                0,
            ),
            (
                "the same row",
                "h has no part in it",
                "steps = self.group.steps(elements)[None, :].expand(self.group.order, -1)",
                0.5,
            ),
            (
                "one axis only",
                "pairs are wanted",
                "steps = self.group.steps(self.group.inverse(elements) * elements)",
                0,
            ),
            ("steps left open", "nothing done", "steps = ...", 0),
        ],
    ),
    *catalogue(
        "dilation-shift",
        SHIFTED,
        [
            (
                "one-hot",
                "a sum with zeros and ones",
                """
chosen = torch.stack([self.steps == m for m in range(self.scales)]).to(dilated)
kernels = torch.einsum("ohimxy,mhp->ohipxy", dilated, chosen)
""",
            ),
            (
                "looked up and masked",
                "what is out of range becomes 0",
                """
valid = ((self.steps >= 0) & (self.steps < self.scales)).to(dilated)
place = self.steps.clamp(0, self.scales - 1)
kernels = torch.stack([dilated[:, h][:, :, place[h]] for h in range(n)], dim=1)
kernels = kernels * valid.view(1, n, 1, n, 1, 1)
""",
            ),
            (
                "slices",
                "from the diagonal on",
                """
kernels = torch.zeros(self.out_channels, n, self.in_channels, n, size, size).to(dilated)
for h in range(n):
    count = min(self.scales, n - h)
    kernels[:, h, :, h : h + count] = dilated[:, h, :, :count]
""",
            ),
            (
                "stacked pairs",
                "lists of kernels and zeros",
                """
rows = []
for h in range(n):
    row = []
    for other in range(n):
        m = int(self.steps[h, other])
        one = dilated[:, h, :, 0]
        row.append(dilated[:, h, :, m] if 0 <= m < self.scales else torch.zeros_like(one))
    rows.append(torch.stack(row, dim=2))
kernels = torch.stack(rows, dim=1)
""",
            ),
            (
                "padded",
                "zeros behind the weights, then moved on",
                """
rows = []
for h in range(n):
    room = F.pad(dilated[:, h], (0, 0, 0, 0, h, n))
    rows.append(room[:, :, :n])
kernels = torch.stack(rows, dim=1)
""",
            ),
            (
                "filled by nonzero",
                "for each number of steps its pairs",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for m in range(self.scales):
    for h, other in (self.steps == m).nonzero().tolist():
        kernels[:, h, :, other] = dilated[:, h, :, m]
""",
            ),
            (
                "cyclic kernels",
                "there is no first scale after the last",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h in range(n):
    for m in range(self.scales):
        kernels[:, h, :, (h + m) % n] = dilated[:, h, :, m]
""",
                0.5,
            ),
            (
                "negative numbers",
                "they count from the end",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h in range(n):
    for other in range(n):
        if self.steps[h, other] < self.scales:
            kernels[:, h, :, other] = dilated[:, h, :, self.steps[h, other]]
""",
                0.5,
            ),
            (
                "the other element's size",
                "the kernel belongs to h, not to h̃",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h, other in itertools.product(range(n), range(n)):
    m = self.steps[h, other].item()
    if 0 <= m < self.scales:
        kernels[:, h, :, other] = dilated[:, other, :, m]
""",
                0.5,
            ),
            (
                "pairs exchanged",
                "it looks at smaller scales",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h, other in itertools.product(range(n), range(n)):
    m = self.steps[h, other].item()
    if 0 <= m < self.scales:
        kernels[:, other, :, h] = dilated[:, other, :, m]
""",
                2,
            ),
            (
                "first weights only",
                "the others are never used",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h in range(n):
    kernels[:, h, :, h] = dilated[:, h, :, 0]
""",
                0,
            ),
            (
                "last weights left out",
                "steps go to S − 1",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h, other in itertools.product(range(n), range(n)):
    m = self.steps[h, other].item()
    if 0 <= m < self.scales - 1:
        kernels[:, h, :, other] = dilated[:, h, :, m]
""",
                0,
            ),
            (
                "one step too far",
                "there are no weights for S steps",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h, other in itertools.product(range(n), range(n)):
    m = self.steps[h, other].item()
    if 0 <= m <= self.scales:
        kernels[:, h, :, other] = dilated[:, h, :, m]
""",
                0,
            ),
            (
                "last weights repeated",
                "larger scales are zero",
                """
place = self.steps.clamp(0, self.scales - 1)
kernels = torch.stack([dilated[:, h][:, :, place[h]] for h in range(n)], dim=1)
""",
                0.5,
            ),
            (
                "weights backwards",
                "the first are those of h itself",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h, other in itertools.product(range(n), range(n)):
    m = self.steps[h, other].item()
    if 0 <= m < self.scales:
        kernels[:, h, :, other] = dilated[:, h, :, self.scales - 1 - m]
""",
                0.5,
            ),
            (
                "ones for zeros",
                "where there is no weight",
                """
kernels = dilated.new_ones(self.out_channels, n, self.in_channels, n, size, size)
for h, other in itertools.product(range(n), range(n)):
    m = self.steps[h, other].item()
    if 0 <= m < self.scales:
        kernels[:, h, :, other] = dilated[:, h, :, m]
""",
                0.5,
            ),
            (
                "shift not by h",
                "all scales look at the first ones",
                """
kernels = F.pad(dilated, (0, 0, 0, 0, 0, n))[:, :, :, :n]
""",
                0.5,
            ),
            (
                "weights summed",
                "over the steps",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h in range(n):
    kernels[:, h, :, h] = dilated[:, h].sum(dim=2)
""",
                0,
            ),
            (
                "a mean over the scales",
                "divided once more",
                """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h, other in itertools.product(range(n), range(n)):
    m = self.steps[h, other].item()
    if 0 <= m < self.scales:
        kernels[:, h, :, other] = dilated[:, h, :, m] / n
""",
                0.5,
            ),
            (
                "detached kernels",
                "the weights never learn",
                """
kernels = torch.zeros(self.out_channels, n, self.in_channels, n, size, size)
for h, other in itertools.product(range(n), range(n)):
    m = self.steps[h, other].item()
    if 0 <= m < self.scales:
        kernels[:, h, :, other] = dilated[:, h, :, m].detach()
""",
                1,
            ),
            ("kernels left open", "nothing done", "kernels = ...", 0),
        ],
    ),
]


# Section 2: continuous kernels.

ASKED, RELATIVE, SUMMED = (("continuous-kernel", number) for number in range(3))
DRAWN, ESTIMATE = (("monte-carlo-convolution", number) for number in range(2))

CONTINUOUS = [
    *catalogue(
        "continuous-kernel",
        ASKED,
        [
            (
                "minus the angle",
                "the inverse of a rotation",
                "positions = self.rotations.left_action_on_R2(-outer, self.grid_R2)",
            ),
            (
                "written out",
                "the inverse matrix",
                """
cos, sin = outer.cos().view(-1, 1, 1), outer.sin().view(-1, 1, 1)
r0, r1 = self.grid_R2
positions = torch.stack([cos * r0 + sin * r1, -sin * r0 + cos * r1])
""",
            ),
            (
                "a loop over the angles",
                "stacked along the second axis",
                """
back = [self.rotations.inverse(h) for h in outer]
positions = torch.stack(
    [self.rotations.left_action_on_R2(h, self.grid_R2) for h in back], dim=1
)
""",
            ),
            (
                "transposed matrices",
                "the transpose undoes a rotation",
                """
matrices = self.rotations.matrix_representation(outer)
positions = torch.einsum("nji,jxy->inxy", matrices, self.grid_R2)
""",
            ),
            (
                "complex numbers",
                "times a number of length 1",
                """
z = torch.complex(self.grid_R2[0], self.grid_R2[1])
z = z * torch.polar(torch.ones_like(outer), -outer).view(-1, 1, 1)
positions = torch.stack([z.real, z.imag])
""",
            ),
            (
                "forward",
                "the inverse is missing",
                "positions = self.rotations.left_action_on_R2(outer, self.grid_R2)",
                3,
            ),
            (
                "not turned",
                "the same grid for every angle",
                "positions = self.grid_R2[:, None].expand(-1, len(outer), -1, -1)",
                1,
            ),
            (
                "coordinates exchanged",
                "rows for columns",
                "positions = self.rotations.left_action_on_R2(-outer, self.grid_R2.flip(0))",
                1,
            ),
            (
                "degrees",
                "angles are in radians",
                "positions = self.rotations.left_action_on_R2(-torch.deg2rad(outer), self.grid_R2)",
                1,
            ),
            (
                "quarter turns",
                "the nearest one",
                """
near = torch.round(outer / (math.pi / 2)) * (math.pi / 2)
positions = self.rotations.left_action_on_R2(-near, self.grid_R2)
""",
                1,
            ),
            (
                "half the angle",
                "does not turn far enough",
                "positions = self.rotations.left_action_on_R2(-outer / 2, self.grid_R2)",
                1,
            ),
            (
                "input angles",
                "the kernel is turned by h",
                "positions = self.rotations.left_action_on_R2(-inner, self.grid_R2)",
                0.5,
            ),
            (
                "one angle only",
                "the first",
                """
positions = self.rotations.left_action_on_R2(-outer[:1], self.grid_R2)
positions = positions.expand(-1, len(outer), -1, -1)
""",
                1,
            ),
            ("positions left open", "nothing done", "positions = ...", 0),
        ],
    ),
    *catalogue(
        "continuous-kernel",
        RELATIVE,
        [
            (
                "by the group",
                "product and inverse",
                """
back = self.rotations.inverse(outer)
relative = self.rotations.product(back[:, None], inner[None, :])
""",
            ),
            (
                "the other order",
                "h̃⁻¹h is right too",
                "relative = outer[:, None] - inner[None, :]",
            ),
            (
                "row by row",
                "a loop over h",
                "relative = torch.stack([inner - h for h in outer])",
            ),
            (
                "on the circle",
                "modulo 2π",
                "relative = (inner.unsqueeze(0) - outer.unsqueeze(1)) % (2 * math.pi)",
            ),
            ("sum of angles", "the inverse is missing", "relative = inner + outer[:, None]", 3),
            (
                "input angles only",
                "h has no part in it",
                "relative = inner[None, :].expand(len(outer), -1)",
                3,
            ),
            (
                "output angles only",
                "h̃ has no part in it",
                "relative = outer[:, None].expand(-1, len(inner))",
                3,
            ),
            ("no sign", "left and right alike", "relative = (inner - outer[:, None]).abs()", 3),
            ("half angles", "not the angle", "relative = (inner - outer[:, None]) / 2", 3),
            (
                "in degrees",
                "cosines want radians",
                "relative = torch.rad2deg(inner - outer[:, None])",
                3,
            ),
            ("angles transposed", "h̃ comes first", "relative = inner[:, None] - outer", 0.5),
            ("pair by pair", "all pairs are wanted", "relative = inner - outer", 0),
            (
                "no angles",
                "all zero",
                "relative = torch.zeros(len(outer), len(inner))",
                1,
            ),
            ("relative left open", "nothing done", "relative = ...", 0),
        ],
    ),
    *catalogue(
        "continuous-kernel",
        SUMMED,
        [
            (
                "in two steps",
                "first over space, then over the group",
                """
parts = torch.einsum("oitj,jnxy->oitnxy", self.weight, space)
kernels = torch.einsum("oitnxy,tnm->onimxy", parts, pose)
""",
            ),
            (
                "a loop over the waves",
                "one product for each t",
                """
kernels = 0
for t in range(len(pose)):
    part = torch.tensordot(self.weight[:, :, t], space, dims=1)  # [C_out, C_in, N, k, k]
    kernels = kernels + part.movedim(1, 2)[:, :, :, None] * pose[t].view(
        1, len(outer), 1, len(inner), 1, 1
    )
""",
            ),
            (
                "one basis",
                "products of both kinds of functions",
                """
basis = space[None, :, :, None] * pose[:, None, :, :, None, None]  # [T, J, N, M, k, k]
kernels = torch.tensordot(self.weight, basis, dims=2).transpose(1, 2)
""",
            ),
            (
                "matrix product",
                "weights times a matrix of all functions",
                """
basis = torch.einsum("jnxy,tnm->tjnmxy", space, pose)
kernels = self.weight.flatten(2) @ basis.flatten(0, 1).flatten(1)
kernels = kernels.unflatten(2, basis.shape[2:]).transpose(1, 2)
""",
            ),
            (
                "other letters",
                "names mean nothing",
                'return torch.einsum("tnm,abtj,jnxy->anbmxy", pose, self.weight, space)',
            ),
            (
                "channels exchanged",
                "outputs come first",
                'kernels = torch.einsum("iotj,jnxy,tnm->onimxy", self.weight, space, pose)',
                0.5,
            ),
            (
                "angles exchanged",
                "outputs come first here, too",
                'kernels = torch.einsum("oitj,jnxy,tnm->ominxy", self.weight, space, pose)',
                0.5,
            ),
            (
                "input angle before the channel",
                "the axes are in another order",
                'kernels = torch.einsum("oitj,jnxy,tnm->onmixy", self.weight, space, pose)',
                1,
            ),
            (
                "a mean over the functions",
                "a sum is wanted",
                """
kernels = torch.einsum("oitj,jnxy,tnm->onimxy", self.weight, space, pose) / len(space)
""",
                1,
            ),
            (
                "first wave only",
                "the group has no part in it",
                """
kernels = torch.einsum("oij,jnxy->onixy", self.weight[:, :, 0], space)[:, :, :, None]
kernels = kernels.expand(-1, -1, -1, len(inner), -1, -1)
""",
                1,
            ),
            (
                "detached",
                "the weights never learn",
                """
kernels = torch.einsum("oitj,jnxy,tnm->onimxy", self.weight.detach(), space, pose)
""",
                1,
            ),
            (
                "weights in another order",
                "t and j are exchanged",
                'kernels = torch.einsum("oijt,jnxy,tnm->onimxy", self.weight, space, pose)',
                0,
            ),
            (
                "cut off",
                "not linear in the weights",
                """
kernels = F.relu(torch.einsum("oitj,jnxy,tnm->onimxy", self.weight, space, pose))
""",
                0.5,
            ),
            (
                "the disk twice",
                "it is in the harmonics already",
                """
kernels = torch.einsum("oitj,jnxy,tnm->onimxy", self.weight, space, pose)
radius = self.grid_R2.norm(dim=0) * (self.kernel_size - 1) / 2
kernels = kernels * (self.kernel_size / 2 - radius).clamp(0, 1)
""",
                1,
            ),
            ("kernels left open", "nothing done", "kernels = ...", 0),
        ],
    ),
]

ESTIMATES = [
    *catalogue(
        "monte-carlo-layer",
        DRAWN,
        [
            (
                "uniform",
                "between 0 and 2π",
                "angles = torch.empty(self.samples).uniform_(0, 2 * math.pi)",
            ),
            (
                "numpy",
                "its uniform numbers",
                """
angles = torch.as_tensor(np.random.uniform(0, 2 * np.pi, self.samples), dtype=torch.float32)
""",
            ),
            (
                "a distribution",
                "torch's uniform one",
                """
circle = torch.distributions.Uniform(0.0, 2 * math.pi)
angles = circle.sample((self.samples,))
""",
            ),
            (
                "from −π",
                "brought back to the circle",
                "angles = (math.pi * (2 * torch.rand(self.samples) - 1)) % (2 * math.pi)",
            ),
            (
                "a turned even grid",
                "each angle is equally likely, and the spread is even",
                """
even = torch.arange(self.samples) / self.samples
angles = 2 * math.pi * ((even + torch.rand(1)) % 1)
""",
            ),
            (
                "one in each sector",
                "stratified",
                """
number = torch.arange(self.samples)
angles = (number + torch.rand(self.samples)) * (2 * math.pi / self.samples)
""",
            ),
            (
                "sorted",
                "the order does not matter",
                "angles = torch.sort(2 * math.pi * torch.rand(self.samples)).values",
            ),
            ("up to 1", "2π is missing", "angles = torch.rand(self.samples)", 2.5),
            ("half a circle", "π is half", "angles = math.pi * torch.rand(self.samples)", 2.5),
            ("degrees", "radians", "angles = 360 * torch.rand(self.samples)", 2.5),
            (
                "normal",
                "leaves the circle",
                "angles = 2 * math.pi * torch.randn(self.samples)",
                2.5,
            ),
            (
                "normal, wrapped",
                "not equally likely",
                "angles = torch.randn(self.samples) % (2 * math.pi)",
                2.5,
            ),
            (
                "squared",
                "small angles are more likely",
                "angles = 2 * math.pi * torch.rand(self.samples) ** 2",
                2.5,
            ),
            (
                "quarter turns",
                "other angles never come",
                "angles = torch.randint(4, (self.samples,)) * (math.pi / 2)",
                2.5,
            ),
            (
                "an even grid",
                "nothing is random",
                "angles = torch.arange(self.samples) * (2 * math.pi / self.samples)",
                2.5,
            ),
            (
                "one for all",
                "the same angle N times",
                "angles = 2 * math.pi * torch.rand(1).repeat(self.samples)",
                2.5,
            ),
            ("a single one", "N are wanted", "angles = 2 * math.pi * torch.rand(1)", 2),
            (
                "seeded",
                "the same in each step",
                """
generator = torch.Generator().manual_seed(0)
angles = 2 * math.pi * torch.rand(self.samples, generator=generator)
""",
                2,
            ),
            (
                "drawn once",
                "kept for all steps",
                """
if not hasattr(self, "kept"):
    self.kept = 2 * math.pi * torch.rand(self.samples)
angles = self.kept
""",
                2,
            ),
            (
                "linspace",
                "not random, and 2π is 0",
                "angles = torch.linspace(0, 2 * math.pi, self.samples)",
                2,
            ),
            ("angles left open", "nothing done", "angles = ...", 2),
        ],
    ),
    *catalogue(
        "monte-carlo-layer",
        ESTIMATE,
        [
            (
                "kernels divided",
                "the factor may stand anywhere",
                """
folded = (kernels / len(inner)).flatten(0, 1).flatten(1, 2)
x = F.conv2d(x.flatten(1, 2), folded, padding=self.padding)
""",
            ),
            (
                "a mean of convolutions",
                "one for each input angle",
                """
parts = [
    F.conv2d(x[:, :, m], kernels[:, :, :, m].flatten(0, 1), padding=self.padding)
    for m in range(len(inner))
]
x = torch.stack(parts).mean(dim=0)
""",
            ),
            (
                "output angles one by one",
                "stacked behind the channels",
                """
y, folded = x.flatten(1, 2), kernels.flatten(2, 3)
slices = [
    F.conv2d(y, folded[:, n], padding=self.padding) / kernels.shape[3] for n in range(len(outer))
]
x = torch.stack(slices, dim=2).flatten(1, 2)
""",
            ),
            (
                "reshape",
                "the sizes written out",
                """
o, n, i, m, k, _ = kernels.shape
x = x.reshape(x.shape[0], i * m, *x.shape[-2:]) / m
x = F.conv2d(x, kernels.reshape(o * n, i * m, k, k), padding=self.padding)
""",
            ),
            (
                "padded first",
                "zeros around the image",
                """
room = F.pad(x.flatten(1, 2), (self.padding,) * 4)
x = F.conv2d(room, kernels.flatten(0, 1).flatten(1, 2)) / x.shape[2]
""",
            ),
            (
                "a sum",
                "grows with the number of angles",
                """
folded = kernels.flatten(0, 1).flatten(1, 2)
x = F.conv2d(x.flatten(1, 2), folded, padding=self.padding)
""",
                1,
            ),
            (
                "divided by N",
                "the output angles are not summed over",
                """
folded = kernels.flatten(0, 1).flatten(1, 2)
x = F.conv2d(x.flatten(1, 2), folded, padding=self.padding) / self.samples
""",
                1,
            ),
            (
                "divided by the root",
                "that would keep the spread, not the mean",
                """
folded = kernels.flatten(0, 1).flatten(1, 2)
x = F.conv2d(x.flatten(1, 2), folded, padding=self.padding) / math.sqrt(len(inner))
""",
                1,
            ),
            (
                "channels in the mean",
                "they are summed",
                """
y, folded = x.flatten(1, 2), kernels.flatten(0, 1).flatten(1, 2)
x = F.conv2d(y, folded, padding=self.padding) / y.shape[1]
""",
                1,
            ),
            (
                "padding forgotten",
                "the result is too small",
                """
folded = kernels.flatten(0, 1).flatten(1, 2)
x = F.conv2d(x.flatten(1, 2), folded) / len(inner)
""",
                2.5,
            ),
            (
                "folded in another order",
                "angles first in the input, channels first in the kernels",
                """
folded = kernels.flatten(0, 1).flatten(1, 2)
x = F.conv2d(x.transpose(1, 2).flatten(1, 2), folded, padding=self.padding) / len(inner)
""",
                1,
            ),
            (
                "output angles first",
                "N must count fast",
                """
folded = kernels.transpose(0, 1).flatten(0, 1).flatten(1, 2)
x = F.conv2d(x.flatten(1, 2), folded, padding=self.padding) / len(inner)
""",
                1,
            ),
            (
                "first angle only",
                "the others are left out",
                "x = F.conv2d(x[:, :, 0], kernels[:, :, :, 0].flatten(0, 1), padding=self.padding)",
                1,
            ),
            (
                "means of both",
                "the mean of products is not the product of means",
                """
folded = kernels.mean(dim=3).flatten(0, 1)
x = F.conv2d(x.mean(dim=2), folded, padding=self.padding)
""",
                1,
            ),
            (
                "the largest",
                "not the mean",
                """
parts = [
    F.conv2d(x[:, :, m], kernels[:, :, :, m].flatten(0, 1), padding=self.padding)
    for m in range(len(inner))
]
x = torch.stack(parts).amax(dim=0)
""",
                1,
            ),
            (
                "with a ReLU",
                "the network does that",
                """
folded = kernels.flatten(0, 1).flatten(1, 2)
x = F.relu(F.conv2d(x.flatten(1, 2), folded, padding=self.padding) / len(inner))
""",
                1,
            ),
            ("estimate left open", "nothing done", "x = ...", 1),
        ],
    ),
    Variant(
        "monte-carlo-layer: all left open",
        "nothing done",
        {DRAWN: "angles = ...", ESTIMATE: "x = ..."},
        {"monte-carlo-layer": 0},
    ),
    Variant(
        "monte-carlo-layer: one angle, and a fold in another order",
        "neither draws nor sums as it should",
        {
            DRAWN: "angles = 2 * math.pi * torch.rand(1)",
            ESTIMATE: """
folded = kernels.flatten(0, 1).flatten(1, 2)
x = F.conv2d(x.transpose(1, 2).flatten(1, 2), folded, padding=self.padding)
""",
        },
        {"monte-carlo-layer": 0},
    ),
    Variant(
        "monte-carlo-layer: seeded, and not folded",
        "five axes are no image",
        {
            DRAWN: "torch.manual_seed(0)\nangles = 2 * math.pi * torch.rand(self.samples)",
            ESTIMATE: "x = F.conv2d(x, kernels, padding=self.padding)",
        },
        {"monte-carlo-layer": 0},
    ),
]

# Answers that please tests. What does not do what the exercise asks keeps a third at most.

PLEASING = [
    Variant(
        "dilation: right for the scale 2 alone",
        "h + 2 and 2h are h² there",
        {AREA: "determinant = h + 2"},
        {"dilation": 2},
    ),
    Variant(
        "dilation: in float32",
        "what is given in float64 comes back in float32",
        {SCALED: "product = (h * h_prime).float()", UNSCALED: "inverse = (1 / h).float()"},
        {"dilation": 3},
    ),
    Variant(
        "dilation-kernel: without gradients",
        "right numbers, but the weights never learn",
        {
            DIVIDED: """
with torch.no_grad():
    kernels = dilated / self.group.determinant(elements).view(-1, 1, 1, 1)
"""
        },
        {"dilation-kernel": 1},
    ),
    Variant(
        "dilation-shift: data of the kernels",
        "right numbers, but the weights never learn",
        {
            SHIFTED: """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h, other in itertools.product(range(n), range(n)):
    if 0 <= self.steps[h, other] < self.scales:
        kernels[:, h, :, other] = dilated.data[:, h, :, self.steps[h, other]]
"""
        },
        {"dilation-shift": 1},
    ),
    Variant(
        "continuous-kernel: data of the weight",
        "right numbers, but the weight never learns",
        {SUMMED: 'kernels = torch.einsum("oitj,jnxy,tnm->onimxy", self.weight.data, space, pose)'},
        {"continuous-kernel": 1},
    ),
    *[
        Variant(
            f"monte-carlo-layer: {name}",
            why,
            {
                ESTIMATE: f"""
folded = {kernels}.flatten(0, 1).flatten(1, 2)
x = F.conv2d({features}.flatten(1, 2), folded, padding=self.padding) / len(inner)
"""
            },
            {"monte-carlo-layer": 1},
        )
        for name, why, kernels, features in (
            ("kernels detached", "the weights never learn", "kernels.detach()", "x"),
            ("data of the kernels", "the weights never learn", "kernels.data", "x"),
            ("input detached", "no layer before it learns", "kernels", "x.detach()"),
            ("data of the input", "no layer before it learns", "kernels", "x.data"),
        )
    ],
    Variant(
        "monte-carlo-layer: the mean of the features",
        "no kernel has a part in it",
        {
            ESTIMATE: """
k = self.kernel.kernel_size
flat = F.pad(x.mean(dim=(1, 2), keepdim=True)[:, :, 0], (self.padding,) * 4)
x = F.avg_pool2d(flat, k, stride=1).expand(-1, len(kernels) * len(outer), -1, -1)
"""
        },
        {"monte-carlo-layer": 1},
    ),
]

# Right answers in forms that are seldom seen.

FORMS = [
    Variant(
        "dilation: logarithms and diagonals",
        "scales as exponents",
        {
            SCALED: "product = torch.exp(torch.log(h) + torch.log(h_prime))",
            UNSCALED: "inverse = h.reciprocal()",
            SCALING: "representation = torch.diag_embed(h[..., None].expand(*h.shape, 2))",
            AREA: "determinant = torch.linalg.det(self.matrix_representation(h)).abs()",
        },
    ),
    Variant(
        "dilation: vmap",
        "a matrix for one scale, mapped over all",
        {
            SCALING: """
one = lambda scale: scale * torch.eye(2, dtype=h.dtype)
representation = torch.func.vmap(one)(h.reshape(-1)).reshape(*h.shape, 2, 2)
"""
        },
    ),
    Variant(
        "dilation-kernel: vmap over the scales",
        "positions for one scale, mapped over all",
        {
            WHERE: """
def one(h):
    return self.group.left_action_on_R2(self.group.inverse(h), self.grid_R2)

positions = torch.func.vmap(one, out_dims=1)(elements)
""",
            DIVIDED: """
kernels = torch.einsum("ohixy,h->ohixy", dilated, 1 / self.group.determinant(elements).to(dilated))
""",
        },
    ),
    Variant(
        "dilation-shift: a table of places",
        "a row of zeros behind the weights, looked up where there are none",
        {
            SHIFTED: """
padded = torch.cat([dilated, torch.zeros_like(dilated[:, :, :, :1])], dim=3)
place = torch.where((self.steps < 0) | (self.steps >= self.scales), self.scales, self.steps)
kernels = torch.stack([padded[:, h][:, :, place[h]] for h in range(n)], dim=1)
"""
        },
    ),
    Variant(
        "dilation-shift: one-hot and einsum",
        "what lies outside has no one in its row",
        {
            SHIFTED: """
ones = (self.steps[..., None] == torch.arange(self.scales)).to(dilated)
kernels = torch.einsum("hgm,ohimxy->ohigxy", ones, dilated)
"""
        },
    ),
    Variant(
        "continuous-kernel: vmap over the output angles",
        "everything for one angle, mapped over all",
        {
            SUMMED: """
def one(space, pose):
    return torch.tensordot(torch.tensordot(self.weight, pose, ([2], [0])), space, ([2], [0]))

kernels = torch.func.vmap(one, in_dims=(1, 1), out_dims=1)(space, pose)
"""
        },
    ),
    Variant(
        "monte-carlo-layer: uniform_, and einsum",
        "the convolution as a product with all patches",
        {
            DRAWN: "angles = torch.empty(self.samples).uniform_(0, 2 * math.pi)",
            ESTIMATE: """
k, height, width = self.kernel.kernel_size, *x.shape[-2:]
patches = F.unfold(x.flatten(1, 2), k, padding=self.padding)
maps = torch.einsum("onp,bpl->bonl", kernels.flatten(2), patches) / len(inner)
x = maps.flatten(1, 2).unflatten(-1, (height + 2 * self.padding - k + 1, -1))
""",
        },
    ),
    Variant(
        "monte-carlo-layer: NumPy's random numbers, and vmap",
        "a convolution for each input angle, then the mean",
        {
            DRAWN: "angles = torch.from_numpy(np.random.uniform(0, 2 * np.pi, self.samples))",
            ESTIMATE: """
one = lambda maps, kernel: F.conv2d(maps, kernel.flatten(0, 1), padding=self.padding)
x = torch.func.vmap(one, in_dims=(2, 3))(x, kernels).mean(dim=0)
""",
        },
    ),
]

# A helper that stands in the class of another answer, beside a mistake made there.

HELPED = [
    Variant(
        "dilation-shift: a method of the lifting kernel, and a wrong factor",
        "the mistake is in the class that the method stands in",
        {
            DIVIDED: "kernels = dilated",
            STEPS: "steps = self.steps_between(elements)",
        },
        {"dilation-kernel": 2},
        edits={
            "dilated-lifting-kernel": [
                (
                    "    def sample(self)",
                    "    def steps_between(self, h):\n"
                    "        back = self.group.inverse(h)[:, None]\n"
                    "        return self.group.steps(self.group.product(back, h))\n\n"
                    "    def sample(self)",
                )
            ]
        },
    ),
]


# Section 3: steerable kernels.

RINGS, WAVE = (("circular-harmonics", number) for number in range(2))
TURNED, STEERED = (("steering", number) for number in range(2))
ACTED = ("act-on-fields", 0)
FREQUENCY, KERNELS = (("steerable-layer", number) for number in range(2))

DISK = "disk = (kernel_size / 2 - radius).clamp(0, 1)\n"

HARMONICS = [
    *catalogue(
        "circular-harmonics",
        RINGS,
        [
            (
                "in one line",
                "the same",
                "rings = (kernel_size / 2 - radius).clamp(0, 1) * "
                "torch.exp(-0.5 * ((radius - centres) / width) ** 2)",
            ),
            (
                "a loop over the radii",
                "stacked along the first axis",
                DISK
                + """
rings = torch.stack(
    [disk * torch.exp(-((radius - r) ** 2) / (2 * width**2)) for r in centres.flatten()]
)
""",
            ),
            (
                "torch.minimum and torch.relu",
                "another way to cut off",
                """
edge = torch.relu(kernel_size / 2 - radius)
disk = torch.minimum(edge, torch.ones_like(edge))
rings = disk * torch.exp(-torch.square(radius - centres) / (2 * width * width))
""",
            ),
            (
                "torch.where",
                "three cases",
                """
edge = kernel_size / 2 - radius
disk = torch.where(edge > 1, 1.0, torch.where(edge < 0, 0.0, edge))
rings = torch.exp(-((centres - radius) ** 2) / (2 * width**2)) * disk
""",
            ),
            (
                "a normal density",
                "without its factor",
                DISK
                + """
density = torch.distributions.Normal(centres, width)
rings = disk * torch.exp(density.log_prob(radius) - density.log_prob(centres))
""",
            ),
            (
                "no disk",
                "the corners stay",
                "rings = torch.exp(-((radius - centres) ** 2) / (2 * width**2))",
                1.5,
            ),
            (
                "a hard disk",
                "its edge has to be soft",
                "disk = (radius <= kernel_size / 2).to(radius)\n"
                "rings = disk * torch.exp(-((radius - centres) ** 2) / (2 * width**2))",
                1.5,
            ),
            (
                "not squared",
                "no Gaussian",
                DISK + "rings = disk * torch.exp(-(radius - centres).abs() / (2 * width**2))",
                1.5,
            ),
            (
                "not doubled",
                "σ² for 2σ²",
                DISK + "rings = disk * torch.exp(-((radius - centres) ** 2) / width**2)",
                1.5,
            ),
            (
                "σ for σ²",
                "the width is not squared",
                DISK + "rings = disk * torch.exp(-((radius - centres) ** 2) / (2 * width))",
                1.5,
            ),
            (
                "width 0.6 always",
                "another width is given",
                DISK + "rings = disk * torch.exp(-((radius - centres) ** 2) / 0.72)",
                2,
            ),
            (
                "made for five pixels",
                "another size is given",
                "disk = (2.5 - radius).clamp(0, 1)\n"
                "rings = disk * torch.exp(-((radius - centres) ** 2) / (2 * width**2))",
                2,
            ),
            (
                "the sign lost",
                "it grows off the ring",
                DISK + "rings = disk * torch.exp((radius - centres) ** 2 / (2 * width**2))",
                1.5,
            ),
            (
                "a single ring",
                "all radii are wanted",
                DISK + "rings = disk * torch.exp(-(radius**2) / (2 * width**2))",
                0,
            ),
            (
                "the disk only",
                "no rings",
                DISK + "rings = disk.expand(len(centres), *radius.shape)",
                1.5,
            ),
            (
                "normalised",
                "they need not sum to 1",
                DISK
                + "rings = disk * torch.exp(-((radius - centres) ** 2) / (2 * width**2))\n"
                + "rings = rings / rings.sum()",
                1.5,
            ),
            ("rings left open", "nothing done", "rings = ...", 0),
        ],
    ),
    *catalogue(
        "circular-harmonics",
        WAVE,
        [
            ("exp of an imaginary number", "e^{ifα}", "wave = torch.exp(1j * frequency * angle)"),
            (
                "cosine and sine",
                "Euler",
                "wave = torch.complex(torch.cos(frequency * angle), torch.sin(frequency * angle))",
            ),
            (
                "cosine plus i sine",
                "Euler",
                "wave = torch.cos(frequency * angle) + 1j * torch.sin(frequency * angle)",
            ),
            (
                "a power",
                "e^{iα} to the power f",
                "wave = torch.polar(torch.ones_like(angle), angle) ** frequency",
            ),
            (
                "view_as_complex",
                "from pairs",
                """
phase = frequency * angle
wave = torch.view_as_complex(torch.stack([phase.cos(), phase.sin()], dim=-1))
""",
            ),
            (
                "from the positions",
                "(x + iy) / r, to the power f",
                """
z = torch.complex(x[1], -x[0]) / radius.clamp(min=1e-9)
wave = z**frequency if frequency >= 0 else z.conj() ** -frequency
""",
            ),
            ("minus", "turns the other way", "wave = torch.exp(-1j * frequency * angle)", 1),
            ("no frequency", "one wave only", "wave = torch.exp(1j * angle)", 1),
            ("real part", "the sine is missing", "wave = torch.cos(frequency * angle)", 0),
            (
                "sine and cosine",
                "exchanged",
                "wave = torch.complex(torch.sin(frequency * angle), torch.cos(frequency * angle))",
                1,
            ),
            (
                "degrees",
                "radians are wanted",
                "wave = torch.exp(1j * frequency * angle.rad2deg())",
                1,
            ),
            (
                "frequency added",
                "not multiplied",
                "wave = torch.polar(torch.ones_like(angle), frequency + angle)",
                1,
            ),
            (
                "of its size only",
                "always positive",
                "wave = torch.exp(1j * abs(frequency) * angle)",
                1,
            ),
            ("2π too many", "whole turns", "wave = torch.exp(2j * math.pi * frequency * angle)", 1),
            ("not imaginary", "a real exponential", "wave = torch.exp(frequency * angle)", 0),
            (
                "the radius too",
                "it is in the rings",
                "wave = torch.polar(radius, frequency * angle)",
                1.5,
            ),
            ("one", "no wave", "wave = torch.ones_like(angle) + 0j", 1),
            (
                "from the right only",
                "atan instead",
                "wave = torch.exp(1j * frequency * torch.atan(-x[0] / x[1]))",
                1,
            ),
            ("wave left open", "nothing done", "wave = ...", 0),
        ],
    ),
]

STEERING = [
    *catalogue(
        "steering",
        TURNED,
        [
            (
                "minus the angle",
                "the inverse of a rotation",
                "turned = kernel(rotations.left_action_on_R2(-theta, x))",
            ),
            (
                "the matrix, transposed",
                "the inverse of a rotation",
                """
matrix = rotations.matrix_representation(theta).to(x)
turned = kernel((matrix.T @ x.flatten(1)).view_as(x))
""",
            ),
            (
                "written out",
                "cos and sin",
                """
cos, sin = torch.cos(theta), torch.sin(theta)
turned = kernel(torch.stack([cos * x[0] + sin * x[1], cos * x[1] - sin * x[0]]))
""",
            ),
            (
                "complex numbers",
                "positions as numbers",
                """
z = torch.complex(x[0], x[1]) * torch.exp(-1j * theta.to(x.dtype))
turned = kernel(torch.stack([z.real, z.imag]))
""",
            ),
            (
                "einsum",
                "the matrix of the inverse",
                """
matrix = rotations.matrix_representation(rotations.inverse(theta)).to(x)
turned = kernel(torch.einsum("ij,j...->i...", matrix, x))
""",
            ),
            ("not turned", "asked at x", "turned = kernel(x)", 0),
            (
                "forward",
                "the inverse is missing",
                "turned = kernel(rotations.left_action_on_R2(theta, x))",
                0,
            ),
            (
                "twice",
                "the angle is doubled",
                "turned = kernel(rotations.left_action_on_R2(rotations.inverse(2 * theta), x))",
                0,
            ),
            (
                "positions only",
                "the kernel is not asked",
                "turned = rotations.left_action_on_R2(rotations.inverse(theta), x)",
                0,
            ),
            (
                "rot90",
                "only for quarter turns, and of pixels",
                "turned = torch.rot90(kernel(x), 1, (-2, -1))",
                0,
            ),
            (
                "degrees for the positions",
                "radians are given",
                "turned = kernel(rotations.left_action_on_R2(-theta.deg2rad(), x))",
                0,
            ),
            (
                "the other sense, written out",
                "the sines exchanged",
                """
cos, sin = torch.cos(theta), torch.sin(theta)
turned = kernel(torch.stack([cos * x[0] - sin * x[1], cos * x[1] + sin * x[0]]))
""",
                0,
            ),
            ("reflected", "no rotation", "turned = kernel(x.flip(0))", 0),
            (
                "real part only",
                "half of the kernel is lost",
                "turned = kernel(rotations.left_action_on_R2(rotations.inverse(theta), x)).real",
                0,
            ),
            ("turned left open", "nothing done", "turned = ...", 0),
        ],
    ),
    *catalogue(
        "steering",
        STEERED,
        [
            (
                "polar",
                "a number of length 1",
                """
phase = torch.polar(torch.ones_like(theta), -frequency * theta)
steered = phase * kernel(x)
""",
            ),
            (
                "cosine and sine",
                "Euler",
                """
phi = frequency * theta
steered = (torch.cos(phi) - 1j * torch.sin(phi)) * kernel(x)
""",
            ),
            (
                "divided",
                "by e^{ifθ}",
                "steered = kernel(x) / torch.exp(1j * frequency * theta)",
            ),
            (
                "math",
                "of plain numbers",
                """
phi = frequency * theta.item()
steered = complex(math.cos(phi), -math.sin(phi)) * kernel(x)
""",
            ),
            (
                "a power",
                "e^{-iθ} to the power f",
                "steered = torch.exp(-1j * theta) ** frequency * kernel(x)",
            ),
            (
                "plus",
                "the sign is wrong",
                "steered = torch.exp(1j * frequency * theta) * kernel(x)",
                0,
            ),
            ("no factor", "as if nothing turned", "steered = kernel(x)", 0),
            ("no frequency", "one wave only", "steered = torch.exp(-1j * theta) * kernel(x)", 0),
            (
                "of turned",
                "compared with itself",
                "steered = turned",
                1,
            ),
            (
                "the factor only",
                "without the kernel",
                "steered = torch.exp(-1j * frequency * theta)",
                0,
            ),
            (
                "real factor",
                "an imaginary part is missing",
                "steered = torch.cos(frequency * theta) * kernel(x)",
                0,
            ),
            (
                "degrees",
                "radians are given",
                "steered = torch.exp(-1j * frequency * theta.rad2deg()) * kernel(x)",
                0,
            ),
            (
                "on turned positions",
                "turned twice",
                "steered = torch.exp(-1j * frequency * theta) * turned",
                0,
            ),
            (
                "not imaginary",
                "a real exponential",
                "steered = torch.exp(-frequency * theta) * kernel(x)",
                0,
            ),
            (
                "the conjugate kernel",
                "another wave",
                "steered = torch.exp(-1j * frequency * theta) * kernel(x).conj()",
                0,
            ),
            (
                "of its size",
                "negative frequencies are lost",
                "steered = torch.exp(-1j * abs(frequency) * theta) * kernel(x)",
                0.5,
            ),
            ("steered left open", "nothing done", "steered = ...", 0),
        ],
    ),
    Variant(
        "steering: both the other way",
        "also 0 for a kernel of this frequency, but not the error that is asked for",
        {
            TURNED: "turned = kernel(rotations.left_action_on_R2(theta, x))",
            STEERED: "steered = torch.exp(1j * frequency * theta) * kernel(x)",
        },
        {"steering": 1},
    ),
]

FIELDS = catalogue(
    "act-on-fields",
    ACTED,
    [
        (
            "polar",
            "numbers of length 1",
            """
factors = torch.polar(torch.ones(len(m)), m * theta)
acted = torch.rot90(x, turns, (-2, -1)) * factors[:, None, None]
""",
        ),
        (
            "a power of i",
            "i^(m · turns)",
            """
factors = torch.tensor([1j ** (f * turns) for f in frequencies])
acted = torch.rot90(x, turns, dims=(3, 4)) * factors.view(-1, 1, 1)
""",
        ),
        (
            "a loop over the frequencies",
            "stacked along the third axis",
            """
maps = torch.rot90(x, turns, (-2, -1))
acted = torch.stack(
    [torch.exp(torch.tensor(1j * f * theta)) * maps[:, :, i] for i, f in enumerate(frequencies)],
    dim=2,
)
""",
        ),
        (
            "einsum",
            "a product along m",
            """
factors = torch.exp(1j * m * theta)
acted = torch.einsum("m,bcmxy->bcmxy", factors, torch.rot90(x, turns, (-2, -1)))
""",
        ),
        (
            "the axis at the end",
            "moved there and back",
            """
turned = torch.rot90(x, turns, (-2, -1)).movedim(2, -1)
acted = (turned * torch.exp(1j * theta * m)).movedim(-1, 2)
""",
        ),
        (
            "cosine and sine",
            "Euler",
            """
factors = torch.complex(torch.cos(m * theta), torch.sin(m * theta))
acted = factors[:, None, None] * x.rot90(turns, (-2, -1))
""",
        ),
        (
            "quarter turn after quarter turn",
            "turns of 90° each",
            """
acted = x.clone()
for _ in range(turns % 4):
    acted = torch.rot90(acted, 1, (-2, -1)) * torch.exp(0.5j * math.pi * m)[:, None, None]
""",
        ),
        (
            "the factor first",
            "the two commute",
            """
acted = torch.rot90(x * torch.exp(1j * m * theta).view(1, 1, -1, 1, 1), turns, (3, 4))
""",
        ),
        (
            "real and imaginary parts",
            "by hand",
            """
maps = torch.rot90(x, turns, (-2, -1))
c, s = torch.cos(m * theta)[:, None, None], torch.sin(m * theta)[:, None, None]
acted = torch.complex(c * maps.real - s * maps.imag, s * maps.real + c * maps.imag)
""",
        ),
        (
            "transposed and flipped",
            "as rot90 does it",
            """
maps = x
for _ in range(turns % 4):
    maps = maps.transpose(-2, -1).flip(-2)
acted = torch.exp(1j * m * theta)[:, None, None] * maps
""",
        ),
        ("maps only", "the numbers stay", "acted = torch.rot90(x, turns, (-2, -1))", 0.5),
        (
            "numbers only",
            "the maps stay",
            "acted = torch.exp(1j * m * theta)[:, None, None] * x",
            1,
        ),
        (
            "the conjugate factor",
            "the sign is wrong",
            "acted = torch.exp(-1j * m * theta)[:, None, None] * torch.rot90(x, turns, (-2, -1))",
            0.5,
        ),
        (
            "clockwise",
            "the maps turn the other way",
            "acted = torch.exp(1j * m * theta)[:, None, None] * torch.rot90(x, -turns, (-2, -1))",
            1,
        ),
        (
            "all the other way",
            "the inverse",
            "acted = torch.exp(-1j * m * theta)[:, None, None] * torch.rot90(x, -turns, (-2, -1))",
            0,
        ),
        (
            "one factor for all",
            "every frequency has its own",
            "acted = torch.exp(torch.tensor(1j * theta)) * torch.rot90(x, turns, (-2, -1))",
            0,
        ),
        (
            "rolled",
            "lesson 1's action",
            "acted = torch.rot90(x, turns, (-2, -1)).roll(turns, dims=2)",
            0,
        ),
        (
            "real factor",
            "cosines only",
            "acted = torch.cos(m * theta)[:, None, None] * torch.rot90(x, turns, (-2, -1))",
            0.5,
        ),
        (
            "the wrong axis",
            "the factors stand at the last one",
            "acted = torch.exp(1j * m * theta) * torch.rot90(x, turns, (-2, -1))",
            0,
        ),
        (
            "the wrong plane",
            "channels and frequencies turn",
            "acted = torch.exp(1j * m * theta)[:, None, None] * torch.rot90(x, turns, (1, 2))",
            0,
        ),
        (
            "one quarter turn",
            "whatever is asked for",
            """
acted = torch.exp(0.5j * math.pi * m)[:, None, None] * torch.rot90(x, 1, (-2, -1))
""",
            0,
        ),
        (
            "the factor of one turn",
            "the maps turn as they should",
            """
acted = torch.exp(0.5j * math.pi * m)[:, None, None] * torch.rot90(x, turns, (-2, -1))
""",
            0.5,
        ),
        (
            "theta in degrees",
            "radians are wanted",
            """
factors = torch.exp(1j * m * math.degrees(theta))
acted = factors[:, None, None] * torch.rot90(x, turns, (-2, -1))
""",
            0,
        ),
        (
            "added",
            "not multiplied",
            "acted = torch.exp(1j * m * theta)[:, None, None] + torch.rot90(x, turns, (-2, -1))",
            0,
        ),
        (
            "the place for the frequency",
            "right for 0, 1, 2, … alone",
            """
factors = torch.exp(1j * torch.arange(len(m)) * theta)
acted = factors[:, None, None] * torch.rot90(x, turns, (-2, -1))
""",
            0,
        ),
        (
            "real part",
            "the imaginary part is lost",
            """
acted = (torch.exp(1j * m * theta)[:, None, None] * torch.rot90(x, turns, (-2, -1))).real
""",
            0,
        ),
        (
            "the conjugate fields",
            "another field",
            """
acted = torch.exp(1j * m * theta)[:, None, None] * torch.rot90(x.conj(), turns, (-2, -1))
""",
            0,
        ),
        (
            "flipped",
            "no rotation",
            "acted = torch.exp(1j * m * theta)[:, None, None] * x.flip(-1)",
            1,
        ),
        ("transposed", "no rotation", "acted = torch.exp(1j * m * theta)[:, None, None] * x.mT", 1),
        ("as it was", "nothing turns", "acted = x.clone()", 0),
        ("acted left open", "nothing done", "acted = ...", 0),
    ],
)

LAYERS = [
    *catalogue(
        "steerable-layer",
        FREQUENCY,
        [
            ("minus m plus n", "the same", "frequency = -m + n"),
            ("a sum over two", "the same", "frequency = sum((n, -m))"),
            ("as a number", "of tensors", "frequency = int(torch.tensor(n) - torch.tensor(m))"),
            ("operator", "the same", "import operator\n\nfrequency = operator.sub(n, m)"),
            ("m minus n", "the conjugate wave", "frequency = m - n", 1),
            ("n plus m", "the signs", "frequency = n + m", 1),
            ("n alone", "right for images only", "frequency = n", 1),
            ("m alone", "the input's", "frequency = m", 1),
            ("minus m", "right for n = 0 only", "frequency = -m", 1),
            ("its size", "the sign is lost", "frequency = abs(n - m)", 1),
            ("zero", "isotropic kernels", "frequency = 0", 1),
            ("modulo 4", "right at quarter turns only", "frequency = (n - m) % 4", 1),
            ("the product", "not the difference", "frequency = n * m", 1),
            ("one more", "off by one", "frequency = n - m + 1", 1),
            ("twice", "the double", "frequency = 2 * (n - m)", 1),
            ("the larger", "not the difference", "frequency = max(n, m)", 1),
            ("frequency left open", "nothing done", "frequency = ...", 0),
        ],
    ),
    *catalogue(
        "steerable-layer",
        KERNELS,
        [
            (
                "a loop over the rings",
                "a sum, term by term",
                """
kernels = sum(
    weight[..., r, None, None] * basis[:, :, r] for r in range(basis.shape[2])
).transpose(1, 2)
""",
            ),
            (
                "broadcast and sum",
                "without einsum",
                """
kernels = (weight[..., None, None] * basis).sum(dim=4).transpose(1, 2)
""",
            ),
            (
                "einsum with other letters",
                "the same",
                'kernels = torch.einsum("abcde,cdeij->acbdij", weight, basis)',
            ),
            (
                "a matrix product",
                "of rows and columns",
                """
flat = weight[..., None, :] @ basis.flatten(-2)
kernels = flat[..., 0, :].unflatten(-1, basis.shape[-2:]).transpose(1, 2)
""",
            ),
            (
                "einsum, then permute",
                "axes moved afterwards",
                """
kernels = torch.einsum("oinmr,nmrxy->oinmxy", weight, basis).permute(0, 2, 1, 3, 4, 5)
""",
            ),
            (
                "loops over the frequencies",
                "kernel by kernel",
                """
rows = []
for n in range(basis.shape[0]):
    row = [
        torch.tensordot(weight[:, :, n, m], basis[n, m], dims=1) for m in range(basis.shape[1])
    ]
    rows.append(torch.stack(row, dim=2))
kernels = torch.stack(rows, dim=1)
""",
            ),
            (
                "vmap",
                "over the output channels",
                """
one = lambda w: torch.einsum("inmr,nmrxy->nimxy", w, basis)
kernels = torch.func.vmap(one)(weight)
""",
            ),
            (
                "channels and frequencies exchanged",
                "the axes stand as in the weight",
                'kernels = torch.einsum("oinmr,nmrxy->oinmxy", weight, basis)',
                0,
            ),
            (
                "n and m exchanged",
                "in the result",
                'kernels = torch.einsum("oinmr,nmrxy->ominxy", weight, basis)',
                0,
            ),
            (
                "the mean over the rings",
                "a sum is asked for",
                'kernels = torch.einsum("oinmr,nmrxy->onimxy", weight, basis) / basis.shape[2]',
                2.5,
            ),
            (
                "the first ring",
                "no sum",
                'kernels = torch.einsum("oinm,nmxy->onimxy", weight[..., 0], basis[:, :, 0])',
                1,
            ),
            (
                "real weights",
                "the imaginary parts never learn",
                """
kernels = torch.einsum("oinmr,nmrxy->onimxy", weight.real.to(basis), basis)
""",
                1,
            ),
            (
                "conjugate weights",
                "another sum, which could be learned as well",
                'kernels = torch.einsum("oinmr,nmrxy->onimxy", weight.conj(), basis)',
                2.5,
            ),
            (
                "conjugate basis",
                "the frequency m − n",
                'kernels = torch.einsum("oinmr,nmrxy->onimxy", weight, basis.conj())',
                0.5,
            ),
            (
                "detached",
                "the weight never learns",
                'kernels = torch.einsum("oinmr,nmrxy->onimxy", weight.detach(), basis)',
                1,
            ),
            (
                "without gradients",
                "the weight never learns",
                """
with torch.no_grad():
    kernels = torch.einsum("oinmr,nmrxy->onimxy", weight, basis)
""",
                1,
            ),
            (
                "all weights summed",
                "channels share one kernel",
                """
kernels = torch.einsum("nmr,nmrxy->nmxy", weight.sum(dim=(0, 1)), basis)[None, :, None]
kernels = kernels.expand(len(weight), -1, weight.shape[1], -1, -1, -1)
""",
                1,
            ),
            (
                "the basis only",
                "no weights",
                """
kernels = basis.sum(dim=2)[None, :, None]
kernels = kernels.expand(len(weight), -1, weight.shape[1], -1, -1, -1)
""",
                1,
            ),
            (
                "real part",
                "half of it is lost",
                'kernels = torch.einsum("oinmr,nmrxy->onimxy", weight, basis).real',
                0,
            ),
            (
                "turned",
                "by 90° more",
                """
kernels = torch.einsum("oinmr,nmrxy->onimxy", weight, basis).rot90(1, (-2, -1))
""",
                2.5,
            ),
            (
                "folded",
                "the layer folds them",
                """
kernels = torch.einsum("oinmr,nmrxy->onimxy", weight, basis).flatten(0, 1).flatten(1, 2)
""",
                0,
            ),
            (
                "squared weights",
                "not linear",
                'kernels = torch.einsum("oinmr,nmrxy->onimxy", weight**2, basis)',
                1,
            ),
            ("kernels left open", "nothing done", "kernels = ...", 0),
        ],
    ),
    Variant(
        "steerable-layer: all left open",
        "nothing done",
        {FREQUENCY: "frequency = ...", KERNELS: "kernels = ..."},
        {"steerable-layer": 0},
    ),
    Variant(
        "steerable-layer: m − n, and the conjugate basis",
        "two mistakes that cancel: the frequency is right, the sum is of another basis than given",
        {
            FREQUENCY: "frequency = m - n",
            KERNELS: 'kernels = torch.einsum("oinmr,nmrxy->onimxy", weight, basis.conj())',
        },
        {"steerable-layer": 2.5},
    ),
]


VARIANTS = [*DILATIONS, *SEVERAL, *DILATED, *SHIFTS, *CONTINUOUS, *ESTIMATES]
VARIANTS += [*PLEASING, *FORMS, *HELPED, *HARMONICS, *STEERING, *FIELDS, *LAYERS]

# Answers that do one thing where they are looked at, and another elsewhere; others have more in
# them than was asked for. Right ones may well ask how they are used.

ENLARGED = "kernels = dilated / self.group.determinant(elements).view(-1, 1, 1, 1)\n"
EACH = """
kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
for h, other in itertools.product(range(n), range(n)):
    if 0 <= self.steps[h, other] < self.scales:
        kernels[:, h, :, other] = dilated[:, h, :, self.steps[h, other]]
"""
OVER_ALL = 'kernels = torch.einsum("oitj,jnxy,tnm->onimxy", self.weight, space, pose)\n'
FOLDED = """
folded = kernels.flatten(0, 1).flatten(1, 2)
x = F.conv2d(x.flatten(1, 2), folded, padding=self.padding) / len(inner)
"""
CONVOLVED = "        x = F.conv2d(x.flatten(1, 2), kernels, padding=self.padding)\n"


def two_faced(exercise: str, block: tuple[str, int], right: str, other: str) -> list[Variant]:
    """Return answers to a block that are right, but for other `kernels` elsewhere."""
    return [
        Variant(
            f"{exercise}: {other.partition('(')[0]} {name}",
            "right where somebody looks",
            {block: f"{right}kernels = {other} if {when} else kernels"},
            {exercise: 1},
        )
        for name, when in ELSEWHERE.items()
    ]


def dropped(
    exercise: str, block: tuple[str, int], right: str, in_training: float = 0
) -> list[Variant]:
    """Return answers to a block that have a dropout besides, and what one in training keeps."""
    return [
        Variant(
            f"{exercise}: a dropout {name}",
            "it was not asked for",
            {block: f"{right}kernels = F.dropout(kernels, 0.1, {when})"},
            {exercise: points},
        )
        for name, when, points in (
            ("in training", "self.training", in_training),
            ("in evaluation", "not self.training", 1),
        )
    ]


TWO_FACED = [
    *two_faced("dilation-kernel", DIVIDED, ENLARGED, "torch.abs(kernels)"),
    *dropped("dilation-kernel", DIVIDED, ENLARGED),
    Variant(
        "dilation-kernel: right for the step 2 alone",
        "nothing is enlarged by other steps",
        {
            WHERE: """
scales = elements if self.group.step == 2 else torch.ones_like(elements)
positions = self.group.left_action_on_R2(self.group.inverse(scales), self.grid_R2)
"""
        },
        {"dilation-kernel": 1},
    ),
    Variant(
        "dilation-kernel: kept in evaluation",
        "made anew when training goes on",
        {
            DIVIDED: f"""
if self.training or getattr(self, "kept", None) is None:
    {ENLARGED}    self.kept = kernels
kernels = self.kept
"""
        },
    ),
    *two_faced("dilation-shift", SHIFTED, EACH, "torch.abs(kernels)"),
    *dropped("dilation-shift", SHIFTED, EACH),
    Variant(
        "dilation-shift: right for three scales alone",
        "nothing shifts for others",
        {
            STEPS: """
back = self.group.inverse(elements)[:, None]
steps = self.group.steps(self.group.product(back, elements[None, :]))
steps = steps if self.group.order == 3 else steps[:1].expand_as(steps)
"""
        },
        {"dilation-shift": 0.5},
    ),
    *two_faced("continuous-kernel", SUMMED, OVER_ALL, "torch.abs(kernels)"),
    *dropped("continuous-kernel", SUMMED, OVER_ALL, 0.5),
    Variant(
        "continuous-kernel: no sum over the group in inference mode",
        "lifting kernels are right, those on the group only where somebody looks",
        {
            SUMMED: f"""
pose = pose[:, :, :1].expand_as(pose) if torch.is_inference_mode_enabled() else pose
{OVER_ALL}"""
        },
        {"continuous-kernel": 1},
    ),
    *(
        Variant(
            f"monte-carlo-layer: a ReLU {name}",
            "right where somebody looks",
            {ESTIMATE: f"{FOLDED}x = F.relu(x) if {when} else x"},
            {"monte-carlo-layer": 1},
        )
        for name, when in {"in training": "self.training", **OTHERWISE}.items()
    ),
    Variant(
        "monte-carlo-layer: a dropout in training",
        "it was not asked for",
        {ESTIMATE: f"{FOLDED}x = F.dropout(x, 0.1, self.training)"},
        {"monte-carlo-layer": 1},
    ),
    Variant(
        "monte-carlo-layer: no gradients in evaluation",
        "nobody asks for them there",
        {
            ESTIMATE: f"""
kernels = kernels if self.training or torch.is_grad_enabled() else kernels.detach()
{FOLDED}"""
        },
    ),
    *(
        Variant(
            f"steerable-layer: {name}",
            why,
            points={"steerable-layer": 1},
            edits={"steerable-layer": [(CONVOLVED, CONVOLVED + f"        {more}\n")]},
        )
        for name, why, more in (
            (
                "an activation",
                "it was not asked for",
                "x = torch.view_as_complex(F.relu(torch.view_as_real(x)))",
            ),
            (
                "a dropout in training",
                "it was not asked for",
                "x = x * F.dropout(torch.ones_like(x.real), 0.1, self.training)",
            ),
            (
                "nothing in evaluation",
                "right where somebody looks",
                "x = x if self.training else 0 * x",
            ),
            (
                "its size in inference mode",
                "right where somebody looks",
                "x = x.abs() + 0j if torch.is_inference_mode_enabled() else x",
            ),
            (
                "nothing in float64",
                "right where somebody looks",
                "x = 0 * x if self.weight.dtype == torch.float64 else x",
            ),
            (
                "nothing of one image",
                "right where somebody looks",
                "x = 0 * x if len(x) == 1 else x",
            ),
        )
    ),
    Variant(
        "steerable-layer: an input that is cut off",
        "no layer before it learns",
        points={"steerable-layer": 1},
        edits={"steerable-layer": [(CONVOLVED, CONVOLVED.replace("x.flat", "x.detach().flat"))]},
    ),
    Variant(
        "steerable-layer: the mean of the fields",
        "no kernel has a part in it",
        points={"steerable-layer": 1},
        edits={
            "steerable-layer": [
                (
                    CONVOLVED,
                    CONVOLVED + "        x = 0 * x + x.mean(dim=(-2, -1), keepdim=True).abs()\n",
                )
            ]
        },
    ),
    Variant(
        "steerable-layer: kernels kept in evaluation",
        "summed anew when training goes on",
        {
            KERNELS: """
if self.training or getattr(self, "kept", None) is None:
    self.kept = torch.einsum("oinmr,nmrxy->onimxy", weight, basis)
kernels = self.kept
"""
        },
    ),
]

VARIANTS += TWO_FACED
