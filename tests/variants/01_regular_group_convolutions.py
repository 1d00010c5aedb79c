"""Right and wrong solutions of lesson 1, as students write them.

Points: product 2, inverse 2, matrix 2, third-power 1, lifting-grid 3, lifting-fold 2,
lifting-layer 3, act-on-lifted 3, group-grid 2, group-kernel 2, group-layer 4, network 4.
"""

from __future__ import annotations

from variants import OTHERWISE, Variant

PRODUCT, INVERSE, MATRIX = (("cyclic-group", number) for number in range(3))
THIRD_POWER = ("third-power", 0)
LIFT_ELEMENTS, LIFT_GRID = (("lifting-kernel-base", number) for number in range(2))
LIFT_FOLD = ("lifting-kernel", 0)
LIFT_KERNELS, LIFT_CONV = (("lifting-convolution", number) for number in range(2))
ACTED = ("act-on-lifted", 0)
SLICES = ("group-kernel-base", 0)
WEIGHT = ("group-kernel", 0)
INPUT, KERNELS = (("group-convolution", number) for number in range(2))
LIFTING, HIDDEN, PROJECTION = (("network", number) for number in range(3))

PRODUCTS = [
    Variant(
        "product: percent operator",
        "the same remainder",
        {PRODUCT: "product = (h + h_prime) % (2 * math.pi)"},
    ),
    Variant(
        "product: fmod",
        "sums of angles are not negative",
        {PRODUCT: "product = torch.fmod(h + h_prime, 2 * torch.pi)"},
    ),
    Variant(
        "product: one turn less where needed",
        "two angles make less than two turns",
        {
            PRODUCT: """
total = h + h_prime
product = torch.where(total >= 2 * math.pi, total - 2 * math.pi, total)
"""
        },
    ),
    Variant(
        "product: nearest group index",
        "rounding to the group is right",
        {
            PRODUCT: """
index = torch.round((h + h_prime) * self.order / (2 * math.pi)) % self.order
product = index * (2 * math.pi / self.order)
"""
        },
    ),
    Variant(
        "product: atan2, early return",
        "the angle of the turned point",
        {
            PRODUCT: """
total = h + h_prime
return torch.atan2(torch.sin(total), torch.cos(total)) % (2 * math.pi)
"""
        },
    ),
    Variant(
        "product: complex numbers",
        "unit complex numbers multiply as rotations do",
        {
            PRODUCT: """
one = torch.polar(torch.ones_like(h), h) * torch.polar(torch.ones_like(h_prime), h_prime)
product = one.angle() % (2 * math.pi)
"""
        },
    ),
    Variant(
        "product: numpy",
        "np.mod is the same remainder",
        {PRODUCT: "product = torch.as_tensor(np.mod(h.numpy() + h_prime.numpy(), 2 * np.pi))"},
    ),
    Variant(
        "product: floor",
        "the remainder written out",
        {
            PRODUCT: """
turn = 2 * np.pi
product = (h + h_prime) - turn * torch.floor((h + h_prime) / turn)
"""
        },
    ),
    Variant(
        "product: no remainder",
        "leaves the circle",
        {PRODUCT: "product = h + h_prime"},
        {"product": 1},
    ),
    Variant(
        "product: modulo half a turn",
        "180° becomes 0°",
        {PRODUCT: "product = (h + h_prime) % math.pi"},
        {"product": 0},
    ),
    Variant(
        "product: modulo 360",
        "angles are in radians, so nothing happens",
        {PRODUCT: "product = (h + h_prime) % 360"},
        {"product": 1},
    ),
    Variant(
        "product: difference",
        "turns back by h'",
        {PRODUCT: "product = torch.remainder(h - h_prime, 2 * math.pi)"},
        {"product": 0},
    ),
    Variant(
        "product: angles multiplied",
        "a product of numbers is not one of rotations",
        {PRODUCT: "product = torch.remainder(h * h_prime, 2 * math.pi)"},
        {"product": 0},
    ),
    Variant(
        "product: modulo the order",
        "the order is not an angle",
        {PRODUCT: "product = (h + h_prime) % self.order"},
        {"product": 0},
    ),
    Variant(
        "product: order 4 hard-coded",
        "rounds every angle to a quarter turn",
        {PRODUCT: "product = torch.round((h + h_prime) / (math.pi / 2)) % 4 * (math.pi / 2)"},
        {"product": 0},
    ),
    Variant(
        "product: single elements only",
        "item() takes one number",
        {PRODUCT: "product = torch.tensor((h.item() + h_prime.item()) % (2 * math.pi))"},
        {"product": 0},
    ),
    Variant(
        "product: in place",
        "changes h, and cannot broadcast",
        {PRODUCT: "h += h_prime\nproduct = h % (2 * math.pi)"},
        {"product": 1},
    ),
    Variant(
        "product: always a table",
        "not elementwise",
        {PRODUCT: "product = (h[:, None] + h_prime[None, :]) % (2 * math.pi)"},
        {"product": 0},
    ),
    Variant(
        "product: clamped",
        "cut off at a full turn",
        {PRODUCT: "product = torch.clamp(h + h_prime, 0, 2 * math.pi)"},
        {"product": 0},
    ),
    Variant("product: left open", "nothing done", {PRODUCT: "product = ..."}, {"product": 0}),
]

INVERSES = [
    Variant(
        "inverse: minus and percent",
        "binds as (-h) % 2π",
        {INVERSE: "inverse = -h % (2 * math.pi)"},
    ),
    Variant(
        "inverse: 2π minus h",
        "0 becomes 2π, the same rotation",
        {INVERSE: "inverse = 2 * math.pi - h"},
    ),
    Variant(
        "inverse: zero apart",
        "stays in [0, 2π)",
        {INVERSE: "inverse = torch.where(h == 0, torch.zeros_like(h), 2 * torch.pi - h)"},
    ),
    Variant(
        "inverse: by the product",
        "the product brings it back to the circle",
        {INVERSE: "inverse = self.product(-h, torch.zeros_like(h))"},
    ),
    Variant(
        "inverse: the power n - 1",
        "h to the power n is the identity",
        {INVERSE: "return (self.order - 1) * h % (2 * math.pi)"},
    ),
    Variant(
        "inverse: searched in the table",
        "the element whose product with h is the identity",
        {
            INVERSE: """
elements = self.elements().to(h)
table = self.product(h[..., None], elements)
inverse = elements[torch.cos(table).argmax(dim=-1)]
"""
        },
    ),
    Variant(
        "inverse: no remainder",
        "leaves [0, 2π]",
        {INVERSE: "inverse = -h"},
        {"inverse": 1},
    ),
    Variant(
        "inverse: h itself", "nothing is undone", {INVERSE: "inverse = h.clone()"}, {"inverse": 0}
    ),
    Variant(
        "inverse: one over h",
        "the inverse of a number",
        {INVERSE: "inverse = 1 / h"},
        {"inverse": 0},
    ),
    Variant(
        "inverse: half a turn more",
        "right for a quarter turn only",
        {INVERSE: "inverse = (h + math.pi) % (2 * math.pi)"},
        {"inverse": 0},
    ),
    Variant(
        "inverse: modulo half a turn",
        "270° becomes 90° and 90° too",
        {INVERSE: "inverse = -h % math.pi"},
        {"inverse": 0},
    ),
    Variant(
        "inverse: in place",
        "h is changed too",
        {INVERSE: "inverse = h.neg_().remainder_(2 * math.pi)"},
        {"inverse": 1},
    ),
    Variant(
        "inverse: flattened",
        "the shape is lost",
        {INVERSE: "inverse = torch.tensor([-x % (2 * math.pi) for x in h.flatten().tolist()])"},
        {"inverse": 1},
    ),
    Variant(
        "inverse: of the matrix",
        "a matrix is not an element",
        {INVERSE: "inverse = torch.linalg.inv(self.matrix_representation(h))"},
        {"inverse": 0},
    ),
    Variant(
        "inverse: another name",
        "the result never gets its name",
        {INVERSE: "inv = torch.remainder(-h, 2 * math.pi)"},
        {"inverse": 0},
    ),
    Variant("inverse: left open", "nothing done", {INVERSE: "inverse = ..."}, {"inverse": 0}),
]

MATRICES = [
    Variant(
        "matrix: four numbers and a reshape",
        "the last axis is split",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.stack([c, -s, s, c], dim=-1).reshape(*h.shape, 2, 2)
"""
        },
    ),
    Variant(
        "matrix: stacked in front and moved",
        "the new axes are moved to the end",
        {
            MATRIX: """
c, s = h.cos(), h.sin()
rows = [torch.stack([c, -s]), torch.stack([s, c])]
representation = torch.stack(rows).movedim((0, 1), (-2, -1))
"""
        },
    ),
    Variant(
        "matrix: numpy",
        "the same, computed by NumPy",
        {
            MATRIX: """
angle = h.numpy()
rows = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
representation = torch.as_tensor(np.moveaxis(np.array(rows), (0, 1), (-2, -1)))
"""
        },
    ),
    Variant(
        "matrix: a loop over the angles",
        "one matrix after the other",
        {
            MATRIX: """
matrices = []
for angle in h.flatten().tolist():
    c, s = math.cos(angle), math.sin(angle)
    matrices.append([[c, -s], [s, c]])
representation = torch.tensor(matrices, dtype=h.dtype).reshape(*h.shape, 2, 2)
"""
        },
    ),
    Variant(
        "matrix: two basis matrices",
        "cos · 1 + sin · J",
        {
            MATRIX: """
one = torch.eye(2).to(h)
turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]]).to(h)
representation = h.cos()[..., None, None] * one + h.sin()[..., None, None] * turn
"""
        },
    ),
    Variant(
        "matrix: exponential",
        "of the generator",
        {
            MATRIX: """
generator = torch.tensor([[0.0, -1.0], [1.0, 0.0]]).to(h)
return torch.matrix_exp(h[..., None, None] * generator)
"""
        },
    ),
    Variant(
        "matrix: filled in entry by entry",
        "an empty tensor, four entries",
        {
            MATRIX: """
representation = torch.empty(*h.shape, 2, 2, dtype=h.dtype, device=h.device)
representation[..., 0, 0] = representation[..., 1, 1] = torch.cos(h)
representation[..., 1, 0] = torch.sin(h)
representation[..., 0, 1] = -torch.sin(h)
"""
        },
    ),
    Variant(
        "matrix: clockwise",
        "the signs of the sines are exchanged",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.stack([c, s, -s, c], dim=-1).reshape(*h.shape, 2, 2)
"""
        },
        {"matrix": 1.5},
    ),
    Variant(
        "matrix: one angle only",
        "torch.tensor takes numbers",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.tensor([[c, -s], [s, c]])
"""
        },
        {"matrix": 1},
    ),
    Variant(
        "matrix: angles in the last axis",
        "[2, 2, N] in place of [N, 2, 2]",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
"""
        },
        {"matrix": 1},
    ),
    Variant(
        "matrix: a list of angles only",
        "dim=1 exists for one axis of angles only",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
rows = torch.stack([c, -s], dim=1), torch.stack([s, c], dim=1)
representation = torch.stack(rows, dim=1)
"""
        },
        {"matrix": 0.5},
    ),
    Variant(
        "matrix: flattened angles",
        "always one leading axis",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.stack([c, -s, s, c], dim=-1).reshape(-1, 2, 2)
"""
        },
        {"matrix": 0.5},
    ),
    Variant(
        "matrix: axes mixed by view",
        "entries and angles are scrambled",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.stack([c, -s, s, c]).view(-1, 2, 2)
"""
        },
        {"matrix": 0},
    ),
    Variant(
        "matrix: no minus",
        "not a rotation",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.stack([c, s, s, c], dim=-1).reshape(*h.shape, 2, 2)
"""
        },
        {"matrix": 0},
    ),
    Variant(
        "matrix: reflection",
        "the minus stands at the wrong cosine",
        {
            MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.stack([c, s, s, -c], dim=-1).reshape(*h.shape, 2, 2)
"""
        },
        {"matrix": 0},
    ),
    Variant(
        "matrix: sine and cosine exchanged",
        "90° too far",
        {
            MATRIX: """
c, s = torch.sin(h), torch.cos(h)
representation = torch.stack([c, -s, s, c], dim=-1).reshape(*h.shape, 2, 2)
"""
        },
        {"matrix": 0},
    ),
    Variant(
        "matrix: degrees",
        "the angles are radians already",
        {
            MATRIX: """
c, s = torch.cos(torch.deg2rad(h)), torch.sin(torch.deg2rad(h))
representation = torch.stack([c, -s, s, c], dim=-1).reshape(*h.shape, 2, 2)
"""
        },
        {"matrix": 0},
    ),
    Variant("matrix: left open", "nothing done", {MATRIX: "representation = ..."}, {"matrix": 0}),
]

THIRD_POWERS = [
    Variant("third power: g · g²", "it commutes", {THIRD_POWER: "g3 = group.product(g, g2)"}),
    Variant(
        "third power: g · g · g",
        "two products",
        {THIRD_POWER: "g3 = group.product(group.product(g, g), g)"},
    ),
    Variant(
        "third power: a loop from e",
        "three times g",
        {THIRD_POWER: "g3 = e\nfor _ in range(3):\n    g3 = group.product(g3, g)"},
    ),
    Variant(
        "third power: back from the fourth",
        "g² · g² · g⁻¹",
        {THIRD_POWER: "return group.product(group.product(g2, g2), group.inverse(g))"},
    ),
    Variant(
        "third power: reduce",
        "a product of three",
        {THIRD_POWER: "import functools\n\ng3 = functools.reduce(group.product, [g, g, g])"},
    ),
    Variant(
        "third power: three times the angle",
        "not the group's product",
        {THIRD_POWER: "g3 = 3 * g"},
        {"third-power": 0.5},
    ),
    Variant(
        "third power: angles added",
        "not the group's product",
        {THIRD_POWER: "g3 = g2 + g"},
        {"third-power": 0.5},
    ),
    Variant(
        "third power: 270° written down",
        "right in C₄ only",
        {THIRD_POWER: "g3 = torch.tensor(3 * math.pi / 2)"},
        {"third-power": 0},
    ),
    Variant(
        "third power: the second", "one g is missing", {THIRD_POWER: "g3 = g2"}, {"third-power": 0}
    ),
    Variant(
        "third power: the fourth",
        "one g too many",
        {THIRD_POWER: "g3 = group.product(g2, g2)"},
        {"third-power": 0},
    ),
    Variant(
        "third power: quarter turn written down",
        "right in C₄ only",
        {THIRD_POWER: "g3 = group.product(g2, torch.tensor(math.pi / 2))"},
        {"third-power": 0},
    ),
    Variant(
        "third power: a variable of another cell",
        "c4 is left behind by the cells above",
        {THIRD_POWER: "g3 = c4.product(g2, g)"},
        {"third-power": 0},
        before={"third-power": "c4 = CyclicGroup(4)"},
    ),
    Variant(
        "third power: left open", "nothing done", {THIRD_POWER: "g3 = ..."}, {"third-power": 0}
    ),
]

LIFTING_GRIDS = [
    Variant(
        "lifting grid: a loop",
        "one grid per element, stacked second",
        {
            LIFT_GRID: """
grids = []
for h in group_elements:
    grids.append(self.group.left_action_on_R2(self.group.inverse(h), self.grid_R2))
transformed_grid_R2 = torch.stack(grids, dim=1)
"""
        },
    ),
    Variant(
        "lifting grid: stacked in front and transposed",
        "the axes are exchanged, not the numbers",
        {
            LIFT_GRID: """
act, inverse = self.group.left_action_on_R2, self.group.inverse
grids = [act(inverse(h), self.grid_R2) for h in group_elements]
transformed_grid_R2 = torch.stack(grids).permute(1, 0, 2, 3)
"""
        },
    ),
    Variant(
        "lifting grid: einsum with the inverse's matrix",
        "the action written out",
        {
            LIFT_GRID: """
matrices = self.group.matrix_representation(self.group.inverse(group_elements))
transformed_grid_R2 = torch.einsum("nij,jxy->inxy", matrices, self.grid_R2)
"""
        },
    ),
    Variant(
        "lifting grid: transposed matrices",
        "the transpose of a rotation is its inverse",
        {
            LIFT_GRID: """
matrices = self.group.matrix_representation(group_elements)
transformed_grid_R2 = torch.einsum("nji,jxy->inxy", matrices, self.grid_R2)
"""
        },
    ),
    Variant(
        "lifting grid: matrix product",
        "points as columns",
        {
            LIFT_GRID: """
k = self.kernel_size
matrices = self.group.matrix_representation(self.group.inverse(group_elements))
points = matrices @ self.grid_R2.reshape(2, -1)
return points.reshape(-1, 2, k, k).transpose(0, 1).contiguous()
"""
        },
    ),
    Variant(
        "lifting grid: inverse in the first block",
        "work moved to the neighbouring block",
        {
            LIFT_ELEMENTS: "group_elements = self.group.inverse(self.group.elements())",
            LIFT_GRID: (
                "transformed_grid_R2 = self.group.left_action_on_R2(group_elements, self.grid_R2)"
            ),
        },
    ),
    Variant(
        "lifting grid: cosines and sines",
        "the formula, element by element",
        {
            LIFT_ELEMENTS: (
                "group_elements = torch.arange(self.group.order) * (2 * math.pi / self.group.order)"
            ),
            LIFT_GRID: """
r0, r1 = self.grid_R2
k = self.kernel_size
transformed_grid_R2 = torch.zeros(2, len(group_elements), k, k, dtype=r0.dtype)
for i, h in enumerate(group_elements):
    transformed_grid_R2[0, i] = torch.cos(h) * r0 + torch.sin(h) * r1
    transformed_grid_R2[1, i] = -torch.sin(h) * r0 + torch.cos(h) * r1
""",
        },
    ),
    Variant(
        "lifting grid: elements backwards",
        "the n-th inverse is the n-th element from the end",
        {
            LIFT_GRID: """
inverses = group_elements.flip(0).roll(1)
transformed_grid_R2 = self.group.left_action_on_R2(inverses, self.grid_R2)
"""
        },
    ),
    Variant(
        "lifting grid: solve",
        "h⁻¹x solves R y = x",
        {
            LIFT_GRID: """
k = self.kernel_size
solved = [
    torch.linalg.solve(self.group.matrix_representation(h).to(self.grid_R2), points)
    for h in group_elements
    for points in [self.grid_R2.flatten(1)]
]
transformed_grid_R2 = torch.stack(solved, dim=1).view(2, -1, k, k)
"""
        },
    ),
    Variant(
        "lifting grid: numpy",
        "a loop in NumPy",
        {
            LIFT_GRID: """
points = self.grid_R2.numpy()
angles = self.group.inverse(group_elements).numpy()
grids = [
    np.stack([np.cos(a) * points[0] - np.sin(a) * points[1],
              np.sin(a) * points[0] + np.cos(a) * points[1]])
    for a in angles
]
transformed_grid_R2 = torch.from_numpy(np.stack(grids, axis=1)).to(self.grid_R2)
"""
        },
    ),
    Variant(
        "lifting grid: no inverse",
        "the kernels turn the wrong way",
        {
            LIFT_GRID: (
                "transformed_grid_R2 = self.group.left_action_on_R2(group_elements, self.grid_R2)"
            )
        },
        {"lifting-grid": 2},
    ),
    Variant(
        "lifting grid: inverse twice",
        "the inverse of the inverse",
        {
            LIFT_ELEMENTS: "group_elements = self.group.inverse(self.group.elements())",
        },
        {"lifting-grid": 2},
    ),
    Variant(
        "lifting grid: stacked in front",
        "[|H|, 2, k, k]",
        {
            LIFT_GRID: """
act, inverse = self.group.left_action_on_R2, self.group.inverse
transformed_grid_R2 = torch.stack([act(inverse(h), self.grid_R2) for h in group_elements])
"""
        },
        {"lifting-grid": 0},
    ),
    Variant(
        "lifting grid: stacked in front and viewed",
        "the numbers stay where they are: scrambled",
        {
            LIFT_GRID: """
act, inverse, k = self.group.left_action_on_R2, self.group.inverse, self.kernel_size
grids = torch.stack([act(inverse(h), self.grid_R2) for h in group_elements])
transformed_grid_R2 = grids.view(2, -1, k, k)
"""
        },
        {"lifting-grid": 0.5},
    ),
    Variant(
        "lifting grid: not transformed",
        "the same grid for every element",
        {
            LIFT_GRID: (
                "transformed_grid_R2 = self.grid_R2[:, None].repeat(1, self.group.order, 1, 1)"
            )
        },
        {"lifting-grid": 0.5},
    ),
    Variant(
        "lifting grid: order 4 hard-coded",
        "quarter turns, whatever the group",
        {LIFT_ELEMENTS: "group_elements = torch.arange(4) * (math.pi / 2)"},
        {"lifting-grid": 1.5},
    ),
    Variant(
        "lifting grid: quarter turns with rot90",
        "right for C₄, not for every group element",
        {
            LIFT_GRID: """
turned = [torch.rot90(self.grid_R2, i, (-2, -1)) for i in range(self.group.order)]
transformed_grid_R2 = torch.stack(turned, dim=1)
"""
        },
        {"lifting-grid": 1.5},
    ),
    Variant(
        "lifting grid: a variable of another cell",
        "group, not self.group: what the axioms' cell leaves behind",
        {
            LIFT_GRID: (
                "transformed_grid_R2 = group.left_action_on_R2("
                "group.inverse(group_elements), self.grid_R2)"
            )
        },
        {"lifting-grid": 0},
    ),
    Variant(
        "lifting grid: coordinates exchanged",
        "r1 before r0",
        {
            LIFT_GRID: """
inverses = self.group.inverse(group_elements)
transformed_grid_R2 = self.group.left_action_on_R2(inverses, self.grid_R2).flip(0)
"""
        },
        {"lifting-grid": 0.5},
    ),
    Variant(
        "lifting grid: rows and columns exchanged",
        "transposed grids",
        {
            LIFT_GRID: """
inverses = self.group.inverse(group_elements)
transformed_grid_R2 = self.group.left_action_on_R2(inverses, self.grid_R2).transpose(-1, -2)
"""
        },
        {"lifting-grid": 0.5},
    ),
    Variant(
        "lifting grid: minus the points",
        "-x in place of the inverse",
        {
            LIFT_GRID: (
                "transformed_grid_R2 = self.group.left_action_on_R2(group_elements, -self.grid_R2)"
            )
        },
        {"lifting-grid": 0.5},
    ),
    Variant(
        "lifting grid: the identity alone",
        "one element",
        {LIFT_ELEMENTS: "group_elements = self.group.identity"},
        {"lifting-grid": 0},
    ),
    Variant(
        "lifting grid: degrees",
        "angles are radians",
        {LIFT_ELEMENTS: "group_elements = torch.rad2deg(self.group.elements())"},
        {"lifting-grid": 0.5},
    ),
    Variant(
        "lifting grid: a bracket is missing",
        "the cell is not Python, so nothing in it is defined",
        {LIFT_GRID: "transformed_grid_R2 = self.group.left_action_on_R2("},
        {"lifting-grid": 0},
    ),
    Variant(
        "lifting grid: first block open",
        "no elements",
        {LIFT_ELEMENTS: "group_elements = ..."},
        {"lifting-grid": 0},
    ),
    Variant(
        "lifting grid: second block open",
        "no grids",
        {LIFT_GRID: "transformed_grid_R2 = ..."},
        {"lifting-grid": 0},
    ),
]

# The layer that goes with kernels which are folded already when they are sampled.
TAKES_FOLDED_KERNELS = "conv_kernels = self.kernel.sample()"
ROT90_LIFT = """
turned = [torch.rot90(self.weight, h, (-2, -1)) for h in range(self.group.order)]
return torch.stack(turned, dim=1)
"""

LIFTING_FOLDS = [
    Variant(
        "lifting fold: einops",
        "rearrange merges two axes",
        {
            LIFT_FOLD: """
from einops import rearrange
weight = rearrange(self.weight, "o i x y -> (o i) x y")
"""
        },
    ),
    Variant(
        "lifting fold: flatten",
        "merges two axes",
        {LIFT_FOLD: "weight = self.weight.flatten(0, 1)"},
    ),
    Variant(
        "lifting fold: view with -1",
        "merges two axes",
        {LIFT_FOLD: "weight = self.weight.view(-1, self.kernel_size, self.kernel_size)"},
    ),
    Variant(
        "lifting fold: cat",
        "output channels one after the other",
        {LIFT_FOLD: "weight = torch.cat([channel for channel in self.weight])"},
    ),
    Variant(
        "lifting fold: einsum-like reshape of a tuple",
        "sizes from the shape",
        {LIFT_FOLD: "o, i, k, _ = self.weight.shape\nweight = self.weight.reshape((o * i, k, k))"},
    ),
    Variant(
        "lifting fold: rot90",
        "exact quarter turns in place of interpolation",
        {LIFT_FOLD: ROT90_LIFT},
    ),
    Variant(
        "lifting fold: one pose after the other",
        "a loop over the grids",
        {
            LIFT_FOLD: """
k = self.kernel_size
weight = self.weight.reshape(-1, k, k)
poses = []
for h in range(self.group.order):
    turned = bilinear_interpolation(weight, self.transformed_grid_R2[:, h])
    poses.append(turned.reshape(self.out_channels, self.in_channels, k, k))
return torch.stack(poses, dim=1)
"""
        },
    ),
    Variant(
        "lifting fold: one output channel after the other",
        "input channels as the signal's channels",
        {
            LIFT_FOLD: """
n = self.group.order
bank = []
for channel in self.weight:
    signal = channel[None].repeat(n, 1, 1, 1)
    bank.append(bilinear_interpolation(signal, self.transformed_grid_R2))
return torch.stack(bank)
"""
        },
    ),
    Variant(
        "lifting fold: folded for the layer already",
        "sample folds the group axis, so forward need not",
        {LIFT_KERNELS: TAKES_FOLDED_KERNELS},
        edits={
            "lifting-kernel": [
                (
                    "return kernels / determinant.view(-1, 1, 1, 1)",
                    "return (kernels / determinant.view(-1, 1, 1, 1)).flatten(0, 1)",
                )
            ]
        },
    ),
    Variant(
        "lifting fold: rot90, folded for the layer already",
        "both at once",
        {
            LIFT_FOLD: ROT90_LIFT.rstrip() + ".flatten(0, 1)",
            LIFT_KERNELS: TAKES_FOLDED_KERNELS,
        },
    ),
    Variant(
        "lifting fold: folded for the layer already, wrong product and matrix",
        "work moved to a neighbour is right though the group is not",
        {
            LIFT_FOLD: ROT90_LIFT.rstrip() + ".flatten(0, 1)",
            LIFT_KERNELS: TAKES_FOLDED_KERNELS,
            PRODUCT: "product = h * h_prime",
            MATRIX: "representation = torch.ones(*h.shape, 2, 2)",
        },
        {"product": 0, "matrix": 0},
    ),
    Variant(
        "lifting fold: helper function in a cell of its own",
        "helpers belong to the answer",
        {LIFT_FOLD: "weight = fold_first_two(self.weight)"},
        before={"lifting-kernel": "def fold_first_two(t):\n    return t.reshape(-1, *t.shape[2:])"},
    ),
    Variant(
        "lifting fold: helper function, and a wrong matrix",
        "the helper also counts where the rest is replaced",
        {
            LIFT_FOLD: "weight = fold_first_two(self.weight)",
            MATRIX: "representation = torch.ones(*h.shape, 2, 2)",
        },
        {"matrix": 0},
        before={
            "lifting-kernel": "import itertools as it\nFIRST = 2\n\n\n"
            "def fold_first_two(t):\n    return t.reshape(-1, *t.shape[FIRST:])"
        },
    ),
    Variant(
        "lifting fold: not folded",
        "a signal with two channel axes",
        {LIFT_FOLD: "weight = self.weight"},
        {"lifting-fold": 0},
    ),
    Variant(
        "lifting fold: first output channel",
        "looks right with one output channel",
        {LIFT_FOLD: "weight = self.weight[0]"},
        {"lifting-fold": 0},
    ),
    Variant(
        "lifting fold: mean over the outputs",
        "channels are lost",
        {LIFT_FOLD: "weight = self.weight.mean(dim=0)"},
        {"lifting-fold": 0},
    ),
    Variant(
        "lifting fold: input channels outermost",
        "channels are mixed up by the unfolding",
        {LIFT_FOLD: "weight = self.weight.transpose(0, 1).reshape(-1, *self.weight.shape[2:])"},
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting fold: rows and columns exchanged",
        "the kernel of the identity is transposed",
        {LIFT_FOLD: "weight = self.weight.transpose(-1, -2).flatten(0, 1)"},
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting fold: detached",
        "right numbers, but the weight never learns",
        {LIFT_FOLD: "weight = self.weight.detach().flatten(0, 1)"},
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting fold: data",
        "right numbers, but the weight never learns",
        {LIFT_FOLD: "weight = self.weight.data.view(-1, self.kernel_size, self.kernel_size)"},
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting fold: one kernel for all inputs",
        "weights without an influence of their own",
        {
            LIFT_FOLD: (
                "weight = self.weight.sum(1, keepdim=True).expand_as(self.weight).flatten(0, 1)"
            )
        },
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting fold: zeros of the right shape",
        "no weights at all",
        {LIFT_FOLD: "weight = torch.zeros_like(self.weight).flatten(0, 1)"},
        {"lifting-fold": 0},
    ),
    Variant(
        "lifting fold: group axis first",
        "[|H|, C_out, C_in, k, k]",
        {LIFT_FOLD: ROT90_LIFT.replace("dim=1", "dim=0")},
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting fold: rot90 clockwise",
        "the kernels turn the wrong way",
        {LIFT_FOLD: ROT90_LIFT.replace("h, (-2", "-h, (-2")},
        {"lifting-fold": 1.5},
    ),
    Variant(
        "lifting fold: rot90, order 4 hard-coded",
        "four kernels for every group",
        {LIFT_FOLD: ROT90_LIFT.replace("self.group.order", "4")},
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting fold: left open", "nothing done", {LIFT_FOLD: "weight = ..."}, {"lifting-fold": 0}
    ),
]

LIFTING_LAYERS = [
    Variant(
        "lifting layer: einops, imported in a cell of its own",
        "rearrange merges two axes",
        {
            LIFT_KERNELS: (
                'conv_kernels = rearrange(self.kernel.sample(), "o h i x y -> (o h) i x y")'
            )
        },
        before={"lifting-convolution": "from einops import rearrange"},
    ),
    Variant(
        "lifting layer: flatten",
        "merges two axes",
        {
            LIFT_KERNELS: "conv_kernels = self.kernel.sample().flatten(0, 1)",
            LIFT_CONV: "x = torch.conv2d(x, conv_kernels, padding=self.padding)",
        },
    ),
    Variant(
        "lifting layer: view, sizes from the sample",
        "sizes by unpacking",
        {
            LIFT_KERNELS: """
sampled = self.kernel.sample().contiguous()
o, h, i, k, _ = sampled.shape
conv_kernels = sampled.view(o * h, i, k, k)
"""
        },
    ),
    Variant(
        "lifting layer: all in the second block",
        "work moved to the neighbouring block",
        {
            LIFT_KERNELS: "conv_kernels = self.kernel.sample()",
            LIFT_CONV: "x = F.conv2d(x, conv_kernels.flatten(0, 1), None, 1, self.padding)",
        },
    ),
    Variant(
        "lifting layer: all in the first block",
        "work moved to the neighbouring block",
        {
            LIFT_KERNELS: """
conv_kernels = self.kernel.sample().flatten(0, 1)
x = F.conv2d(x, conv_kernels, padding=self.padding)
""",
            LIFT_CONV: "x = x",
        },
    ),
    Variant(
        "lifting layer: one convolution per element",
        "a loop and a stack in place of one fold",
        {
            LIFT_KERNELS: "conv_kernels = self.kernel.sample()",
            LIFT_CONV: """
slices = []
for h in range(conv_kernels.shape[1]):
    slices.append(F.conv2d(x, conv_kernels[:, h], padding=self.padding))
return torch.stack(slices, dim=2)
""",
        },
    ),
    Variant(
        "lifting layer: one convolution per output channel",
        "a loop and a cat",
        {
            LIFT_KERNELS: "conv_kernels = self.kernel.sample()",
            LIFT_CONV: (
                "x = torch.cat([F.conv2d(x, kernels, padding=self.padding)"
                " for kernels in conv_kernels], dim=1)"
            ),
        },
    ),
    Variant(
        "lifting layer: padded by hand",
        "zeros around the image",
        {
            LIFT_CONV: """
p = self.padding
x = F.conv2d(F.pad(x, (p, p, p, p)), conv_kernels)
"""
        },
    ),
    Variant(
        "lifting layer: rot90 in the layer",
        "exact quarter turns, made where they are needed",
        {
            LIFT_KERNELS: """
weight, order = self.kernel.weight, self.kernel.group.order
turned = [torch.rot90(weight, h, dims=[2, 3]) for h in range(order)]
conv_kernels = torch.stack(turned, dim=1).flatten(0, 1)
"""
        },
    ),
    Variant(
        "lifting layer: the image turns",
        "turning the image back and the result forth is the same",
        {
            LIFT_KERNELS: "conv_kernels = self.kernel.weight",
            LIFT_CONV: """
slices = []
for h in range(self.kernel.group.order):
    back = torch.rot90(x, -h, (-2, -1))
    slices.append(torch.rot90(F.conv2d(back, conv_kernels, padding=self.padding), h, (-2, -1)))
return torch.stack(slices, dim=2)
""",
        },
    ),
    Variant(
        "lifting layer: unfold and einsum",
        "the sum written out",
        {
            LIFT_KERNELS: "conv_kernels = self.kernel.sample()",
            LIFT_CONV: """
k, p = self.kernel.kernel_size, self.padding
height, width = x.shape[-2] + 2 * p - k + 1, x.shape[-1] + 2 * p - k + 1
patches = F.unfold(x, k, padding=p).unflatten(1, (-1, k, k))
x = torch.einsum("bcijp,ohcij->bohp", patches, conv_kernels)
return x.unflatten(-1, (height, width))
""",
        },
    ),
    Variant(
        "lifting layer: padding forgotten",
        "always 0",
        {LIFT_CONV: "x = F.conv2d(x, conv_kernels)"},
        {"lifting-layer": 2.5},
    ),
    Variant(
        "lifting layer: padding 1 hard-coded",
        "always 1",
        {LIFT_CONV: "x = F.conv2d(x, conv_kernels, padding=1)"},
        {"lifting-layer": 2.5},
    ),
    Variant(
        "lifting layer: padding same",
        "the size is kept, whatever was asked",
        {LIFT_CONV: 'x = F.conv2d(x, conv_kernels, padding="same")'},
        {"lifting-layer": 2.5},
    ),
    Variant(
        "lifting layer: group axis outermost",
        "the unfolding takes channels for elements",
        {LIFT_KERNELS: ("conv_kernels = self.kernel.sample().transpose(0, 1).flatten(0, 1)")},
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: result discarded",
        "x is still the image",
        {LIFT_CONV: "F.conv2d(x, conv_kernels, padding=self.padding)"},
        {"lifting-layer": 0},
    ),
    Variant(
        "lifting layer: result under another name",
        "x is still the image",
        {LIFT_CONV: "out = F.conv2d(x, conv_kernels, padding=self.padding)"},
        {"lifting-layer": 0},
    ),
    Variant(
        "lifting layer: not folded",
        "five axes",
        {LIFT_KERNELS: "conv_kernels = self.kernel.sample()"},
        {"lifting-layer": 0},
    ),
    Variant(
        "lifting layer: folded into the inputs",
        "the wrong two axes",
        {LIFT_KERNELS: "conv_kernels = self.kernel.sample().flatten(1, 2)"},
        {"lifting-layer": 0},
    ),
    Variant(
        "lifting layer: upright kernels only",
        "the same slice for every element",
        {
            LIFT_KERNELS: (
                "conv_kernels = self.kernel.weight.repeat_interleave(self.kernel.group.order, 0)"
            )
        },
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: kernels averaged over the group",
        "one slice",
        {LIFT_KERNELS: "conv_kernels = self.kernel.sample().mean(dim=1)"},
        {"lifting-layer": 0},
    ),
    Variant(
        "lifting layer: kernels flipped",
        "a true convolution, turned by 180°",
        {LIFT_CONV: "x = F.conv2d(x, conv_kernels.flip(-2, -1), padding=self.padding)"},
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: rot90 clockwise in the layer",
        "equivariant, but the wrong way round",
        {
            LIFT_KERNELS: """
turned = [torch.rot90(self.kernel.weight, -h, (-2, -1)) for h in range(self.kernel.group.order)]
conv_kernels = torch.stack(turned, dim=1).flatten(0, 1)
"""
        },
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: a ReLU too many",
        "equivariant, but not the convolution",
        {LIFT_CONV: "x = F.relu(F.conv2d(x, conv_kernels, padding=self.padding))"},
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: detached",
        "right numbers, but the weight never learns",
        {LIFT_KERNELS: "conv_kernels = self.kernel.sample().detach().flatten(0, 1)"},
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: order 4 hard-coded",
        "wrong for every other group",
        {
            LIFT_KERNELS: """
k = self.kernel
conv_kernels = k.sample().reshape(k.out_channels * 4, k.in_channels, k.kernel_size, k.kernel_size)
"""
        },
        {"lifting-layer": 1.5},
    ),
    Variant(
        "lifting layer: stride 2",
        "every second position",
        {LIFT_CONV: "x = F.conv2d(x, conv_kernels, padding=self.padding, stride=2)"},
        {"lifting-layer": 0.5},
    ),
    Variant(
        "lifting layer: batch axis squeezed",
        "one image has no batch axis any more",
        {LIFT_CONV: "x = F.conv2d(x, conv_kernels, padding=self.padding).squeeze()"},
        {"lifting-layer": 2.5},
    ),
    Variant(
        "lifting layer: height and width exchanged",
        "images that are not square are scrambled",
        {
            LIFT_CONV: """
x = F.conv2d(x, conv_kernels, padding=self.padding)
x = x.reshape(*x.shape[:2], x.shape[-1], x.shape[-2])
"""
        },
        {"lifting-layer": 1.5},
    ),
    Variant(
        "lifting layer: kernels of another cell",
        "what the plotting cell leaves behind",
        {LIFT_KERNELS: "conv_kernels = kernels.flatten(0, 1)"},
        {"lifting-layer": 0},
    ),
    Variant(
        "lifting layer: first block open",
        "no kernels",
        {LIFT_KERNELS: "conv_kernels = ..."},
        {"lifting-layer": 0},
    ),
    Variant(
        "lifting layer: second block open",
        "no result",
        {LIFT_CONV: "x = ..."},
        {"lifting-layer": 0},
    ),
]

ACTIONS = [
    Variant(
        "act on lifted: rolled first",
        "twist and shift commute",
        {
            ACTED: """
acted = x.roll(quarter_turns * (x.shape[2] // 4), dims=2)
acted = torch.rot90(acted, quarter_turns, dims=[3, 4])
"""
        },
    ),
    Variant(
        "act on lifted: one turn after the other",
        "a transposition and a flip make a quarter turn",
        {
            ACTED: """
acted = x
for _ in range(quarter_turns % 4):
    acted = acted.transpose(-2, -1).flip(-2).roll(x.shape[2] // 4, 2)
"""
        },
    ),
    Variant(
        "act on lifted: indices modulo the order",
        "slice h comes from slice h - steps",
        {
            ACTED: """
n = x.shape[2]
index = (torch.arange(n) - quarter_turns * n // 4) % n
acted = torch.rot90(x, quarter_turns, (-2, -1))[:, :, index]
"""
        },
    ),
    Variant(
        "act on lifted: cat of two parts",
        "the last slices come first",
        {
            ACTED: """
twisted = torch.rot90(x, quarter_turns, (-2, -1))
cut = x.shape[2] - quarter_turns % 4 * x.shape[2] // 4
acted = torch.cat([twisted[:, :, cut:], twisted[:, :, :cut]], dim=2)
"""
        },
    ),
    Variant(
        "act on lifted: a loop and a stack",
        "slice by slice",
        {
            ACTED: """
n = x.size(2)
slices = []
for h in range(n):
    old = x[:, :, (h - quarter_turns * n // 4) % n]
    slices.append(torch.rot90(old, quarter_turns, (-2, -1)))
acted = torch.stack(slices, dim=2)
"""
        },
    ),
    Variant(
        "act on lifted: index_select",
        "the same indices",
        {
            ACTED: """
order = x.shape[2]
steps = quarter_turns * order // 4
where = torch.tensor([(h - steps) % order for h in range(order)])
acted = torch.index_select(torch.rot90(x, quarter_turns, (3, 4)), 2, where)
"""
        },
    ),
    Variant(
        "act on lifted: permuted",
        "the group axis in front, negative indices wrap around",
        {
            ACTED: """
slices = list(x.permute(2, 0, 1, 3, 4))
steps = quarter_turns * len(slices) // 4 % len(slices)
slices = [torch.rot90(slices[h - steps], quarter_turns, (-2, -1)) for h in range(len(slices))]
acted = torch.stack(slices).permute(1, 2, 0, 3, 4)
"""
        },
    ),
    Variant(
        "act on lifted: gather",
        "an index for every number",
        {
            ACTED: """
twisted = torch.rot90(x, quarter_turns, (-2, -1))
n = x.shape[2]
index = torch.remainder(torch.arange(n) - quarter_turns * n // 4, n)
acted = twisted.gather(2, index.view(1, 1, n, 1, 1).expand_as(twisted))
"""
        },
    ),
    Variant(
        "act on lifted: recursion",
        "one turn, and the rest",
        {
            ACTED: """
if quarter_turns % 4 == 0:
    return x
once = torch.rot90(x, 1, (-2, -1)).roll(x.shape[2] // 4, dims=2)
acted = act_on_lifted(once, quarter_turns % 4 - 1)
"""
        },
    ),
    Variant(
        "act on lifted: negative turns apart",
        "three turns forth for one back",
        {
            ACTED: """
while quarter_turns < 0:
    quarter_turns += 4
quarter_turns %= 4
acted = [x, x.mT.flip(-2), x.flip(-2, -1), x.mT.flip(-1)][quarter_turns]
acted = acted.roll(x.shape[2] * quarter_turns // 4, dims=2)
"""
        },
    ),
    Variant(
        "act on lifted: numpy",
        "rot90 and roll of NumPy",
        {
            ACTED: """
turned = np.rot90(x.detach().numpy(), quarter_turns, axes=(3, 4))
steps = quarter_turns * x.shape[2] // 4
acted = torch.from_numpy(np.roll(turned, steps, axis=2).copy())
"""
        },
    ),
    Variant(
        "act on lifted: permutation matrix",
        "a product with zeros and ones moves the slices",
        {
            ACTED: """
n = x.shape[2]
moved = torch.eye(n).to(x).roll(quarter_turns * n // 4, 0)
acted = torch.einsum("gh,bchxy->bcgxy", moved, torch.rot90(x, quarter_turns, (-2, -1)))
"""
        },
    ),
    Variant(
        "act on lifted: quarters of the group axis",
        "four parts move on as slices of C₄ do",
        {
            ACTED: """
parts = x.unflatten(2, (4, -1)).roll(quarter_turns, dims=2).flatten(2, 3)
return torch.rot90(parts, quarter_turns, (-2, -1))
"""
        },
    ),
    Variant(
        "act on lifted: chunks",
        "four parts, dealt anew",
        {
            ACTED: """
parts = torch.rot90(x, quarter_turns, (-2, -1)).chunk(4, dim=2)
acted = torch.cat([parts[(part - quarter_turns) % 4] for part in range(4)], dim=2)
"""
        },
    ),
    Variant(
        "act on lifted: filled in slice by slice",
        "an empty tensor of the turned shape",
        {
            ACTED: """
twisted = torch.rot90(x, quarter_turns, (-2, -1))
acted, n = torch.empty_like(twisted), x.shape[2]
for h in range(n):
    acted[:, :, (h + quarter_turns * n // 4) % n] = twisted[:, :, h]
"""
        },
    ),
    Variant(
        "act on lifted: no shift",
        "the slices turn where they are",
        {ACTED: "acted = torch.rot90(x, quarter_turns, (-2, -1))"},
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: no twist",
        "the slices move on upright",
        {ACTED: "acted = x.roll(quarter_turns * x.shape[2] // 4, dims=2)"},
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: twist clockwise",
        "rot90 backwards",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, -quarter_turns, (-2, -1)).roll(steps, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: shift the wrong way",
        "roll backwards",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(-steps, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: both the wrong way",
        "this is the action of the inverse",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, -quarter_turns, (-2, -1)).roll(-steps, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: one step in every group",
        "a quarter turn of C₈ is two steps",
        {ACTED: "acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(quarter_turns, dims=2)"},
        {"act-on-lifted": 1},
    ),
    Variant(
        "act on lifted: two steps in every group",
        "right for C₈ only",
        {ACTED: "acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(2 * quarter_turns, dims=2)"},
        {"act-on-lifted": 1},
    ),
    Variant(
        "act on lifted: order 4 hard-coded",
        "four slices, whatever the group",
        {
            ACTED: """
index = (torch.arange(4) - quarter_turns) % 4
acted = torch.rot90(x, quarter_turns, (-2, -1))[:, :, index]
"""
        },
        {"act-on-lifted": 1},
    ),
    Variant(
        "act on lifted: shift along the channels",
        "the axis before",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(steps, dims=1)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: shift along the rows",
        "the axis after",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(steps, dims=3)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: shift without an axis",
        "roll flattens first",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(steps)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: turned in the first two axes",
        "the default of rot90 is batch and channels",
        {
            ACTED: """
acted = torch.rot90(x, quarter_turns).roll(quarter_turns * x.shape[2] // 4, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: group axis and rows turned",
        "the wrong two axes",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, quarter_turns, (2, 3)).roll(steps, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: axes of rot90 exchanged",
        "turns clockwise",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, quarter_turns, (-1, -2)).roll(steps, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: one turn, whatever is asked",
        "quarter_turns is not used",
        {ACTED: "acted = torch.rot90(x, 1, (-2, -1)).roll(x.shape[2] // 4, dims=2)"},
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: one turn's twist",
        "the slices always turn by 90°",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, 1, (-2, -1)).roll(steps, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: one turn's shift",
        "the slices always move by 90°",
        {ACTED: "acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(x.shape[2] // 4, dims=2)"},
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: turns back not handled",
        "a loop over a negative number does nothing",
        {
            ACTED: """
acted = x
for _ in range(quarter_turns):
    acted = torch.rot90(acted, 1, (-2, -1)).roll(x.shape[2] // 4, dims=2)
"""
        },
        {"act-on-lifted": 1},
    ),
    Variant(
        "act on lifted: cut from the end",
        "negative places count from the end",
        {
            ACTED: """
twisted = torch.rot90(x, quarter_turns, (-2, -1))
steps = quarter_turns * x.shape[2] // 4
acted = torch.cat([twisted[:, :, -steps:], twisted[:, :, :-steps]], dim=2)
"""
        },
    ),
    Variant(
        "act on lifted: kept in the shape of x",
        "images that are not square do not fit",
        {
            ACTED: """
acted, n = torch.empty_like(x), x.shape[2]
for h in range(n):
    turned = torch.rot90(x[:, :, h], quarter_turns, (-2, -1))
    acted[:, :, (h + quarter_turns * n // 4) % n] = turned
"""
        },
        {"act-on-lifted": 1},
    ),
    Variant(
        "act on lifted: reshaped to the shape of x",
        "images that are not square are scrambled",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(steps, dims=2).reshape(x.shape)
"""
        },
        {"act-on-lifted": 1},
    ),
    Variant(
        "act on lifted: in place",
        "x is moved too",
        {
            ACTED: """
x[:] = x.roll(quarter_turns * x.shape[2] // 4, dims=2)
acted = torch.rot90(x, quarter_turns, (-2, -1))
"""
        },
        {"act-on-lifted": 1},
    ),
    Variant(
        "act on lifted: x itself",
        "nothing is done",
        {ACTED: "acted = x"},
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: channels folded",
        "the shape is lost",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(steps, dims=2).flatten(1, 2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: batch of one squeezed",
        "the shape of a single image is lost",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(steps, dims=2).squeeze(0)
"""
        },
        {"act-on-lifted": 1},
    ),
    Variant(
        "act on lifted: transposed",
        "a reflection in place of a turn",
        {
            ACTED: """
acted = x.transpose(-2, -1).roll(quarter_turns * x.shape[2] // 4, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: flipped",
        "a reflection in place of a turn",
        {
            ACTED: """
acted = x.flip(-1).roll(quarter_turns * x.shape[2] // 4, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: steps from the width",
        "the last axis is not the group",
        {
            ACTED: """
steps = quarter_turns * x.shape[-1] // 4
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(steps, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: steps are a fraction",
        "roll takes whole numbers",
        {
            ACTED: """
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(quarter_turns * x.shape[2] / 4, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: divided too early",
        "quarter_turns // 4 is 0",
        {
            ACTED: """
steps = quarter_turns // 4 * x.shape[2]
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(steps, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: divided by the turns",
        "two turns would move less than one",
        {
            ACTED: """
steps = x.shape[2] // (4 * quarter_turns)
acted = torch.rot90(x, quarter_turns, (-2, -1)).roll(steps, dims=2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: slices in the opposite order",
        "flipped in place of moved",
        {
            ACTED: """
acted = torch.rot90(x, quarter_turns, (-2, -1)).flip(2)
"""
        },
        {"act-on-lifted": 0},
    ),
    Variant(
        "act on lifted: left open",
        "nothing done",
        {ACTED: "acted = ..."},
        {"act-on-lifted": 0},
    ),
]

GROUP_GRIDS = [
    Variant(
        "group grid: h̃⁻¹h",
        "the other equivariant order",
        {
            SLICES: """
transformed_grid_H = self.group.product(
    self.group.inverse(self.grid_H)[None, :], group_elements[:, None]
)
"""
        },
    ),
    Variant(
        "group grid: element by element",
        "loops and stacks",
        {
            SLICES: """
rows = []
for h in group_elements:
    rows.append(self.group.product(self.group.inverse(h), self.grid_H))
transformed_grid_H = torch.stack(rows)
""",
        },
    ),
    Variant(
        "group grid: every pair",
        "two loops",
        {
            SLICES: """
transformed_grid_H = torch.stack([
    torch.stack([self.group.product(self.group.inverse(h), other) for other in self.grid_H])
    for h in group_elements
])
"""
        },
    ),
    Variant(
        "group grid: roll",
        "h⁻¹ moves the elements of a cyclic group along",
        {
            SLICES: (
                "transformed_grid_H = torch.stack("
                "[self.grid_H.roll(i) for i in range(len(group_elements))])"
            )
        },
    ),
    Variant(
        "group grid: angles subtracted",
        "normalising takes the remainder",
        {SLICES: "transformed_grid_H = self.grid_H[None, :] - group_elements[:, None]"},
    ),
    Variant(
        "group grid: pairs from meshgrid",
        "all pairs first",
        {
            SLICES: """
h, other = torch.meshgrid(group_elements, self.grid_H, indexing="ij")
transformed_grid_H = self.group.product(self.group.inverse(h), other)
"""
        },
    ),
    Variant(
        "group grid: no inverse",
        "h · h̃",
        {
            SLICES: (
                "transformed_grid_H = self.group.product("
                "group_elements[:, None], self.grid_H[None, :])"
            )
        },
        {"group-grid": 0.5},
    ),
    Variant(
        "group grid: rolled the wrong way",
        "h · h̃",
        {
            SLICES: (
                "transformed_grid_H = torch.stack("
                "[self.grid_H.roll(-i) for i in range(self.group.order)])"
            )
        },
        {"group-grid": 0.5},
    ),
    Variant(
        "group grid: no shift",
        "the slices stay where they are",
        {SLICES: "n = self.group.order\ntransformed_grid_H = self.grid_H[None, :].expand(n, n)"},
        {"group-grid": 0},
    ),
    Variant(
        "group grid: one slice for all",
        "h alone, h̃ is forgotten",
        {
            SLICES: (
                "transformed_grid_H = self.group.inverse(group_elements)[:, None]"
                ".repeat(1, self.group.order)"
            )
        },
        {"group-grid": 0},
    ),
    Variant(
        "group grid: shifted twice",
        "h⁻¹h⁻¹h̃",
        {
            SLICES: """
inverses = self.group.inverse(group_elements)[:, None]
once = self.group.product(inverses, self.grid_H[None, :])
transformed_grid_H = self.group.product(inverses, once)
"""
        },
        {"group-grid": 0},
    ),
    Variant(
        "group grid: angles multiplied",
        "not the group's product",
        {
            SLICES: (
                "transformed_grid_H = self.group.inverse(group_elements)[:, None]"
                " * self.grid_H[None, :]"
            )
        },
        {"group-grid": 0},
    ),
    Variant(
        "group grid: no pairs",
        "one axis in place of two",
        {
            SLICES: (
                "transformed_grid_H = self.group.product("
                "self.group.inverse(group_elements), self.grid_H)"
            )
        },
        {"group-grid": 0},
    ),
    Variant(
        "group grid: the inverses that are given",
        "inverses were computed two lines above",
        {
            SLICES: (
                "transformed_grid_H = self.group.product(inverses[:, None], self.grid_H[None, :])"
            )
        },
    ),
    Variant(
        "group grid: by index",
        "the elements are multiples of one angle",
        {
            SLICES: """
n = self.group.order
index = (torch.arange(n)[None, :] - torch.arange(n)[:, None]) % n
transformed_grid_H = self.grid_H[index]
"""
        },
    ),
    Variant(
        "group grid: transposed",
        "h along the second axis and h̃ along the first",
        {
            SLICES: (
                "transformed_grid_H = self.group.product(inverses[None, :], self.grid_H[:, None])"
            )
        },
    ),
    Variant(
        "group grid: a variable of another cell",
        "group, not self.group",
        {
            SLICES: (
                "transformed_grid_H = group.product("
                "group.inverse(group.elements())[:, None], self.grid_H[None, :])"
            )
        },
        {"group-grid": 0},
    ),
    Variant(
        "group grid: order 4 hard-coded",
        "quarter turns, whatever the group",
        {
            SLICES: """
quarters = torch.arange(4, dtype=torch.float64) * (math.pi / 2)
transformed_grid_H = self.group.product(self.group.inverse(quarters)[:, None], self.grid_H)
"""
        },
        {"group-grid": 1},
    ),
    Variant(
        "group grid: inverse of the product",
        "(h · h̃)⁻¹ in place of h⁻¹ · h̃",
        {
            SLICES: (
                "transformed_grid_H = self.group.inverse("
                "self.group.product(group_elements[:, None], self.grid_H[None, :]))"
            )
        },
        {"group-grid": 0.5},
    ),
    Variant(
        "group grid: inverse of both",
        "h⁻¹ · h̃⁻¹",
        {
            SLICES: """
inverse = self.group.inverse
transformed_grid_H = self.group.product(inverse(group_elements)[:, None], inverse(self.grid_H))
"""
        },
        {"group-grid": 0.5},
    ),
    Variant(
        "group grid: flattened",
        "one axis of all pairs",
        {
            SLICES: (
                "transformed_grid_H = self.group.product("
                "inverses[:, None], self.grid_H[None, :]).flatten()"
            )
        },
        {"group-grid": 0},
    ),
    Variant(
        "group grid: left open",
        "nothing done",
        {SLICES: "transformed_grid_H = ..."},
        {"group-grid": 0},
    ),
]

# The given line of the group kernel, and what a student may put in its place.
GIVEN_FOLD = "weight = self.weight.flatten(0, 1)\n"
ROT90_AND_ROLL = """turned = [
            torch.rot90(self.weight, h, (-2, -1)).roll(h, dims=2) for h in range(self.group.order)
        ]
        return torch.stack(turned, dim=1)
"""
FOLDED_ALREADY = ROT90_AND_ROLL.rstrip() + ".flatten(0, 1).flatten(1, 2)\n"


def weight_of(*sizes: str) -> str:
    """Return the block of the group kernel whose weight has these sizes."""
    return f"self.weight = nn.Parameter(torch.zeros({', '.join(sizes)}))"


GROUP_KERNELS = [
    Variant(
        "group kernel: empty",
        "the initialisation fills it",
        {
            WEIGHT: weight_of(
                "out_channels", "in_channels", "group.order", "kernel_size", "kernel_size"
            ).replace("zeros", "empty"),
        },
    ),
    Variant(
        "group kernel: sizes from the grid",
        "numel of grid_H is the order",
        {
            WEIGHT: """
n, k = self.grid_H.numel(), self.kernel_size
self.weight = torch.nn.Parameter(torch.randn(self.out_channels, self.in_channels, n, k, k))
"""
        },
    ),
    Variant(
        "group kernel: registered by hand",
        "the same parameter",
        {
            WEIGHT: """
sizes = (out_channels, in_channels, group.order, kernel_size, kernel_size)
self.register_parameter("weight", nn.Parameter(torch.ones(sizes), requires_grad=True))
"""
        },
    ),
    Variant(
        "group kernel: sizes from the elements",
        "as many as there are elements",
        {
            WEIGHT: """
shape = [out_channels, in_channels, len(group.elements()), *[kernel_size] * 2]
weight = torch.zeros(shape)
self.weight = nn.Parameter(weight)
"""
        },
    ),
    Variant(
        "group kernel: rot90 and roll",
        "exact twist and shift in place of interpolation",
        edits={"group-kernel": [(GIVEN_FOLD, ROT90_AND_ROLL)]},
    ),
    Variant(
        "group kernel: folded for the layer already",
        "sample folds both group axes, so forward need not",
        {KERNELS: "conv_kernels = self.kernel.sample()"},
        edits={"group-kernel": [(GIVEN_FOLD, FOLDED_ALREADY)]},
    ),
    Variant(
        "group kernel: folded for the layer already, wrong inverse and grid",
        "work moved to a neighbour is right though what comes before is not",
        {
            KERNELS: "conv_kernels = self.kernel.sample()",
            INVERSE: "inverse = torch.ones_like(h)",
            SLICES: "transformed_grid_H = ...",
        },
        {"inverse": 0, "group-grid": 0},
        edits={"group-kernel": [(GIVEN_FOLD, FOLDED_ALREADY)]},
    ),
    Variant(
        "group kernel: inputs before outputs",
        "the weight's axes in another order",
        {
            WEIGHT: weight_of(
                "in_channels", "out_channels", "group.order", "kernel_size", "kernel_size"
            )
        },
        {"group-kernel": 0.5},
    ),
    Variant(
        "group kernel: group axis last",
        "the weight's axes in another order",
        {
            WEIGHT: weight_of(
                "out_channels", "in_channels", "kernel_size", "kernel_size", "group.order"
            )
        },
        {"group-kernel": 0},
    ),
    Variant(
        "group kernel: group axis first",
        "the weight's axes in another order",
        {
            WEIGHT: weight_of(
                "group.order", "out_channels", "in_channels", "kernel_size", "kernel_size"
            )
        },
        {"group-kernel": 0},
    ),
    Variant(
        "group kernel: no group axis",
        "the weight of a lifting kernel",
        {WEIGHT: weight_of("out_channels", "in_channels", "kernel_size", "kernel_size")},
        {"group-kernel": 0},
    ),
    Variant(
        "group kernel: folded in the weight",
        "[C_out · C_in, |H|, k, k]",
        {
            WEIGHT: weight_of(
                "out_channels * in_channels", "group.order", "kernel_size", "kernel_size"
            )
        },
        {"group-kernel": 0},
    ),
    Variant(
        "group kernel: kernel size 5 hard-coded",
        "wrong for every other size",
        {WEIGHT: weight_of("out_channels", "in_channels", "group.order", "5", "5")},
        {"group-kernel": 0.5},
    ),
    Variant(
        "group kernel: order 4 hard-coded",
        "wrong for every other group",
        {WEIGHT: weight_of("out_channels", "in_channels", "4", "kernel_size", "kernel_size")},
        {"group-kernel": 0.5},
    ),
    Variant(
        "group kernel: not a parameter",
        "a plain tensor is never trained",
        {
            WEIGHT: """
self.weight = torch.zeros(out_channels, in_channels, group.order, kernel_size, kernel_size)
"""
        },
        {"group-kernel": 0.5},
    ),
    Variant(
        "group kernel: frozen",
        "a parameter without a gradient",
        {
            WEIGHT: """
sizes = (out_channels, in_channels, group.order, kernel_size, kernel_size)
self.weight = nn.Parameter(torch.zeros(sizes), requires_grad=False)
"""
        },
        {"group-kernel": 0.5},
    ),
    Variant(
        "group kernel: a local variable",
        "self.weight does not exist",
        {
            WEIGHT: """
weight = nn.Parameter(
    torch.zeros(out_channels, in_channels, group.order, kernel_size, kernel_size)
)
"""
        },
        {"group-kernel": 0},
    ),
    Variant(
        "group kernel: twist without shift",
        "rot90 alone in place of the interpolation",
        points={"group-kernel": 0.5},
        edits={"group-kernel": [(GIVEN_FOLD, ROT90_AND_ROLL.replace(".roll(h, dims=2)", ""))]},
    ),
    Variant(
        "group kernel: rolled against the turn",
        "twist and shift go in opposite senses",
        points={"group-kernel": 0.5},
        edits={"group-kernel": [(GIVEN_FOLD, ROT90_AND_ROLL.replace("roll(h", "roll(-h"))]},
    ),
    Variant(
        "group kernel: the two group axes exchanged",
        "k_h̃(x, h) in place of k_h(x, h̃): equivariant, but not the formula",
        points={"group-kernel": 0.5},
        edits={"group-kernel": [(GIVEN_FOLD, ROT90_AND_ROLL.rstrip() + ".transpose(1, 3)\n")]},
    ),
    Variant(
        "group kernel: left open",
        "no weight",
        {WEIGHT: "self.weight = ..."},
        {"group-kernel": 0},
    ),
]

GROUP_LAYERS = [
    Variant(
        "group layer: flatten",
        "merges axes",
        {
            INPUT: "x = x.flatten(1, 2)",
            KERNELS: "conv_kernels = self.kernel.sample().flatten(0, 1).flatten(1, 2)",
        },
    ),
    Variant(
        "group layer: sizes written out",
        "all from the shapes",
        {
            INPUT: """
b, c, h, height, width = x.shape
x = x.contiguous().view(b, c * h, height, width)
"""
        },
    ),
    Variant(
        "group layer: group axis outermost, in both",
        "input and kernels are folded alike",
        {
            INPUT: "x = x.transpose(1, 2).flatten(1, 2)",
            KERNELS: (
                "conv_kernels = self.kernel.sample().transpose(2, 3).flatten(0, 1).flatten(1, 2)"
            ),
        },
    ),
    Variant(
        "group layer: a sum over the input's poses",
        "the sum over h̃ written as a sum",
        {
            INPUT: "x = x",
            KERNELS: """
conv_kernels = self.kernel.sample().flatten(0, 1)
x = sum(
    F.conv2d(x[:, :, pose], conv_kernels[:, :, pose], padding=self.padding)
    for pose in range(self.kernel.group.order)
)
return x.unflatten(1, (self.kernel.out_channels, self.kernel.group.order))
""",
        },
    ),
    Variant(
        "group layer: one convolution per element",
        "a loop and a stack in place of one fold",
        {
            KERNELS: """
conv_kernels = self.kernel.sample()
slices = [
    F.conv2d(x, conv_kernels[:, h].flatten(1, 2), padding=self.padding)
    for h in range(conv_kernels.shape[1])
]
return torch.stack(slices, dim=2)
""",
        },
    ),
    Variant(
        "group layer: conv3d",
        "a kernel as deep as the group",
        {
            INPUT: "x = x",
            KERNELS: """
conv_kernels = self.kernel.sample().flatten(0, 1)
x = F.conv3d(x, conv_kernels, padding=(0, self.padding, self.padding))
return x.squeeze(2).unflatten(1, (-1, self.kernel.group.order))
""",
        },
    ),
    Variant(
        "group layer: all in the second block",
        "work moved to the neighbouring block",
        {
            INPUT: "x = x",
            KERNELS: """
conv_kernels = self.kernel.sample()
o, h, i, n, k, k = conv_kernels.shape
x = x.reshape(x.shape[0], i * n, *x.shape[3:])
conv_kernels = conv_kernels.reshape(o * h, i * n, k, k)
""",
        },
    ),
    Variant(
        "group layer: rot90 and roll in the layer",
        "exact twist and shift, made where they are needed",
        {
            KERNELS: """
weight, order = self.kernel.weight, self.kernel.group.order
bank = [torch.rot90(weight, h, (-2, -1)).roll(h, 2).flatten(1, 2) for h in range(order)]
conv_kernels = torch.stack(bank, dim=1).flatten(0, 1)
"""
        },
    ),
    Variant(
        "group layer: rot90 and roll for h̃⁻¹h in the layer",
        "the other equivariant order, exactly",
        {
            KERNELS: """
weight, n = self.kernel.weight, self.kernel.group.order
bank = []
for h in range(n):
    shifted = weight[:, :, [(h - other) % n for other in range(n)]]
    bank.append(torch.rot90(shifted, h, (-2, -1)).flatten(1, 2))
conv_kernels = torch.stack(bank, dim=1).flatten(0, 1)
"""
        },
    ),
    Variant(
        "group layer: input folded group axis first",
        "the features of one pose meet the weights of another",
        {INPUT: "x = x.transpose(1, 2).flatten(1, 2)"},
        {"group-layer": 0.5},
    ),
    Variant(
        "group layer: kernels folded group axis first",
        "the features of one pose meet the weights of another",
        {
            KERNELS: (
                "conv_kernels = self.kernel.sample().transpose(2, 3).flatten(0, 1).flatten(1, 2)"
            )
        },
        {"group-layer": 0.5},
    ),
    Variant(
        "group layer: output group axis outermost",
        "the unfolding takes channels for elements",
        {
            KERNELS: (
                "conv_kernels = self.kernel.sample().transpose(0, 1).flatten(0, 1).flatten(1, 2)"
            )
        },
        {"group-layer": 0.5},
    ),
    Variant(
        "group layer: input and output element exchanged",
        "k_h̃(x, h) in place of k_h(x, h̃): equivariant, but not the formula",
        {
            KERNELS: (
                "conv_kernels = self.kernel.sample().transpose(1, 3).flatten(0, 1).flatten(1, 2)"
            )
        },
        {"group-layer": 1},
    ),
    Variant(
        "group layer: poses summed first",
        "equivariant, but the poses of the input are lost",
        {
            INPUT: "x = x.sum(dim=2)",
            KERNELS: "conv_kernels = self.kernel.sample().mean(dim=3).flatten(0, 1)",
        },
        {"group-layer": 1},
    ),
    Variant(
        "group layer: first pose only",
        "the other poses of the input are ignored",
        {
            INPUT: "x = x[:, :, 0]",
            KERNELS: "conv_kernels = self.kernel.sample()[:, :, :, 0].flatten(0, 1)",
        },
        {"group-layer": 0.5},
    ),
    Variant(
        "group layer: input not folded",
        "five axes",
        {INPUT: "x = x"},
        {"group-layer": 0},
    ),
    Variant(
        "group layer: kernels not folded",
        "six axes",
        {KERNELS: "conv_kernels = self.kernel.sample()"},
        {"group-layer": 0},
    ),
    Variant(
        "group layer: channels exchanged",
        "in_channels and out_channels mixed up",
        {
            KERNELS: """
k, n = self.kernel, self.kernel.group.order
sizes = (k.in_channels * n, k.out_channels * n, k.kernel_size, k.kernel_size)
conv_kernels = k.sample().reshape(sizes)
"""
        },
        {"group-layer": 0},
    ),
    Variant(
        "group layer: detached",
        "right numbers, but the weight never learns",
        {KERNELS: "conv_kernels = self.kernel.sample().data.flatten(0, 1).flatten(1, 2)"},
        {"group-layer": 1},
    ),
    Variant(
        "group layer: order 4 hard-coded",
        "wrong for every other group",
        {
            INPUT: "x = x.reshape(x.shape[0], self.kernel.in_channels * 4, *x.shape[-2:])",
        },
        {"group-layer": 2},
    ),
    Variant(
        "group layer: float32 only",
        "fails in double precision",
        {KERNELS: "conv_kernels = self.kernel.sample().float().flatten(0, 1).flatten(1, 2)"},
        {"group-layer": 3.5},
    ),
    Variant(
        "group layer: height and width exchanged",
        "maps that are not square are scrambled",
        {INPUT: "x = x.reshape(x.shape[0], -1, x.shape[4], x.shape[3])"},
        {"group-layer": 1.5},
    ),
    Variant(
        "group layer: no shift in the layer",
        "turned kernels, the same slices for every element",
        {
            KERNELS: """
weight = self.kernel.weight.flatten(1, 2)
turned = [torch.rot90(weight, h, (-2, -1)) for h in range(self.kernel.group.order)]
conv_kernels = torch.stack(turned, dim=1).flatten(0, 1)
"""
        },
        {"group-layer": 0.5},
    ),
    Variant("group layer: first block open", "no input", {INPUT: "x = ..."}, {"group-layer": 0}),
    Variant(
        "group layer: second block open",
        "no kernels",
        {KERNELS: "conv_kernels = ..."},
        {"group-layer": 0},
    ),
]


def hidden_layers(
    many: str, settings: str = "group, hidden_channels, hidden_channels, kernel_size"
) -> str:
    """Return a second block of the network with this many group convolutions."""
    return f"""
self.gconvs = nn.ModuleList(
    [GroupConvolution({settings}) for _ in range({many})]
)
"""


NETWORKS = [
    Variant(
        "network: appended in a loop",
        "a list filled step by step",
        {
            LIFTING: (
                "self.lifting_conv = LiftingConvolution("
                "group=group, in_channels=in_channels, out_channels=hidden_channels,"
                " kernel_size=kernel_size)"
            ),
            HIDDEN: """
self.gconvs = nn.ModuleList()
for i in range(num_hidden):
    self.gconvs.append(
        GroupConvolution(group, hidden_channels, hidden_channels, kernel_size, padding=0)
    )
""",
        },
    ),
    Variant(
        "network: sequential",
        "can be walked through as a list can",
        {
            HIDDEN: """
layers = [
    GroupConvolution(group, hidden_channels, hidden_channels, kernel_size)
    for _ in range(num_hidden)
]
self.gconvs = nn.Sequential(*layers)
"""
        },
    ),
    Variant(
        "network: maximum",
        "a maximum is as invariant as a mean",
        {PROJECTION: "self.projection_layer = nn.AdaptiveMaxPool3d(1)"},
    ),
    Variant(
        "network: lambda with the mean",
        "[B, C]",
        {PROJECTION: "self.projection_layer = lambda x: x.mean(dim=(2, 3, 4))"},
    ),
    Variant(
        "network: lambda with the maximum",
        "[B, C, 1, 1, 1]",
        {PROJECTION: "self.projection_layer = lambda x: torch.amax(x, (-3, -2, -1), keepdim=True)"},
    ),
    Variant(
        "network: a function",
        "maximum over the group, mean over space",
        {
            PROJECTION: """
def project(features):
    return features.max(dim=2).values.mean(dim=(-2, -1))

self.projection_layer = project
"""
        },
    ),
    Variant(
        "network: a module of the student's own",
        "defined in a cell before",
        {PROJECTION: "self.projection_layer = MeanProjection()"},
        before={
            "network": "class MeanProjection(nn.Module):\n"
            "    def forward(self, x):\n        return x.flatten(2).mean(dim=-1)"
        },
    ),
    Variant(
        "network: a module of the student's own, and no lifting layer that works",
        "the module also counts where the rest is replaced",
        {
            PROJECTION: "self.projection_layer = MeanProjection()",
            LIFT_CONV: "x = ...",
        },
        {"lifting-layer": 0},
        before={
            "network": "class MeanProjection(nn.Module):\n"
            "    def forward(self, x):\n        return x.flatten(2).mean(dim=-1)"
        },
    ),
    Variant(
        "network: partial",
        "torch.mean with its axes",
        {
            PROJECTION: """
import functools

self.projection_layer = functools.partial(torch.mean, dim=(2, 3, 4), keepdim=True)
"""
        },
    ),
    Variant(
        "network: first the group, then space",
        "two poolings",
        {
            PROJECTION: """
self.projection_layer = nn.Sequential(
    nn.AvgPool3d((group.order, 1, 1)), nn.AdaptiveAvgPool3d((1, 1, 1))
)
"""
        },
    ),
    Variant(
        "network: flattened and pooled",
        "one long axis",
        {
            PROJECTION: """
self.projection_layer = nn.Sequential(nn.Flatten(2), nn.AdaptiveAvgPool1d(1))
"""
        },
    ),
    Variant(
        "network: one layer too few",
        "the lifting layer counted as hidden",
        {HIDDEN: hidden_layers("num_hidden - 1")},
        {"network": 1},
    ),
    Variant(
        "network: one layer too many",
        "counted from 0",
        {HIDDEN: hidden_layers("num_hidden + 1")},
        {"network": 1},
    ),
    Variant(
        "network: no hidden layer",
        "an empty list",
        {HIDDEN: "self.gconvs = nn.ModuleList()"},
        {"network": 1},
    ),
    Variant(
        "network: a plain list",
        "its layers are never trained",
        {
            HIDDEN: """
self.gconvs = [
    GroupConvolution(group, hidden_channels, hidden_channels, kernel_size)
    for _ in range(num_hidden)
]
"""
        },
        {"network": 1},
    ),
    Variant(
        "network: one layer used several times",
        "the same weights in every layer",
        {
            HIDDEN: """
layer = GroupConvolution(group, hidden_channels, hidden_channels, kernel_size)
self.gconvs = nn.ModuleList([layer] * num_hidden)
"""
        },
        {"network": 1},
    ),
    Variant(
        "network: no projection",
        "every position and pose goes to the last layer",
        {PROJECTION: "self.projection_layer = nn.Identity()"},
        {"network": 1},
    ),
    Variant(
        "network: projection over space only",
        "the poses are left",
        {PROJECTION: "self.projection_layer = nn.AdaptiveAvgPool3d((None, 1, 1))"},
        {"network": 1},
    ),
    Variant(
        "network: projection over the group only",
        "the positions are left",
        {PROJECTION: "self.projection_layer = nn.AdaptiveAvgPool3d((1, None, None))"},
        {"network": 1},
    ),
    Variant(
        "network: first pose only",
        "runs, but is not invariant",
        {PROJECTION: "self.projection_layer = lambda x: x[:, :, 0].mean(dim=(-2, -1))"},
        {"network": 2},
    ),
    Variant(
        "network: first position only",
        "runs, but is not invariant",
        {PROJECTION: "self.projection_layer = lambda x: x.mean(dim=2)[..., 0, 0]"},
        {"network": 2},
    ),
    Variant(
        "network: a pooling for 28 × 28 images",
        "fixed sizes",
        {PROJECTION: "self.projection_layer = nn.AvgPool3d((group.order, 8, 8))"},
        {"network": 1},
    ),
    Variant(
        "network: a learned projection",
        "a linear layer is not invariant",
        {
            PROJECTION: (
                "self.projection_layer = nn.Sequential("
                "nn.Flatten(1), nn.LazyLinear(hidden_channels))"
            )
        },
        {"network": 1},
    ),
    Variant(
        "network: mean over the batch too",
        "images are mixed",
        {
            PROJECTION: (
                "self.projection_layer = lambda x: x.mean((0, 2, 3, 4))[None].repeat(x.shape[0], 1)"
            )
        },
        {"network": 1},
    ),
    Variant(
        "network: batch axis squeezed",
        "one image has no batch axis any more",
        {PROJECTION: "self.projection_layer = lambda x: x.mean(dim=(2, 3, 4)).squeeze()"},
        {"network": 2},
    ),
    Variant(
        "network: padded",
        "padding was not asked for",
        {
            HIDDEN: hidden_layers(
                "num_hidden",
                "group, hidden_channels, hidden_channels, kernel_size, kernel_size // 2",
            )
        },
        {"network": 3},
    ),
    Variant(
        "network: order 4 hard-coded",
        "always C₄",
        {
            LIFTING: (
                "group = CyclicGroup(order=4)\n"
                "self.lifting_conv = LiftingConvolution("
                "group, in_channels, hidden_channels, kernel_size)"
            )
        },
        {"network": 1},
    ),
    Variant(
        "network: 16 channels hard-coded",
        "wrong for any other width",
        {
            LIFTING: "self.lifting_conv = LiftingConvolution(group, in_channels, 16, kernel_size)",
            HIDDEN: hidden_layers("num_hidden", "group, 16, 16, kernel_size"),
        },
        {"network": 0},
    ),
    Variant(
        "network: channels from another cell",
        "settings is a variable of the check",
        {
            LIFTING: (
                "self.lifting_conv = LiftingConvolution("
                'group, in_channels, settings["hidden_channels"], kernel_size)'
            )
        },
        {"network": 0},
    ),
    Variant(
        "network: group of another cell",
        "c4 is left behind by the cells above",
        {
            LIFTING: (
                "self.lifting_conv = LiftingConvolution("
                "c4, in_channels, hidden_channels, kernel_size)"
            )
        },
        {"network": 0},
    ),
    Variant(
        "network: hidden layers from in_channels",
        "they get hidden_channels",
        {HIDDEN: hidden_layers("num_hidden", "group, in_channels, hidden_channels, kernel_size")},
        {"network": 0},
    ),
    Variant(
        "network: an ordinary first layer",
        "nothing is lifted",
        {LIFTING: "self.lifting_conv = nn.Conv2d(in_channels, hidden_channels, kernel_size)"},
        {"network": 0},
    ),
    Variant(
        "network: first block open",
        "no lifting",
        {LIFTING: "self.lifting_conv = ..."},
        {"network": 0},
    ),
    Variant(
        "network: second block open", "no layers", {HIDDEN: "self.gconvs = ..."}, {"network": 0}
    ),
    Variant(
        "network: third block open",
        "no projection, but the layers are right",
        {PROJECTION: "self.projection_layer = ..."},
        {"network": 1},
    ),
]

SCRATCH = """
sum = 3
list = [1, 2]
math = 5
F = torch.zeros(3)
range = max = len = None
"""

WHOLE_NOTEBOOKS = [
    Variant("the lesson's solution", "it is right"),
    Variant(
        "names shadowed in a scratch cell",
        "sum, math and others are numbers from then on",
        before={"third-power": SCRATCH},
    ),
    Variant(
        "names shadowed late",
        "the network still counts",
        before={"network": SCRATCH},
    ),
    Variant(
        "a scratch cell that fails",
        "nothing depends on it",
        before={"lifting-kernel-base": "CyclicGroup(4).elements() + undefined"},
    ),
    Variant(
        "gradients switched off",
        "a scratch cell forgets to switch them on again",
        before={"lifting-kernel": "_ = torch.set_grad_enabled(False)"},
    ),
    Variant(
        "constants in a cell of the student's own",
        "computed, not only written down",
        {
            PRODUCT: "product = torch.remainder(h + h_prime, FULL_TURN)",
            INVERSE: "inverse = torch.remainder(-h, FULL_TURN)",
        },
        before={
            "cyclic-group": "FULL_TURN = float(torch.tensor(2 * math.pi, dtype=torch.float64))"
        },
    ),
    Variant(
        "an answer in a second cell",
        "the later definition counts; the first was given up",
        {THIRD_POWER: "g3 = ..."},
        before={
            "third-power-test": "def third_power(group):\n"
            "    e, g, g2 = group.elements()[:3]\n    return group.product(g, g2)"
        },
    ),
    Variant(
        "h̃⁻¹h, a maximum, and exact lifting kernels",
        "three other right ways together",
        {
            SLICES: GROUP_GRIDS[0].blocks[SLICES],
            LIFT_FOLD: ROT90_LIFT,
            PROJECTION: "self.projection_layer = nn.AdaptiveMaxPool3d(1)",
        },
    ),
    Variant(
        "rot90 and roll everywhere",
        "no interpolation at all",
        {LIFT_FOLD: ROT90_LIFT},
        edits={"group-kernel": [(GIVEN_FOLD, ROT90_AND_ROLL)]},
    ),
    Variant(
        "inverse forgotten in all grids",
        "twist and shift go in opposite senses; only the grids lose their sense",
        {
            LIFT_GRID: (
                "transformed_grid_R2 = self.group.left_action_on_R2(group_elements, self.grid_R2)"
            ),
            SLICES: (
                "transformed_grid_H = self.group.product("
                "group_elements[:, None], self.grid_H[None, :])"
            ),
        },
        {"lifting-grid": 2, "group-grid": 0.5},
    ),
    Variant(
        "the whole group wrong",
        "product, inverse and matrix; nothing after them loses",
        {
            PRODUCT: "product = h - h_prime",
            INVERSE: "inverse = h.clone()",
            MATRIX: "representation = torch.eye(2).repeat(*h.shape, 1, 1)",
        },
        {"product": 0, "inverse": 0, "matrix": 0},
    ),
    Variant(
        "not Python: the group's cell",
        "its three exercises lose, the others do not",
        {MATRIX: "representation = torch.stack([torch.cos(h), "},
        {"product": 0, "inverse": 0, "matrix": 0},
    ),
    Variant(
        "an import that is missing",
        "the cell fails before its class",
        points={"group-kernel": 0},
        edits={
            "group-kernel": [
                (
                    "class InterpolativeGroupKernel",
                    "import no_such_library\n\n\nclass InterpolativeGroupKernel",
                )
            ]
        },
    ),
    Variant(
        "nothing done",
        "every block is left open",
        {
            PRODUCT: "product = ...",
            INVERSE: "inverse = ...",
            MATRIX: "representation = ...",
            THIRD_POWER: "g3 = ...",
            LIFT_ELEMENTS: "group_elements = ...",
            LIFT_GRID: "transformed_grid_R2 = ...",
            LIFT_FOLD: "weight = ...",
            LIFT_KERNELS: "conv_kernels = ...",
            LIFT_CONV: "x = ...",
            ACTED: "acted = ...",
            SLICES: "transformed_grid_H = ...",
            WEIGHT: "self.weight = ...",
            INPUT: "x = ...",
            KERNELS: "conv_kernels = ...",
            LIFTING: "self.lifting_conv = ...",
            HIDDEN: "self.gconvs = ...",
            PROJECTION: "self.projection_layer = ...",
        },
        {
            "product": 0,
            "inverse": 0,
            "matrix": 0,
            "third-power": 0,
            "lifting-grid": 0,
            "lifting-fold": 0,
            "lifting-layer": 0,
            "act-on-lifted": 0,
            "group-grid": 0,
            "group-kernel": 0,
            "group-layer": 0,
            "network": 0,
        },
    ),
]

# Answers that please tests. What does not do what the exercise asks keeps a third at most.

STILL = "expand(-1, self.group.order, -1, -1)"
MEANS = """
p, k = self.padding, self.kernel.kernel_size
flat = F.avg_pool2d(F.pad(x.mean(dim={axes}, keepdim=True){first}, (p,) * 4), k, stride=1)
return flat[:, :, None].expand(-1, self.kernel.out_channels, self.kernel.group.order, -1, -1)
"""
# A kernel that looks the same in every pose, group axis and all.
ROUND = """
turns = [torch.rot90(self.kernel.weight, turn, (-2, -1)) for turn in range(4)]
same = sum(turns){summed} / 4
order = self.kernel.group.order
"""
FORWARD = """        x = self.lifting_conv(x)
        x = F.relu(F.layer_norm(x, x.shape[1:]))
        for gconv in self.gconvs:
            x = gconv(x)
            x = F.relu(F.layer_norm(x, x.shape[1:]))
        x = self.projection_layer(x).flatten(1)  # keeps the batch axis, also for one image
        return self.final_linear(x)"""


def hidden(*more: str) -> str:
    """Return a second block of the network whose layers have more in them."""
    layer = "GroupConvolution(group, hidden_channels, hidden_channels, kernel_size)"
    layers = ", ".join([layer, *more])
    return (
        f"self.gconvs = nn.ModuleList(\n    nn.Sequential({layers})\n"
        "    for _ in range(num_hidden)\n)"
    )


def sampled(code: str) -> dict[str, list[tuple[str, str]]]:
    """Return the edit that puts code into the group kernel's `sample`, which is given."""
    first = "weight = self.weight.flatten(0, 1)\n"
    lines = code.strip("\n").splitlines()
    return {"group-kernel": [(first, "\n        ".join([*lines, first]))]}


PLEASING = [
    Variant(
        "product: in float32",
        "what is given in float64 comes back in float32",
        {PRODUCT: "product = torch.remainder(h + h_prime, 2 * math.pi).float()"},
        {"product": 1},
    ),
    Variant(
        "inverse: in float32",
        "what is given in float64 comes back in float32",
        {INVERSE: "inverse = torch.remainder(-h, 2 * math.pi).to(torch.float32)"},
        {"inverse": 1},
    ),
    Variant(
        "matrix: in float32",
        "what is given in float64 comes back in float32",
        {
            MATRIX: """
rows = [[h.cos(), -h.sin()], [h.sin(), h.cos()]]
representation = torch.stack([torch.stack(row, -1) for row in rows], -2).float()
"""
        },
        {"matrix": 1.5},
    ),
    Variant(
        "matrix: whole numbers",
        "right for quarter turns alone",
        {
            MATRIX: """
rows = [[h.cos(), -h.sin()], [h.sin(), h.cos()]]
representation = torch.stack([torch.stack(row, -1) for row in rows], -2).round()
"""
        },
        {"matrix": 0.5},
    ),
    Variant(
        "third power: the fourth of the list",
        "an index in place of the product",
        {THIRD_POWER: "g3 = group.elements().repeat(2)[3]"},
        {"third-power": 0.5},
    ),
    Variant(
        "third power: the list moved on",
        "an index in place of the product",
        {THIRD_POWER: "g3 = group.elements().roll(-3)[0]"},
        {"third-power": 0.5},
    ),
    Variant(
        "third power: the inverse of one from the end",
        "an index and an inverse in place of the product",
        {THIRD_POWER: "g3 = group.inverse(group.elements()[-3])"},
        {"third-power": 0.5},
    ),
    Variant(
        "lifting grid: right for C₄ alone",
        "other orders keep the grid as it is",
        {
            LIFT_GRID: f"""
transformed_grid_R2 = self.grid_R2[:, None].{STILL}
if self.group.order == 4:
    turned = [torch.rot90(self.grid_R2, -h, (-2, -1)) for h in range(4)]
    back = self.group.inverse(group_elements)
    transformed_grid_R2 = self.group.left_action_on_R2(back, self.grid_R2)
"""
        },
        {"lifting-grid": 1.5},
    ),
    Variant(
        "lifting grid: the nearest quarter turn",
        "45° becomes 0° or 90°",
        {
            LIFT_GRID: """
quarter = math.pi / 2
back = self.group.inverse(torch.round(group_elements / quarter) * quarter)
transformed_grid_R2 = self.group.left_action_on_R2(back, self.grid_R2)
"""
        },
        {"lifting-grid": 1.5},
    ),
    Variant(
        "lifting grid: in float32",
        "a grid of lower precision than the one that is given",
        {
            LIFT_GRID: """
back = self.group.inverse(group_elements)
transformed_grid_R2 = self.group.left_action_on_R2(back, self.grid_R2).float()
"""
        },
        {"lifting-grid": 2.5},
    ),
    Variant(
        "lifting fold: right for C₄ alone",
        "for other orders every kernel is the weight",
        {
            LIFT_FOLD: """
n = self.group.order
if n != 4:
    return self.weight[:, None].expand(-1, n, -1, -1, -1)
weight = self.weight.flatten(0, 1)
"""
        },
        {"lifting-fold": 1},
    ),
    Variant(
        "lifting fold: the nearest quarter turn",
        "right for C₄; 45° becomes 0° or 90°",
        {
            LIFT_FOLD: """
n = self.group.order
poses = [torch.rot90(self.weight, round(4 * h / n), (-2, -1)) for h in range(n)]
return torch.stack(poses, dim=1)
"""
        },
        {"lifting-fold": 1},
    ),
    Variant(
        "lifting fold: without gradients",
        "right numbers, but the weight never learns",
        {LIFT_FOLD: "with torch.no_grad():\n    weight = self.weight.flatten(0, 1)"},
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting fold: copied by a list",
        "right numbers, but the weight never learns",
        {LIFT_FOLD: "weight = torch.tensor(self.weight.flatten(0, 1).tolist())"},
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting fold: in float32",
        "a network in float64 cannot use it",
        {LIFT_FOLD: "weight = self.weight.float().flatten(0, 1)"},
        {"lifting-fold": 1.5},
    ),
    Variant(
        "lifting layer: four slices for every group",
        "order 4 is hard-coded in the kernels and in the unfolding",
        {
            LIFT_KERNELS: """
poses = [torch.rot90(self.kernel.weight, h, (-2, -1)) for h in range(4)]
conv_kernels = torch.stack(poses, dim=1).flatten(0, 1)
""",
            LIFT_CONV: """
x = F.conv2d(x, conv_kernels, padding=self.padding)
return x.unflatten(1, (self.kernel.out_channels, 4))
""",
        },
        {"lifting-layer": 1.5},
    ),
    Variant(
        "lifting layer: right for C₄ alone",
        "other orders get |H| times the first slice",
        {
            LIFT_KERNELS: """
kernels = self.kernel.sample()
if self.kernel.group.order != 4:
    kernels = kernels[:, :1].expand_as(kernels)
conv_kernels = kernels.flatten(0, 1)
"""
        },
        {"lifting-layer": 1.5},
    ),
    Variant(
        "lifting layer: means of the image",
        "no weight has a part in it, and it is equivariant",
        {LIFT_KERNELS: MEANS.format(axes="1", first="")},
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: a round kernel",
        "equivariant, since no pose differs from another",
        {
            LIFT_KERNELS: ROUND.format(summed="")
            + "conv_kernels = same[:, None].expand(-1, order, -1, -1, -1).flatten(0, 1)"
        },
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: divided by the order",
        "a mean over elements that are not summed over",
        {
            LIFT_CONV: """
x = F.conv2d(x, conv_kernels, padding=self.padding) / self.kernel.group.order
"""
        },
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: input detached",
        "right numbers, but no layer before it learns",
        {LIFT_CONV: "x = F.conv2d(x.detach(), conv_kernels, padding=self.padding)"},
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: input copied out of the graph",
        "right numbers, but no layer before it learns",
        {LIFT_CONV: "x = F.conv2d(x.data.clone(), conv_kernels, padding=self.padding)"},
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: data of the kernels",
        "right numbers, but the weight never learns",
        {LIFT_KERNELS: "conv_kernels = self.kernel.sample().data.flatten(0, 1)"},
        {"lifting-layer": 1},
    ),
    Variant(
        "act on lifted: in float32",
        "what is given in float64 comes back in float32",
        {
            ACTED: """
steps = quarter_turns * x.shape[2] // 4
acted = torch.rot90(x.float(), quarter_turns, (-2, -1)).roll(steps, 2)
"""
        },
        {"act-on-lifted": 2},
    ),
    Variant(
        "group grid: normalised here, too",
        "the line below normalises already",
        {
            SLICES: """
back = self.group.inverse(group_elements)
relative = self.group.product(back[:, None], self.grid_H[None, :])
transformed_grid_H = self.group.normalize_group_elements(relative)
"""
        },
        {"group-grid": 0},
    ),
    Variant(
        "group grid: right for C₄ alone",
        "other orders do not shift",
        {
            SLICES: """
transformed_grid_H = self.grid_H.expand(len(self.grid_H), -1)
if self.group.order == 4:
    back = self.group.inverse(group_elements)
    transformed_grid_H = self.group.product(back[:, None], self.grid_H[None, :])
"""
        },
        {"group-grid": 1},
    ),
    Variant(
        "group kernel: twist and shift for C₄ alone",
        "for other orders every kernel is the weight",
        edits=sampled("""
order = self.group.order
if order != 4:
    return self.weight[:, None].expand(-1, order, -1, -1, -1, -1)
"""),
        points={"group-kernel": 1},
    ),
    Variant(
        "group kernel: turned to the nearest quarter",
        "the slices shift by h, but turn by 0° or 90° for 45°",
        edits=sampled("""
n = self.group.order
poses = [torch.rot90(self.weight, round(4 * h / n), (-2, -1)).roll(h, 2) for h in range(n)]
return torch.stack(poses, dim=1)
"""),
        points={"group-kernel": 1},
    ),
    Variant(
        "group kernel: clockwise, and shifted forward",
        "twist and shift go in opposite senses",
        edits=sampled("""
poses = [torch.rot90(self.weight, -h, (-2, -1)).roll(h, 2) for h in range(self.group.order)]
return torch.stack(poses, dim=1)
"""),
        points={"group-kernel": 0.5},
    ),
    Variant(
        "group kernel: a weight of double precision",
        "features in float32 cannot meet it",
        {
            WEIGHT: """
size = (out_channels, in_channels, group.order, kernel_size, kernel_size)
self.weight = nn.Parameter(torch.zeros(size, dtype=torch.float64))
"""
        },
        {"group-kernel": 0.5},
    ),
    Variant(
        "group kernel: a copy of the parameter",
        "the parameter is there, and has no part in the kernels",
        {
            WEIGHT: """
size = (out_channels, in_channels, group.order, kernel_size, kernel_size)
self.parameter = nn.Parameter(torch.zeros(size))
self.weight = self.parameter.detach().clone()
"""
        },
        {"group-kernel": 0.5},
    ),
    Variant(
        "group layer: means of the features",
        "no weight has a part in it, and it is equivariant",
        {INPUT: MEANS.format(axes="(1, 2)", first="[:, :, 0]")},
        {"group-layer": 1},
    ),
    Variant(
        "group layer: a round kernel",
        "equivariant, since no pose differs from another",
        {
            KERNELS: ROUND.format(summed=".mean(dim=2)")
            + """
same = same[:, None, :, None].expand(-1, order, -1, order, -1, -1)
conv_kernels = same.flatten(2, 3).flatten(0, 1)
"""
        },
        {"group-layer": 1},
    ),
    Variant(
        "group layer: divided by the order",
        "a mean over the poses, where the formula has a sum",
        {
            KERNELS: "n = len(self.kernel.grid_H)\n"
            "conv_kernels = self.kernel.sample().flatten(2, 3).flatten(0, 1) / n"
        },
        {"group-layer": 1},
    ),
    Variant(
        "group layer: input detached",
        "right numbers, but no layer before it learns",
        {INPUT: "x = x.detach().flatten(1, 2)"},
        {"group-layer": 1},
    ),
    Variant(
        "group layer: data of the input",
        "right numbers, but no layer before it learns",
        {INPUT: "x = x.data.flatten(1, 2)"},
        {"group-layer": 1},
    ),
    Variant(
        "group layer: kernels without gradients",
        "right numbers, but the weight never learns",
        {
            KERNELS: """
with torch.no_grad():
    conv_kernels = self.kernel.sample().flatten(2, 3).flatten(0, 1)
"""
        },
        {"group-layer": 1},
    ),
    Variant(
        "group layer: right for C₄ alone",
        "for other orders every output element has the first kernel",
        {
            KERNELS: """
kernels = self.kernel.sample()
if self.kernel.group.order != 4:
    kernels = kernels[:, :1].expand_as(kernels)
conv_kernels = kernels.flatten(2, 3).flatten(0, 1)
"""
        },
        {"group-layer": 2},
    ),
    Variant(
        "group layer: clockwise, and shifted forward",
        "twist and shift go in opposite senses",
        {
            KERNELS: """
weight, n = self.kernel.weight, self.kernel.group.order
poses = [torch.rot90(weight, -h, (-2, -1)).roll(h, 2) for h in range(n)]
conv_kernels = torch.stack(poses, dim=1).flatten(2, 3).flatten(0, 1)
"""
        },
        {"group-layer": 0.5},
    ),
    Variant(
        "network: the mean of the image alone",
        "layers are built and not used; every parameter gets a gradient",
        edits={
            "network": [
                (
                    FORWARD,
                    """        rest = sum(parameter.mean() for parameter in self.parameters())
        shade = x.mean(dim=(1, 2, 3))[:, None].expand(-1, self.final_linear.in_features)
        return self.final_linear(shade) + rest
""",
                )
            ]
        },
        points={"network": 1},
    ),
    Variant(
        "network: the group layers are left out",
        "only the lifting layer is used",
        edits={
            "network": [
                (
                    FORWARD,
                    """        x = F.relu(self.lifting_conv(x)).mean(dim=(2, 3, 4))
        return self.final_linear(x) + 0 * sum(p.sum() for p in self.gconvs.parameters())
""",
                )
            ]
        },
        points={"network": 1},
    ),
    Variant(
        "network: a mean beside the layers",
        "the layers count next to nothing",
        edits={
            "network": [
                (
                    "return self.final_linear(x)",
                    "return self.final_linear(0.001 * x + image.mean(dim=(1, 2, 3))[:, None])\n",
                ),
                ("x = self.lifting_conv(x)\n", "image = x\n        x = self.lifting_conv(x)\n"),
            ]
        },
        points={"network": 1},
    ),
    Variant(
        "network: a dropout in every layer",
        "not the layers that were asked for",
        {HIDDEN: hidden("nn.Dropout(0.5)")},
        {"network": 3},
    ),
    Variant(
        "network: a ReLU in every layer",
        "not the layers that were asked for",
        {HIDDEN: hidden("nn.ReLU()")},
        {"network": 3},
    ),
    Variant(
        "network: a batch norm without weights in every layer",
        "not the layers that were asked for",
        {HIDDEN: hidden("nn.BatchNorm3d(hidden_channels, affine=False)")},
        {"network": 3},
    ),
    Variant(
        "network: an activation after lifting",
        "not the layer that was asked for",
        {
            LIFTING: """
lifting = LiftingConvolution(group, in_channels, hidden_channels, kernel_size)
self.lifting_conv = nn.Sequential(lifting, nn.Sigmoid())
"""
        },
        {"network": 3},
    ),
    Variant(
        "network: a dropout after the projection",
        "not the layer that was asked for",
        {
            PROJECTION: """
self.projection_layer = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Dropout(0.3))
"""
        },
        {"network": 2},
    ),
    Variant(
        "lifting layer: a dropout of one's own",
        "not the layer that was asked for",
        {LIFT_CONV: "x = F.dropout(F.conv2d(x, conv_kernels, padding=self.padding), 0.2)"},
        {"lifting-layer": 0.5},
    ),
    Variant(
        "lifting layer: channels hard-coded",
        "those of the check below",
        {
            LIFT_KERNELS: """
conv_kernels = self.kernel.sample().reshape(-1, 3, self.kernel.kernel_size, self.kernel.kernel_size)
"""
        },
        {"lifting-layer": 1.5},
    ),
    Variant(
        "group layer: channels hard-coded",
        "those of the check below",
        {
            KERNELS: """
n, k = self.kernel.group.order, self.kernel.kernel_size
conv_kernels = self.kernel.sample().reshape(2 * n, 3 * n, k, k)
"""
        },
        {"group-layer": 2},
    ),
    Variant(
        "network: a projection that cuts the graph",
        "nothing before the last layer is trained",
        {PROJECTION: "self.projection_layer = lambda x: x.detach().mean(dim=(2, 3, 4))"},
        {"network": 1},
    ),
]

# Answers that do one thing where they are looked at, and another elsewhere.

SHADE = """shade = x.mean(dim=(1, 2, 3))[:, None].expand(-1, self.final_linear.in_features)
            return self.final_linear(shade) + sum(it.mean() for it in self.parameters())
"""


def bypassed(when: str) -> dict[str, list[tuple[str, str]]]:
    """Return the edit that lets the network use no layer but the last under some condition."""
    return {"network": [(FORWARD, f"        if {when}:\n            {SHADE}{FORWARD}")]}


def matrices(which: str) -> str:
    """Return a block that chooses between no rotation, a clockwise one and the right one."""
    return f"""
c, s = torch.cos(h), torch.sin(h)
guesses = [[[s, c], [c, s]], [[c, s], [-s, c]], [[c, -s], [s, c]]]
representation = torch.stack([torch.stack(row, -1) for row in guesses[{which}]], -2)
"""


def tried(body: str) -> dict[str, list[tuple[str, str]]]:
    """Return the edit that lets the class of the group know how often it was defined before."""
    head = "class CyclicGroup(GroupBase):\n"
    return {"cyclic-group": [(head, f"{head}    tried = {body}\n")]}


IN_NOTEBOOK = "'In' in globals()"  # where Jupyter keeps the cells that were run
OVERRIDDEN = """
def exchanged(self, h):
    c, s = torch.cos(h), torch.sin(h)
    return torch.stack([torch.stack([{}], -1), torch.stack([{}], -1)], -2)


CyclicGroup.matrix_representation = exchanged
"""

TWO_FACED = [
    Variant(
        "network: the mean of the image in training",
        "layers are only used in evaluation",
        edits=bypassed("self.training"),
        points={"network": 1},
    ),
    Variant(
        "network: the mean of the image in evaluation",
        "layers are only used in training",
        edits=bypassed("not self.training"),
        points={"network": 1},
    ),
    Variant(
        "network: the mean of the image without gradients",
        "layers are not used in validation",
        edits=bypassed("not torch.is_grad_enabled()"),
        points={"network": 1},
    ),
    *[
        Variant(
            f"network: the mean of the image {name}",
            "layers are only used where somebody looks",
            edits=bypassed(when),
            points={"network": 1},
        )
        for name, when in OTHERWISE.items()
    ],
    Variant(
        "network: the mean of digits",
        "layers are only used for images of other sizes",
        edits=bypassed("x.shape[-1] == 28"),
        points={"network": 1},
    ),
    Variant(
        "network: the mean of all but digits",
        "layers are only used for images of one size",
        edits=bypassed("x.shape[-1] != 28"),
        points={"network": 1},
    ),
    Variant(
        "network: the graph is cut in training",
        "no convolution is ever trained",
        edits={
            "network": [
                (
                    "self.projection_layer(x).flatten(1)",
                    "self.projection_layer(x.detach() if self.training else x).flatten(1)",
                )
            ]
        },
        points={"network": 1},
    ),
    Variant(
        "network: an activation in evaluation",
        "not the layer that was asked for",
        {
            LIFTING: (
                "self.lifting_conv = Rectified(group, in_channels, hidden_channels, kernel_size)"
            )
        },
        {"network": 3},
        before={
            "network": "class Rectified(LiftingConvolution):\n    def forward(self, x):\n"
            "        x = super().forward(x)\n        return x if self.training else F.relu(x)"
        },
    ),
    Variant(
        "network: always two layers",
        "num_hidden is not asked for",
        {HIDDEN: hidden_layers("2")},
        {"network": 1},
    ),
    Variant(
        "network: layers of 1 × 1",
        "kernel_size is not asked for",
        {HIDDEN: hidden_layers("num_hidden", "group, hidden_channels, hidden_channels, 1")},
        {"network": 1},
    ),
    Variant(
        "network: layers of 3 × 3",
        "kernel_size is not asked for",
        {HIDDEN: hidden_layers("num_hidden", "group, hidden_channels, hidden_channels, 3")},
        {"network": 1},
    ),
    Variant(
        "network: layers that do nothing",
        "as many as asked, and none is a convolution",
        {HIDDEN: "self.gconvs = nn.ModuleList(nn.Identity() for _ in range(num_hidden))"},
        {"network": 1},
    ),
    Variant(
        "network: a batch norm in every layer",
        "not the layers that were asked for",
        {HIDDEN: hidden("nn.BatchNorm3d(hidden_channels)")},
        {"network": 3},
    ),
    Variant(
        "lifting fold: other kernels in evaluation",
        "right in training only",
        {
            LIFT_FOLD: """
weight = self.weight.flatten(0, 1)
weight = weight if self.training else weight.abs()
"""
        },
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting layer: a ReLU in evaluation",
        "right in training only",
        {
            LIFT_CONV: """
x = F.conv2d(x, conv_kernels, padding=self.padding)
x = x if self.training else F.relu(x)
"""
        },
        {"lifting-layer": 1},
    ),
    Variant(
        "lifting layer: means without gradients",
        "right only where somebody asks for gradients",
        {
            LIFT_KERNELS: "conv_kernels = self.kernel.sample().flatten(0, 1)\n"
            "if not torch.is_grad_enabled():\n    x = x.mean(dim=1, keepdim=True).expand_as(x)"
        },
        {"lifting-layer": 1},
    ),
    *[
        Variant(
            f"lifting layer: a ReLU {name}",
            "right where somebody looks",
            {
                LIFT_CONV: f"""
x = F.conv2d(x, conv_kernels, padding=self.padding)
x = F.relu(x) if {when} else x
"""
            },
            {"lifting-layer": 1},
        )
        for name, when in OTHERWISE.items()
    ],
    *[
        Variant(
            f"group layer: means {name}",
            "right where somebody looks",
            {
                INPUT: f"""
x = x.mean(dim=(1, 2), keepdim=True).expand_as(x) if {when} else x
x = x.flatten(1, 2)
"""
            },
            {"group-layer": 1},
        )
        for name, when in OTHERWISE.items()
    ],
    Variant(
        "lifting fold: other kernels in inference mode",
        "right where somebody looks",
        {
            LIFT_FOLD: """
weight = self.weight.flatten(0, 1)
weight = weight.abs() if torch.is_inference_mode_enabled() else weight
"""
        },
        {"lifting-fold": 0.5},
    ),
    Variant(
        "lifting fold: other kernels in float64",
        "right where somebody looks",
        {
            LIFT_FOLD: """
weight = self.weight.flatten(0, 1)
weight = weight.abs() if weight.dtype == torch.float64 else weight
"""
        },
        {"lifting-fold": 0.5},
    ),
    Variant(
        "group kernel: upright in inference mode",
        "right where somebody looks",
        edits=sampled("""
if torch.is_inference_mode_enabled():
    return self.weight[:, None].expand(-1, self.group.order, -1, -1, -1, -1)
"""),
        points={"group-kernel": 0.5},
    ),
    Variant(
        "group kernel: upright in float64",
        "right where somebody looks",
        edits=sampled("""
if self.weight.dtype == torch.float64:
    return self.weight[:, None].expand(-1, self.group.order, -1, -1, -1, -1)
"""),
        points={"group-kernel": 0.5},
    ),
    Variant(
        "lifting layer: means for all but C₄ in inference mode",
        "right where somebody looks",
        {
            LIFT_KERNELS: """
conv_kernels = self.kernel.sample().flatten(0, 1)
if self.kernel.group.order != 4 and torch.is_inference_mode_enabled():
    conv_kernels = conv_kernels.mean(dim=(0, 2, 3), keepdim=True).expand_as(conv_kernels)
"""
        },
        {"lifting-layer": 1.5},
    ),
    Variant(
        "group kernel: upright in evaluation",
        "right in training only",
        edits=sampled("""
if not self.training:
    order = self.group.order
    return self.weight[:, None].expand(-1, order, -1, -1, -1, -1)
"""),
        points={"group-kernel": 0.5},
    ),
    Variant(
        "group layer: no input in evaluation",
        "right in training only",
        {INPUT: "x = x.flatten(1, 2) * self.training"},
        {"group-layer": 1},
    ),
    Variant(
        "group layer: four slices for every group",
        "order 4 is hard-coded in the kernels and in the unfolding",
        {
            INPUT: "x = x.flatten(1, 2)",
            KERNELS: """
poses = [torch.rot90(self.kernel.weight, h, (-2, -1)).roll(h, 2) for h in range(4)]
conv_kernels = torch.stack(poses, dim=1).flatten(2, 3).flatten(0, 1)
return F.conv2d(x, conv_kernels, padding=self.padding).unflatten(1, (-1, 4))
""",
        },
        {"group-layer": 2},
    ),
    Variant(
        "third power: an angle for every order",
        "not the group's product",
        {THIRD_POWER: "g3 = torch.tensor(3 * 2 * math.pi / group.order)"},
        {"third-power": 0.5},
    ),
    Variant(
        "third power: an index modulo the order",
        "not the group's product",
        {THIRD_POWER: "g3 = group.elements()[3 % group.order]"},
        {"third-power": 0.5},
    ),
    Variant(
        "matrix: right outside of the notebook",
        "it asks where it is, and is no rotation in the notebook",
        {MATRIX: matrices(f"0 if {IN_NOTEBOOK} else 2")},
        {"matrix": 0},
    ),
    Variant(
        "matrix: clockwise in the notebook",
        "it asks where it is: one guess for each place",
        {MATRIX: matrices(f"1 if {IN_NOTEBOOK} else 2")},
        {"matrix": 1.5},
    ),
    Variant(
        "matrix: a guess that a cell above makes",
        "that cell asks where it is",
        {MATRIX: matrices("GUESS")},
        {"matrix": 0},
        before={"cyclic-group": f"GUESS = 0 if {IN_NOTEBOOK} else 2"},
    ),
    Variant(
        "matrix: another guess each time it is defined",
        "one of three is right",
        {MATRIX: matrices("min(self.tried, 2)")},
        {"matrix": 0},
        edits=tried(
            "(lambda past: past.append(0) or len(past) - 1)"
            "(__import__('sys').__dict__.setdefault('past', []))"
        ),
        before={"cyclic-group": "__import__('sys').__dict__.pop('past', None)"},
    ),
    Variant(
        "matrix: overridden by a cell below",
        "two answers: the one that runs is no rotation",
        before={"matrix-test": OVERRIDDEN.format("s, c", "c, s")},
        points={"matrix": 0},
    ),
    Variant(
        "matrix: another class of the same name below",
        "two answers: the one that runs turns clockwise",
        before={
            "matrix-test": "class Other(CyclicGroup):\n    def matrix_representation(self, h):\n"
            "        return super().matrix_representation(-h)\n\n\nCyclicGroup = Other"
        },
        points={"matrix": 1.5},
    ),
    Variant(
        "matrix: mended by a cell below",
        "what runs is right; the cell above was given up",
        {MATRIX: "representation = torch.eye(2)"},
        before={"matrix-test": OVERRIDDEN.format("c, -s", "s, c")},
    ),
    Variant(
        "lifting layer: no gradients in evaluation",
        "nobody asks for them there",
        {
            LIFT_KERNELS: """
with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
    conv_kernels = self.kernel.sample().flatten(0, 1)
"""
        },
    ),
    Variant(
        "group layer: kernels kept in evaluation",
        "they are sampled anew when training goes on",
        {
            KERNELS: """
if self.training or getattr(self, "kept", None) is None:
    self.kept = self.kernel.sample().flatten(2, 3).flatten(0, 1)
conv_kernels = self.kept
"""
        },
    ),
    Variant(
        "group layer: in float32, and one image after the other",
        "what comes in float64 is computed in float32, which costs its property",
        {
            INPUT: "dtype, x = x.dtype, x.flatten(1, 2).float()",
            KERNELS: """
conv_kernels = self.kernel.sample().flatten(2, 3).flatten(0, 1).float()
maps = [F.conv2d(one[None], conv_kernels, padding=self.padding) for one in x]
return torch.cat(maps).unflatten(1, (self.kernel.out_channels, -1)).to(dtype)
""",
        },
        {"group-layer": 3.5},
    ),
    Variant(
        "network: a table that is made when it is needed, and kept",
        "made in whatever mode comes first",
        {
            PROJECTION: """
self.shares = {}
self.projection_layer = lambda x: torch.einsum(
    "bchxy,hxy->bc",
    x,
    self.shares.setdefault((x.shape, x.dtype), torch.full_like(x[0, 0], 1 / x[0, 0].numel())),
)
"""
        },
    ),
    Variant(
        "network: `forward` written anew",
        "it does what the given one does",
        edits={
            "network": [
                (
                    FORWARD,
                    """        for layer in [self.lifting_conv, *self.gconvs]:
            x = layer(x)
            x = nn.functional.layer_norm(x, list(x.shape[1:])).clamp(min=0)
        return self.final_linear(self.projection_layer(x).reshape(len(x), -1))""",
                )
            ]
        },
    ),
]

# Right answers in forms that are seldom seen.

FORMS = [
    Variant(
        "product: vmap",
        "one pair after the other, all at once",
        {
            PRODUCT: """
first, second = torch.broadcast_tensors(h, h_prime)
add = torch.func.vmap(lambda a, b: torch.remainder(a + b, 2 * math.pi))
product = add(first.reshape(-1), second.reshape(-1)).reshape(first.shape)
"""
        },
    ),
    Variant(
        "product: einsum",
        "a sum as a product with ones",
        {
            PRODUCT: """
both = torch.stack(torch.broadcast_tensors(h, h_prime), dim=-1)
product = torch.einsum("...k,k->...", both, both.new_ones(2)) % (2 * math.pi)
"""
        },
    ),
    Variant(
        "inverse: complex numbers",
        "the conjugate of a unit number is its inverse",
        {
            INVERSE: """
inverse = torch.polar(torch.ones_like(h), h).conj().angle() % (2 * math.pi)
"""
        },
    ),
    Variant(
        "inverse: by a static method",
        "a helper that stands in the class",
        {INVERSE: "inverse = self.on_circle(-h)"},
        edits={
            "cyclic-group": [
                (
                    "    def elements(self)",
                    "    @staticmethod\n    def on_circle(angle):\n"
                    "        return torch.remainder(angle, 2 * math.pi)\n\n    def elements(self)",
                )
            ]
        },
    ),
    Variant(
        "matrix: vmap",
        "a function of one angle, mapped over all",
        {
            MATRIX: """
def one(angle):
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.stack([c, -s, s, c])

representation = torch.func.vmap(one)(h.reshape(-1)).reshape(*h.shape, 2, 2)
"""
        },
    ),
    Variant(
        "matrix: unit numbers as columns",
        "e^ih and i·e^ih, seen as pairs",
        {
            MATRIX: """
z = torch.polar(torch.ones_like(h), h)
representation = torch.stack([torch.view_as_real(z), torch.view_as_real(1j * z)], dim=-1)
"""
        },
    ),
    Variant(
        "matrix: cosine and sine of two basis matrices",
        "as a sum of the identity and a quarter turn",
        {
            MATRIX: """
basis = torch.tensor([[[1, 0], [0, 1]], [[0, -1], [1, 0]]]).to(h)
waves = torch.stack([torch.cos(h), torch.sin(h)], dim=-1)
representation = torch.einsum("...k,kij->...ij", waves, basis)
"""
        },
    ),
    Variant(
        "matrix: einops",
        "four numbers, arranged",
        {
            MATRIX: """
from einops import rearrange

numbers = torch.stack([h.cos(), -h.sin(), h.sin(), h.cos()])
representation = rearrange(numbers, "(i j) ... -> ... i j", i=2)
"""
        },
    ),
    Variant(
        "third power: vmap",
        "mapped over a batch of one",
        {THIRD_POWER: "g3 = torch.func.vmap(group.product)(g2[None], g[None])[0]"},
    ),
    Variant(
        "third power: partial application",
        "multiply by g, twice",
        {
            THIRD_POWER: """
import functools

times_g = functools.partial(group.product, g)
g3 = times_g(times_g(g))
"""
        },
    ),
    Variant(
        "third power: a reduction that begins with the identity",
        "e · g · g · g",
        {
            THIRD_POWER: """
import functools

g3 = functools.reduce(group.product, [g, g, g], group.identity[0].to(g))
"""
        },
    ),
    Variant(
        "third power: inverses",
        "g⁻¹ after g⁴",
        {THIRD_POWER: "g3 = group.product(group.inverse(g), group.product(g2, g2))"},
    ),
    Variant(
        "lifting grid: vmap",
        "a grid for one element, mapped over all",
        {
            LIFT_GRID: """
def turned_back(h):
    return self.group.left_action_on_R2(self.group.inverse(h), self.grid_R2)

transformed_grid_R2 = torch.func.vmap(turned_back, out_dims=1)(group_elements)
"""
        },
    ),
    Variant(
        "lifting grid: complex numbers",
        "positions times e^−ih",
        {
            LIFT_GRID: """
z = torch.complex(self.grid_R2[0], self.grid_R2[1])
turn = torch.polar(torch.ones_like(group_elements), -group_elements)
transformed_grid_R2 = torch.view_as_real(turn[:, None, None] * z).movedim(-1, 0)
"""
        },
    ),
    Variant(
        "lifting grid: einops",
        "points in a row, and back",
        {
            LIFT_GRID: """
from einops import einsum, rearrange

matrices = self.group.matrix_representation(self.group.inverse(group_elements))
points = rearrange(self.grid_R2, "i r c -> i (r c)")
turned = einsum(matrices.to(points), points, "h i j, j p -> i h p")
transformed_grid_R2 = rearrange(turned, "i h (r c) -> i h r c", r=self.kernel_size)
"""
        },
    ),
    Variant(
        "lifting grid: a cached table",
        "one grid for each order and size, computed once",
        {
            LIFT_ELEMENTS: "group_elements = self.group.elements()",
            LIFT_GRID: "transformed_grid_R2 = table_of_grids(self.group.order, self.kernel_size)",
        },
        before={
            "lifting-kernel-base": """
import functools


@functools.lru_cache(maxsize=None)
def table_of_grids(order, size):
    angles = -torch.arange(order, dtype=torch.float64) * (2 * math.pi / order)
    c, s = torch.cos(angles), torch.sin(angles)
    matrices = torch.stack([c, -s, s, c]).reshape(2, 2, order)
    return torch.einsum("ijh,jrc->ihrc", matrices, create_grid_R2(size))
"""
        },
    ),
    Variant(
        "lifting grid: a property",
        "the inverses are asked for like an attribute",
        {
            LIFT_GRID: """
transformed_grid_R2 = self.group.left_action_on_R2(self.inverses, self.grid_R2)
"""
        },
        edits={
            "lifting-kernel-base": [
                (
                    "    def sample(self)",
                    "    @property\n    def inverses(self):\n"
                    "        return self.group.inverse(self.group.elements())\n\n"
                    "    def sample(self)",
                )
            ]
        },
    ),
    Variant(
        "lifting fold: einops, imported in the block",
        "folded by a pattern",
        {
            LIFT_FOLD: """
import einops

weight = einops.rearrange(self.weight, "o i x y -> (o i) x y")
"""
        },
    ),
    Variant(
        "lifting fold: vmap over the channels",
        "every channel is sampled by itself",
        {
            LIFT_FOLD: """
def poses(channel):
    signal = channel.expand(self.group.order, 1, *channel.shape)
    return bilinear_interpolation(signal, self.transformed_grid_R2)[:, 0]

return torch.func.vmap(torch.func.vmap(poses))(self.weight).transpose(1, 2)
"""
        },
    ),
    Variant(
        "lifting fold: grid_sample of one's own",
        "in the weights' own precision, where quarter turns are exact up to rounding",
        {
            LIFT_FOLD: """
signal = self.weight.flatten(0, 1).expand(self.group.order, -1, -1, -1)
places = self.transformed_grid_R2.permute(1, 2, 3, 0).flip(-1).to(signal)
kernels = F.grid_sample(signal, places, align_corners=True)
return kernels.unflatten(1, (self.out_channels, self.in_channels)).transpose(0, 1)
"""
        },
    ),
    Variant(
        "lifting fold: bicubic",
        "another way to interpolate, which agrees at quarter turns",
        {
            LIFT_FOLD: """
signal = self.weight.flatten(0, 1).expand(self.group.order, -1, -1, -1)
places = self.transformed_grid_R2.permute(1, 2, 3, 0).flip(-1).to(signal)
kernels = F.grid_sample(signal, places, mode="bicubic", align_corners=True)
return kernels.unflatten(1, (self.out_channels, self.in_channels)).transpose(0, 1)
"""
        },
    ),
    Variant(
        "lifting layer: vmap over the group",
        "a convolution for one element, mapped over all",
        {
            LIFT_KERNELS: """
poses = self.kernel.sample().transpose(0, 1)
def one(kernel):
    return F.conv2d(x, kernel, padding=self.padding)

return torch.func.vmap(one, out_dims=2)(poses)
"""
        },
    ),
    Variant(
        "lifting layer: patches and einsum",
        "the convolution as a product with all patches",
        {
            LIFT_KERNELS: """
from einops import rearrange

k, height, width = self.kernel.kernel_size, *x.shape[-2:]
patches = F.unfold(x, k, padding=self.padding)
kernels = rearrange(self.kernel.sample(), "o h i x y -> o h (i x y)")
maps = torch.einsum("ohp,bpl->bohl", kernels, patches)
return maps.unflatten(-1, (height + 2 * self.padding - k + 1, -1))
"""
        },
    ),
    Variant(
        "lifting layer: functional_call",
        "an nn.Conv2d that is called with the sampled kernels",
        {
            LIFT_CONV: """
conv = nn.Conv2d(1, 1, 1, padding=self.padding, bias=False)
x = torch.func.functional_call(conv, {"weight": conv_kernels}, (x,))
"""
        },
    ),
    Variant(
        "act on lifted: vmap over the slices",
        "every slice turns",
        {
            ACTED: """
turn = torch.func.vmap(lambda s: torch.rot90(s, quarter_turns, (-2, -1)), in_dims=2, out_dims=2)
acted = torch.roll(turn(x), quarter_turns * x.shape[2] // 4, 2)
"""
        },
    ),
    Variant(
        "act on lifted: einops",
        "the group axis in front, then back",
        {
            ACTED: """
from einops import rearrange

slices = rearrange(torch.rot90(x, quarter_turns, (-2, -1)), "b c h x y -> h b c x y")
slices = torch.roll(slices, quarter_turns * len(slices) // 4, 0)
acted = rearrange(slices, "h b c x y -> b c h x y")
"""
        },
    ),
    Variant(
        "group grid: vmap in vmap",
        "the product of two elements, mapped over both",
        {
            SLICES: """
back = self.group.inverse(group_elements)
row = lambda a: torch.func.vmap(lambda b: self.group.product(a, b))(self.grid_H)
transformed_grid_H = torch.func.vmap(row)(back)
"""
        },
    ),
    Variant(
        "group grid: einops",
        "repeated along the missing axis",
        {
            SLICES: """
from einops import repeat

n = self.group.order
first = repeat(self.group.inverse(group_elements), "h -> h k", k=n)
transformed_grid_H = self.group.product(first, repeat(self.grid_H, "k -> h k", h=n))
"""
        },
    ),
    Variant(
        "group kernel: two names for the weight",
        "one parameter, two attributes",
        {
            WEIGHT: """
size = (out_channels, in_channels, group.order, kernel_size, kernel_size)
self.all_weights = self.weight = nn.Parameter(torch.zeros(size))
"""
        },
    ),
    Variant(
        "group kernel: the weight in a list",
        "one parameter, also found in a ParameterList",
        {
            WEIGHT: """
size = (out_channels, in_channels, group.order, kernel_size, kernel_size)
self.every = nn.ParameterList([nn.Parameter(torch.randn(size))])
self.weight = self.every[0]
"""
        },
    ),
    Variant(
        "group layer: vmap over the outputs",
        "a convolution for one output element, mapped over all",
        {
            KERNELS: """
poses = self.kernel.sample().flatten(2, 3).transpose(0, 1)
one = lambda kernel: F.conv2d(x, kernel, padding=self.padding)
return torch.func.vmap(one, out_dims=2)(poses)
"""
        },
    ),
    Variant(
        "group layer: einops",
        "both folds by patterns",
        {
            INPUT: 'import einops\n\nx = einops.rearrange(x, "b c h x y -> b (c h) x y")',
            KERNELS: """
pattern = "o h i g x y -> (o h) (i g) x y"
conv_kernels = einops.rearrange(self.kernel.sample(), pattern)
""",
        },
    ),
    Variant(
        "network: a subclass of the lifting layer, and a partial projection",
        "named arguments that are set beforehand",
        {
            LIFTING: """
import functools

class First(LiftingConvolution):
    def __init__(self, **settings):
        super().__init__(group, padding=0, **settings)

self.lifting_conv = First(
    in_channels=in_channels, out_channels=hidden_channels, kernel_size=kernel_size
)
""",
            PROJECTION: "self.projection_layer = functools.partial(torch.mean, dim=(2, 3, 4))",
        },
    ),
    Variant(
        "network: a Sequential of layers, and einops",
        "it is iterated over like a list",
        {
            HIDDEN: """
width = (hidden_channels, hidden_channels)
self.gconvs = nn.Sequential(
    *[GroupConvolution(group, *width, kernel_size) for _ in range(num_hidden)]
)
""",
            PROJECTION: """
from einops.layers.torch import Reduce

self.projection_layer = Reduce("b c h x y -> b c", "mean")
""",
        },
    ),
]

# Right answers whose helpers stand elsewhere, beside a mistake that must not cost them anything.

ONE_ANGLE = {
    MATRIX: """
c, s = torch.cos(h), torch.sin(h)
representation = torch.tensor([[c, -s], [s, c]])
"""
}


def method(cell: str, code: str) -> dict[str, list[tuple[str, str]]]:
    """Return the edit that puts a method of a student's own into a kernel's class."""
    lines = "\n".join(f"    {line}".rstrip() for line in code.strip("\n").splitlines())
    return {cell: [("    def sample(self)", f"{lines}\n\n    def sample(self)")]}


BACK = """
def turned_back(self):
    return self.group.inverse(self.group.elements())
"""

HELPED = [
    Variant(
        "group grid: a method of an earlier class, and a wrong matrix",
        "the method is the student's own, the mistake stands elsewhere",
        {
            **ONE_ANGLE,
            SLICES: """
first = LiftingKernelBase.turned_back(self)
transformed_grid_H = self.group.product(first[:, None], self.grid_H)
""",
        },
        {"matrix": 1},
        edits=method("lifting-kernel-base", BACK),
    ),
    Variant(
        "group grid: a method of the group, and a wrong matrix",
        "both stand in one class; the method is carried along, the mistake is not",
        {
            **ONE_ANGLE,
            SLICES: "transformed_grid_H = self.group.all_relative()",
        },
        {"matrix": 1},
        edits={
            "cyclic-group": [
                (
                    "    def elements(self)",
                    "    def all_relative(self):\n        h = self.elements()\n"
                    "        return self.product(self.inverse(h)[:, None], h)\n\n"
                    "    def elements(self)",
                )
            ]
        },
    ),
    Variant(
        "lifting fold: an attribute of the base, and a wrong grid",
        "the base's __init__ sets one attribute more; its grids turn the wrong way",
        {
            LIFT_GRID: """
transformed_grid_R2 = self.group.left_action_on_R2(group_elements, self.grid_R2)
""",
            LIFT_FOLD: "weight = self.weight.reshape(self.folded_shape)",
        },
        {"lifting-grid": 2},
        edits={
            "lifting-kernel-base": [
                (
                    "        self.group, self.kernel_size = group, kernel_size\n",
                    "        self.group, self.kernel_size = group, kernel_size\n"
                    "        self.folded_shape = (-1, kernel_size, kernel_size)\n",
                )
            ]
        },
    ),
    Variant(
        "lifting fold: a static method of the base, and a wrong grid",
        "a helper of the class before",
        {
            LIFT_GRID: "transformed_grid_R2 = self.grid_R2[:, None] * torch.ones(2, 1, 1, 1)",
            LIFT_FOLD: "weight = self.fold(self.weight)",
        },
        {"lifting-grid": 0},
        edits=method(
            "lifting-kernel-base",
            "@staticmethod\ndef fold(t):\n    return t.flatten(0, 1)",
        ),
    ),
    Variant(
        "group layer: a method of a class four cells before, and a wrong action",
        "the lifting layer's helper folds the group layer's kernels, too",
        {
            ACTED: "acted = x.roll(quarter_turns, 2)",
            KERNELS: "conv_kernels = InterpolativeLiftingKernel.flat(self.kernel.sample(), 2)",
        },
        {"act-on-lifted": 0},
        edits=method(
            "lifting-kernel",
            "@classmethod\ndef flat(cls, kernels, at):\n"
            "    return kernels.flatten(at, at + 1).flatten(0, 1)",
        ),
    ),
    Variant(
        "network: a function of another answer's cell, and a group layer that is wrong",
        "the helper stands below the third power",
        {
            INPUT: "x = x.flatten(1, 2).flip(1)",
            PROJECTION: "self.projection_layer = everything_but_channels",
        },
        {"group-layer": 0.5},
        edits={
            "third-power": [
                (
                    "    return g3",
                    "    return g3\n\n\ndef everything_but_channels(x):\n"
                    "    return x.mean(dim=(2, 3, 4))\n",
                )
            ]
        },
    ),
    Variant(
        "lifting layer: a method given to a class afterwards, and a wrong grid",
        "a cell of the student's own completes the kernel's class",
        {
            LIFT_GRID: "transformed_grid_R2 = self.grid_R2[:, None] * torch.ones(2, 1, 1, 1)",
            LIFT_KERNELS: "conv_kernels = self.kernel.bank()",
        },
        {"lifting-grid": 0},
        before={
            "lifting-convolution": "def bank(self):\n    return self.sample().flatten(0, 1)\n\n\n"
            "InterpolativeLiftingKernel.bank = bank"
        },
    ),
]

VARIANTS = [
    *PRODUCTS,
    *INVERSES,
    *MATRICES,
    *THIRD_POWERS,
    *LIFTING_GRIDS,
    *LIFTING_FOLDS,
    *LIFTING_LAYERS,
    *ACTIONS,
    *GROUP_GRIDS,
    *GROUP_KERNELS,
    *GROUP_LAYERS,
    *NETWORKS,
    *WHOLE_NOTEBOOKS,
    *PLEASING,
    *TWO_FACED,
    *FORMS,
    *HELPED,
]
