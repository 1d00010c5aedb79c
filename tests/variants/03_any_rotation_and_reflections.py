"""Right and wrong solutions of lesson 3, as students write them.

Points: disk 2, error 3, dihedral-product 2, dihedral-inverse 2, dihedral-matrix 2, cayley 2,
permuted-kernel 4.
"""

from __future__ import annotations

from variants import BESIDES, ELSEWHERE, Variant

DISK = ("disk-mask", 0)
OF_TURNED, TURNED, ERROR = (("equivariance-error", number) for number in range(3))
PRODUCT, INVERSE, MATRIX = (("dihedral-group", number) for number in range(3))
CAYLEY = ("cayley-table", 0)
PERMUTATION, PERMUTED, SIGNAL = (("permuted-kernel", number) for number in range(3))


def catalogue(exercise: str, block: tuple[str, int], entries: list[tuple]) -> list[Variant]:
    """Return variants of one block: (name, why, code), and for a wrong one the points it keeps."""
    return [
        Variant(f"{exercise}: {name}", why, {block: code}, {exercise: kept[0]} if kept else {})
        for name, why, code, *kept in entries
    ]


EDGE = "edge = kernel_size / 2 - grid.norm(dim=0) * (kernel_size - 1) / 2\n"

DISKS = catalogue(
    "disk",
    DISK,
    [
        (
            "in pixels from the start",
            "the grid is scaled first",
            """
r0, r1 = grid * (kernel_size - 1) / 2
mask = torch.clamp(kernel_size / 2 - torch.sqrt(r0**2 + r1**2), 0, 1)
""",
        ),
        (
            "hypot",
            "the length of two numbers",
            """
distance = torch.hypot(grid[0], grid[1]) * (kernel_size - 1) / 2
mask = (kernel_size / 2 - distance).clamp(min=0, max=1)
""",
        ),
        (
            "minimum and maximum",
            "as in the formula",
            EDGE
            + """
mask = torch.minimum(torch.ones_like(edge), torch.maximum(torch.zeros_like(edge), edge))
""",
        ),
        ("two ReLUs", "cut off at 0, then at 1", EDGE + "mask = 1 - F.relu(1 - F.relu(edge))"),
        (
            "where in where",
            "the three cases",
            EDGE
            + """
one, zero = torch.ones_like(edge), torch.zeros_like(edge)
mask = torch.where(edge > 1, one, torch.where(edge < 0, zero, edge))
""",
        ),
        (
            "root of a sum",
            "the length written out",
            """
length = grid.square().sum(0).sqrt()
mask = (kernel_size / 2 - length / (2 / (kernel_size - 1))).clamp(0, 1)
""",
        ),
        (
            "linalg",
            "vector_norm over the first axis",
            """
length = torch.linalg.vector_norm(grid, dim=0)
mask = torch.clip(kernel_size / 2 - length * (kernel_size - 1) / 2, 0.0, 1.0)
""",
        ),
        (
            "complex numbers",
            "the length of r0 + i r1",
            """
length = torch.complex(grid[0], grid[1]).abs()
mask = torch.clamp((kernel_size - (kernel_size - 1) * length) / 2, 0, 1)
""",
        ),
        (
            "numpy",
            "the same, computed by NumPy",
            """
length = np.hypot(*grid.numpy()) * (kernel_size - 1) / 2
mask = torch.as_tensor(np.clip(kernel_size / 2 - length, 0, 1))
""",
        ),
        (
            "early return, hardtanh",
            "it cuts off at 0 and 1",
            EDGE + "return F.hardtanh(edge, 0, 1)",
        ),
        (
            "einsum",
            "squares summed by einsum",
            """
length = torch.einsum("c...,c...->...", grid, grid).sqrt()
mask = (kernel_size / 2 - length * (kernel_size - 1) / 2).clamp(0, 1)
""",
        ),
        (
            "position by position",
            "a loop",
            """
values = []
for r0, r1 in grid.flatten(1).T.tolist():
    pixels = math.sqrt(r0**2 + r1**2) * (kernel_size - 1) / 2
    values.append(min(1.0, max(0.0, kernel_size / 2 - pixels)))
mask = torch.tensor(values, dtype=grid.dtype).reshape(grid.shape[1:])
""",
        ),
        (
            "no pixels",
            "|x| as it stands in the grid",
            "mask = (kernel_size / 2 - grid.norm(dim=0)).clamp(0, 1)",
            0,
        ),
        ("hard edge", "no pixel in between", EDGE + "mask = (edge > 0).float()", 0.5),
        ("hard edge at 1", "the unit disk", "mask = (grid.norm(dim=0) <= 1).to(grid)", 0.5),
        ("rounded", "only 0 and 1", EDGE + "mask = edge.clamp(0, 1).round()", 0.5),
        (
            "cosine edge",
            "it falls, but not linearly",
            EDGE + "mask = 0.5 - 0.5 * torch.cos(math.pi * edge.clamp(0, 1))",
            0.5,
        ),
        ("sigmoid", "never quite 0 or 1", EDGE + "mask = torch.sigmoid(4 * (edge - 0.5))", 0),
        ("not cut off", "it goes on in both directions", EDGE + "mask = edge", 0),
        ("not cut off above", "2.5 in the centre", EDGE + "mask = edge.clamp(min=0)", 0),
        ("not cut off below", "negative in the corners", EDGE + "mask = edge.clamp(max=1)", 0),
        ("upside down", "0 inside", EDGE + "mask = 1 - edge.clamp(0, 1)", 0),
        (
            "square",
            "the larger coordinate is no distance from the centre",
            """
mask = (kernel_size / 2 - grid.abs().amax(dim=0) * (kernel_size - 1) / 2).clamp(0, 1)
""",
            0,
        ),
        (
            "diamond",
            "nor is the sum of the two",
            """
mask = (kernel_size / 2 - grid.abs().sum(dim=0) * (kernel_size - 1) / 2).clamp(0, 1)
""",
            0,
        ),
        (
            "no root",
            "the square of the distance",
            """
squared = (grid * (kernel_size - 1) / 2).square().sum(dim=0)
mask = (kernel_size / 2 - squared).clamp(0, 1)
""",
            0,
        ),
        (
            "one coordinate",
            "a stripe",
            "mask = (kernel_size / 2 - grid[0].abs() * (kernel_size - 1) / 2).clamp(0, 1)",
            0,
        ),
        (
            "norm of the last axis",
            "of the columns, not of the coordinates",
            "mask = (kernel_size / 2 - grid.norm(dim=-1) * (kernel_size - 1) / 2).clamp(0, 1)",
            0,
        ),
        (
            "norm of everything",
            "one number",
            "mask = (kernel_size / 2 - grid.norm() * (kernel_size - 1) / 2).clamp(0, 1)",
            0,
        ),
        ("size 5", "5 is hard-coded", "mask = (2.5 - grid.norm(dim=0) / 0.5).clamp(0, 1)", 0),
        (
            "radius (k - 1) / 2",
            "ends at the centre of the last pixel",
            """
pixel = 2 / (kernel_size - 1)
mask = ((kernel_size - 1) / 2 - grid.norm(dim=0) / pixel).clamp(0, 1)
""",
            0,
        ),
        (
            "radius k // 2",
            "the same for odd sizes, and right for even ones",
            "mask = (kernel_size // 2 - grid.norm(dim=0) * (kernel_size - 1) / 2).clamp(0, 1)",
            0.5,
        ),
        (
            "pixel 2 / k",
            "k pixels have k - 1 steps between them",
            "mask = (kernel_size / 2 - grid.norm(dim=0) * kernel_size / 2).clamp(0, 1)",
            0,
        ),
        (
            "radius k",
            "the diameter in place of the radius",
            "mask = (kernel_size - grid.norm(dim=0) * (kernel_size - 1) / 2).clamp(0, 1)",
            0,
        ),
        (
            "edge of two pixels",
            "it falls half as fast",
            EDGE + "mask = (edge / 2 + 0.25).clamp(0, 1)",
            0,
        ),
        (
            "square grids only",
            "the shape is taken from the kernel's size",
            EDGE + "mask = edge.clamp(0, 1).reshape(kernel_size, kernel_size)",
            0,
        ),
        (
            "one axis of positions only",
            "further axes are merged",
            """
r0, r1 = grid.flatten(1)
distance = torch.sqrt(r0**2 + r1**2) * (kernel_size - 1) / 2
mask = (kernel_size / 2 - distance).clamp(0, 1)
""",
            1.5,
        ),
        (
            "in place",
            "the grid itself is scaled",
            """
grid *= (kernel_size - 1) / 2
mask = (kernel_size / 2 - grid.norm(dim=0)).clamp(0, 1)
""",
            1.5,
        ),
        ("left open", "nothing done", "mask = ...", 0),
        ("another name", "the result never gets its name", EDGE + "disk = edge.clamp(0, 1)", 0),
    ],
)

ERRORS = catalogue(
    "error",
    ERROR,
    [
        (
            "roots of sums",
            "the norm written out",
            """
difference = (of_turned - turned) * inside
error = (difference**2).sum().sqrt() / ((turned * inside) ** 2).sum().sqrt()
""",
        ),
        (
            "one root",
            "the root of a quotient",
            """
difference = (of_turned - turned) * inside
error = torch.sqrt(difference.square().sum() / (turned * inside).square().sum())
""",
        ),
        (
            "means",
            "the number of values cancels",
            """
error = (F.mse_loss(of_turned * inside, turned * inside) / (turned * inside).square().mean()) ** 0.5
""",
        ),
        (
            "dist",
            "the norm of a difference",
            "error = torch.dist(of_turned * inside, turned * inside) / (turned * inside).norm()",
        ),
        (
            "the other difference",
            "norms have no sign",
            "error = torch.linalg.norm(((turned - of_turned) * inside).flatten())"
            " / torch.linalg.norm((turned * inside).flatten())",
        ),
        (
            "early return",
            "the mask squared, under the sum",
            """
weight = inside**2
return torch.sqrt((weight * (of_turned - turned) ** 2).sum() / (weight * turned**2).sum())
""",
        ),
        (
            "numpy",
            "the same, computed by NumPy",
            """
a, b = (of_turned * inside).detach().numpy(), (turned * inside).detach().numpy()
error = torch.tensor(np.linalg.norm((a - b).ravel()) / np.linalg.norm(b.ravel()))
""",
        ),
        (
            "guarded",
            "a hair in the denominator is no mistake",
            "error = ((of_turned - turned) * inside).norm() / ((turned * inside).norm() + 1e-8)",
        ),
        (
            "einsum",
            "sums of products",
            """
d, t = (of_turned - turned) * inside, turned * inside
error = (torch.einsum("bchxy,bchxy->", d, d) / torch.einsum("bchxy,bchxy->", t, t)).sqrt()
""",
        ),
        (
            "vectors",
            "everything in one row",
            """
mask = inside.expand_as(turned).flatten()
error = (mask * (of_turned - turned).flatten()).norm(p=2) / (mask * turned.flatten()).norm(p=2)
""",
        ),
        (
            "no mask",
            "the corners count as well",
            "error = (of_turned - turned).norm() / turned.norm()",
            1,
        ),
        (
            "mask above only",
            "the denominator counts the corners",
            "error = ((of_turned - turned) * inside).norm() / turned.norm()",
            1,
        ),
        (
            "mask below only",
            "the numerator counts the corners",
            "error = (of_turned - turned).norm() / (turned * inside).norm()",
            0.5,
        ),
        ("not relative", "no quotient", "error = ((of_turned - turned) * inside).norm()", 1),
        (
            "squared",
            "no root",
            """
difference = (of_turned - turned) * inside
error = difference.square().sum() / (turned * inside).square().sum()
""",
            1,
        ),
        (
            "relative to the other side",
            "the sizes are equal for an equivariant layer only",
            "error = ((of_turned - turned) * inside).norm() / (of_turned * inside).norm()",
            1,
        ),
        (
            "relative to the unturned features",
            "interpolation makes these larger",
            "error = ((of_turned - turned) * inside).norm() / (layer(images) * inside).norm()",
            1,
        ),
        (
            "sum of the two",
            "a sign is wrong",
            "error = ((of_turned + turned) * inside).norm() / (turned * inside).norm()",
            0,
        ),
        (
            "difference of norms",
            "two different tensors may have the same norm",
            """
sizes = (of_turned * inside).norm(), (turned * inside).norm()
error = (sizes[0] - sizes[1]).abs() / sizes[1]
""",
            1,
        ),
        (
            "largest values",
            "the maximum is another norm",
            """
difference = ((of_turned - turned) * inside).abs().max()
error = difference / (turned * inside).abs().max()
""",
            1,
        ),
        (
            "sum of absolute values",
            "and so is this",
            """
error = ((of_turned - turned) * inside).abs().sum() / (turned * inside).abs().sum()
""",
            1,
        ),
        (
            "mean over images",
            "every image has a quotient of its own",
            """
difference = ((of_turned - turned) * inside).flatten(1).norm(dim=1)
error = (difference / (turned * inside).flatten(1).norm(dim=1)).mean()
""",
            1,
        ),
        (
            "norm over one axis",
            "not one number",
            """
error = ((of_turned - turned) * inside).norm(dim=1) / (turned * inside).norm(dim=1)
""",
            0,
        ),
        (
            "mask upside down",
            "only the corners count",
            """
outside = 1 - inside
error = ((of_turned - turned) * outside).norm() / (turned * outside).norm()
""",
            1,
        ),
        (
            "one in the denominator",
            "not relative for small features",
            "error = ((of_turned - turned) * inside).norm() / ((turned * inside).norm() + 1)",
            1,
        ),
        (
            "a plain number",
            "no tensor",
            "error = (((of_turned - turned) * inside).norm() / (turned * inside).norm()).item()",
            0,
        ),
        (
            "first channel only",
            "the others are left out",
            """
error = ((of_turned - turned) * inside)[:, 0].norm() / (turned * inside)[:, 0].norm()
""",
            1,
        ),
        ("left open", "nothing done", "error = ...", 0),
    ],
)

ERRORS += [
    Variant(
        "error: features first",
        "the order of the two sides does not matter",
        {
            OF_TURNED: """
features = layer(images)
of_turned = layer(act_on_images(group, g, images))
""",
            TURNED: "turned = act_on_features(group, g, features)",
        },
    ),
    Variant(
        "error: image by image",
        "lesson 1's act_on_image turns one at a time",
        {
            OF_TURNED: """
pictures = torch.stack([act_on_image(group, g, image) for image in images])
of_turned = layer(pictures)
"""
        },
    ),
    Variant(
        "error: turned by hand",
        "twist and shift written out",
        {
            TURNED: """
features = layer(images)
slices = [act_on_images(group, g, features[:, :, h]) for h in range(features.shape[2])]
places = group_index(group, group.product(group.inverse(g), group.elements()))
turned = torch.stack([slices[place] for place in places.tolist()], dim=2)
"""
        },
    ),
    Variant(
        "error: without gradients",
        "nobody needs them here",
        {
            OF_TURNED: """
with torch.no_grad():
    of_turned = layer(act_on_images(group, g, images))
"""
        },
    ),
    Variant(
        "error: image not turned",
        "the layer sees the upright image",
        {OF_TURNED: "of_turned = layer(images)"},
        {"error": 0},
    ),
    Variant(
        "error: features not turned",
        "the second side stays upright",
        {TURNED: "turned = layer(images)"},
        {"error": 0},
    ),
    Variant(
        "error: the same twice",
        "a difference that is always 0",
        {TURNED: "turned = layer(act_on_images(group, g, images))"},
        {"error": 1},
    ),
    Variant(
        "error: twist without shift",
        "the slices stay where they are",
        {
            TURNED: """
features = layer(images)
turned = act_on_images(group, g, features.flatten(1, 2)).view_as(features)
"""
        },
        {"error": 0.5},
    ),
    Variant(
        "error: shift without twist",
        "the slices are not turned",
        {
            TURNED: """
places = group_index(group, group.product(group.inverse(g), group.elements()))
turned = layer(images)[:, :, places]
"""
        },
        {"error": 0},
    ),
    Variant(
        "error: features turned back",
        "by the inverse of g",
        {TURNED: "turned = act_on_features(group, group.inverse(g), layer(images))"},
        {"error": 0},
    ),
    Variant(
        "error: both turned back",
        "the error for another element",
        {
            OF_TURNED: "of_turned = layer(act_on_images(group, group.inverse(g), images))",
            TURNED: "turned = act_on_features(group, group.inverse(g), layer(images))",
        },
        {"error": 1},
    ),
    Variant(
        "error: turned twice",
        "by g · g",
        {
            OF_TURNED: """
of_turned = layer(act_on_images(group, g, act_on_images(group, g, images)))
"""
        },
        {"error": 0},
    ),
    Variant(
        "error: C₄ only",
        "a group of its own",
        {TURNED: "turned = act_on_features(CyclicGroup(4), g, layer(images))"},
        {"error": 1},
    ),
    Variant(
        "error: first block open",
        "nothing done",
        {OF_TURNED: "of_turned = ..."},
        {"error": 0},
    ),
]

PRODUCTS = catalogue(
    "dihedral-product",
    PRODUCT,
    [
        (
            "two cases",
            "where chooses between them",
            """
total = torch.where(flip == 1, angle - angle_prime, angle + angle_prime)
product_angle, product_flip = total % (2 * math.pi), (flip + flip_prime) % 2
""",
        ),
        (
            "different flips",
            "1 if and only if the flips differ",
            """
product_flip = (flip != flip_prime).to(flip)
product_angle = (angle + (1 - 2 * flip) * angle_prime) % (2 * torch.pi)
""",
        ),
        (
            "distance of the flips",
            "|f − f'|",
            """
product_flip = (flip - flip_prime).abs()
product_angle = torch.remainder(angle + torch.cos(math.pi * flip) * angle_prime, 2 * math.pi)
""",
        ),
        (
            "powers of −1",
            "(−1)^f is the sign",
            """
sign = torch.pow(-1.0, flip)
product_angle = (angle + sign * angle_prime) % (2 * np.pi)
product_flip = (flip + flip_prime).fmod(2)
""",
        ),
        (
            "a polynomial",
            "f + f' − 2 f f'",
            """
product_angle = torch.remainder(angle + angle_prime - 2 * flip * angle_prime, 2 * math.pi)
product_flip = flip + flip_prime - 2 * flip * flip_prime
""",
        ),
        (
            "steps",
            "rounded to the group",
            """
step = 2 * math.pi / self.n
steps = torch.round(angle / step) + (1 - 2 * flip) * torch.round(angle_prime / step)
product_angle, product_flip = steps % self.n * step, (flip + flip_prime) % 2
""",
        ),
        (
            "fmod above 0",
            "a full turn is added first",
            """
turn = 2 * math.pi
product_angle = torch.fmod(angle + (1 - 2 * flip) * angle_prime + turn, turn)
product_flip = torch.where(flip + flip_prime == 1, 1.0, 0.0)
""",
        ),
        (
            "complex numbers",
            "a flip is the conjugate",
            """
one = torch.polar(torch.ones_like(angle), angle)
two = torch.polar(torch.ones_like(angle_prime), angle_prime)
two = torch.where(flip == 1, two.conj().resolve_conj(), two)
product_angle, product_flip = (one * two).angle() % (2 * math.pi), (flip + flip_prime) % 2
""",
        ),
        (
            "by the matrices",
            "read off the product of matrices",
            """
matrix = self.matrix_representation(h) @ self.matrix_representation(h_prime)
product_angle = torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0]) % (2 * math.pi)
product_flip = (torch.linalg.det(matrix) < 0).to(h)
""",
        ),
        (
            "numpy",
            "the same, computed by NumPy",
            """
a, f, b, g = (part.numpy() for part in (angle, flip, angle_prime, flip_prime))
product_angle = torch.as_tensor(np.mod(a + (1 - 2 * f) * b, 2 * np.pi).astype("float32"))
product_flip = torch.as_tensor(np.mod(f + g, 2))
""",
        ),
        (
            "early return",
            "put together in the block",
            """
product_angle = (angle + (1 - 2 * flip) * angle_prime) % (2 * math.pi)
pair = torch.broadcast_tensors(product_angle, (flip + flip_prime) % 2)
return torch.stack(pair, dim=-1)
""",
        ),
        (
            "floor",
            "the remainder written out",
            """
total = angle + (1 - 2 * flip) * angle_prime
product_angle = total - 2 * math.pi * torch.floor(total / (2 * math.pi))
product_flip = (flip.bool() ^ flip_prime.bool()).float()
""",
        ),
        (
            "always added",
            "a mirror turns the sense round",
            """
product_angle = torch.remainder(angle + angle_prime, 2 * math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0.5,
        ),
        (
            "sign of the other flip",
            "f' in place of f",
            """
product_angle = torch.remainder(angle + (1 - 2 * flip_prime) * angle_prime, 2 * math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0.5,
        ),
        (
            "the other order",
            "h' · h",
            """
product_angle = torch.remainder(angle_prime + (1 - 2 * flip_prime) * angle, 2 * math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0.5,
        ),
        (
            "sign at the first angle",
            "the mirror acts on what is right of it",
            """
product_angle = torch.remainder((1 - 2 * flip) * angle + angle_prime, 2 * math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0.5,
        ),
        (
            "sign at the sum",
            "both angles are turned round",
            """
product_angle = torch.remainder((1 - 2 * flip) * (angle + angle_prime), 2 * math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0.5,
        ),
        (
            "flip 2",
            "flips are not taken modulo 2",
            """
product_angle = torch.remainder(angle + (1 - 2 * flip) * angle_prime, 2 * math.pi)
product_flip = flip + flip_prime
""",
            0.5,
        ),
        (
            "flips multiplied",
            "1 only if both are",
            """
product_angle = torch.remainder(angle + (1 - 2 * flip) * angle_prime, 2 * math.pi)
product_flip = flip * flip_prime
""",
            0.5,
        ),
        (
            "either flip",
            "two mirrors are none",
            """
product_angle = torch.remainder(angle + (1 - 2 * flip) * angle_prime, 2 * math.pi)
product_flip = torch.maximum(flip, flip_prime)
""",
            0.5,
        ),
        (
            "flip of h",
            "that of h' is forgotten",
            """
product_angle = torch.remainder(angle + (1 - 2 * flip) * angle_prime, 2 * math.pi)
product_flip = flip
""",
            0.5,
        ),
        (
            "flip of h'",
            "that of h is forgotten",
            """
product_angle = torch.remainder(angle + (1 - 2 * flip) * angle_prime, 2 * math.pi)
product_flip = flip_prime
""",
            0.5,
        ),
        (
            "sign 0",
            "1 − f is 0 for a mirror, not −1",
            """
product_angle = torch.remainder(angle + (1 - flip) * angle_prime, 2 * math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0.5,
        ),
        (
            "sign the wrong way",
            "−1 for rotations",
            """
product_angle = torch.remainder(angle + (2 * flip - 1) * angle_prime, 2 * math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0,
        ),
        (
            "always subtracted",
            "for rotations as well",
            """
product_angle = torch.remainder(angle - angle_prime, 2 * math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0,
        ),
        (
            "no remainder of the angle",
            "leaves the circle",
            """
product_angle = angle + (1 - 2 * flip) * angle_prime
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            1.5,
        ),
        (
            "fmod",
            "keeps negative angles",
            """
product_angle = torch.fmod(angle + (1 - 2 * flip) * angle_prime, 2 * math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            1.5,
        ),
        (
            "modulo half a turn",
            "180° becomes 0°",
            """
product_angle = torch.remainder(angle + (1 - 2 * flip) * angle_prime, math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0,
        ),
        (
            "modulo 360",
            "angles are in radians",
            """
product_angle = torch.remainder(angle + (1 - 2 * flip) * angle_prime, 360)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0.5,
        ),
        (
            "angles multiplied",
            "no product of rotations",
            """
product_angle = torch.remainder(angle * angle_prime, 2 * math.pi)
product_flip = torch.remainder(flip + flip_prime, 2)
""",
            0,
        ),
        (
            "Python's if",
            "one element at a time only",
            """
if flip == 1:
    product_angle = (angle - angle_prime) % (2 * math.pi)
else:
    product_angle = (angle + angle_prime) % (2 * math.pi)
product_flip = (flip + flip_prime) % 2
""",
            0,
        ),
        (
            "quarter turns only",
            "4 is hard-coded",
            """
steps = torch.round((angle + (1 - 2 * flip) * angle_prime) / (math.pi / 2)) % 4
product_angle, product_flip = steps * (math.pi / 2), (flip + flip_prime) % 2
""",
            0,
        ),
        (
            "always a table",
            "not elementwise",
            """
product_angle = (angle[:, None] + (1 - 2 * flip[:, None]) * angle_prime) % (2 * math.pi)
product_flip = (flip[:, None] + flip_prime) % 2
""",
            0,
        ),
        (
            "in place",
            "changes h, and cannot broadcast",
            """
angle += (1 - 2 * flip) * angle_prime
product_angle, product_flip = angle % (2 * math.pi), (flip + flip_prime) % 2
""",
            1.5,
        ),
        (
            "flip left open",
            "half done",
            """
product_angle = torch.remainder(angle + (1 - 2 * flip) * angle_prime, 2 * math.pi)
product_flip = ...
""",
            0,
        ),
        ("left open", "nothing done", "product_angle = ...\nproduct_flip = ...", 0),
    ],
)

INVERSES = catalogue(
    "dihedral-inverse",
    INVERSE,
    [
        (
            "one formula",
            "the sign is +1 for reflections",
            """
inverse_angle = torch.remainder((2 * flip - 1) * angle, 2 * math.pi)
inverse_flip = flip
""",
        ),
        (
            "2π minus the angle",
            "0 becomes 2π, the same rotation",
            """
inverse_angle = torch.where(flip == 1, angle, 2 * math.pi - angle)
inverse_flip = flip
""",
        ),
        (
            "weighted by the flip",
            "one of the two is 0",
            """
inverse_angle = flip * angle + (1 - flip) * (-angle % (2 * math.pi))
inverse_flip = flip.clone()
""",
        ),
        (
            "masked",
            "a copy is changed where it is a rotation",
            """
inverse_angle, inverse_flip = angle.clone(), flip
inverse_angle[flip == 0] = -angle[flip == 0] % (2 * torch.pi)
""",
        ),
        (
            "searched",
            "the element whose product with h is the identity",
            """
elements = self.elements().to(h)
products = self.product(h[..., None, :], elements)
found = elements[(torch.cos(products[..., 0]) - products[..., 1]).argmax(dim=-1)]
inverse_angle, inverse_flip = found.unbind(-1)
""",
        ),
        (
            "early return",
            "put together in the block",
            """
sign = torch.where(flip == 1, 1.0, -1.0)
return torch.stack([sign * angle % (2 * math.pi), flip], dim=-1)
""",
        ),
        (
            "numpy",
            "the same, computed by NumPy",
            """
a, f = angle.numpy(), flip.numpy()
inverse_angle = torch.as_tensor(np.where(f == 1, a, np.mod(-a, 2 * np.pi)).astype("float32"))
inverse_flip = flip
""",
        ),
        (
            "transposed matrix",
            "the inverse of an orthogonal matrix",
            """
matrix = self.matrix_representation(h).mT
inverse_angle = torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0]) % (2 * math.pi)
inverse_flip = flip
""",
        ),
        (
            "one after the other",
            "a loop over the elements",
            """
pairs = zip(angle.flatten().tolist(), flip.flatten().tolist())
values = [a if f == 1 else -a % (2 * math.pi) for a, f in pairs]
inverse_angle = torch.tensor(values).to(angle).reshape(angle.shape)
inverse_flip = flip
""",
        ),
        (
            "atan2",
            "the angle of the point, mirrored for rotations",
            """
sine = torch.sin(angle) * (2 * flip - 1)
inverse_angle = torch.atan2(sine, torch.cos(angle)) % (2 * math.pi)
inverse_flip = flip
""",
        ),
        (
            "flip modulo 2",
            "−1 is 1 modulo 2",
            """
inverse_flip = torch.remainder(-flip, 2)
inverse_angle = torch.remainder(-angle + 2 * angle * flip, 2 * math.pi)
""",
        ),
        (
            "always −θ",
            "reflections are their own inverses",
            """
inverse_angle = torch.remainder(-angle, 2 * math.pi)
inverse_flip = flip
""",
            0.5,
        ),
        ("h itself", "rotations are not", "inverse_angle, inverse_flip = angle.clone(), flip", 0.5),
        (
            "flip turned round",
            "a reflection becomes a rotation",
            """
inverse_angle = torch.where(flip == 0, -angle % (2 * math.pi), angle)
inverse_flip = 1 - flip
""",
            0,
        ),
        (
            "flip −1",
            "not modulo 2",
            """
inverse_angle = torch.where(flip == 0, -angle % (2 * math.pi), angle)
inverse_flip = -flip
""",
            0.5,
        ),
        (
            "flip 0",
            "every inverse is a rotation",
            """
inverse_angle = torch.where(flip == 0, -angle % (2 * math.pi), angle)
inverse_flip = torch.zeros_like(flip)
""",
            0.5,
        ),
        (
            "flip 1",
            "every inverse is a reflection",
            """
inverse_angle = torch.where(flip == 0, -angle % (2 * math.pi), angle)
inverse_flip = torch.ones_like(flip)
""",
            0.5,
        ),
        (
            "no remainder",
            "leaves [0, 2π]",
            "inverse_angle, inverse_flip = torch.where(flip == 0, -angle, angle), flip",
            1.5,
        ),
        (
            "cases exchanged",
            "reflections are turned round, rotations not",
            """
inverse_angle = torch.where(flip == 1, -angle % (2 * math.pi), angle)
inverse_flip = flip
""",
            0,
        ),
        (
            "sign the wrong way",
            "1 − 2f in place of 2f − 1",
            """
inverse_angle = torch.remainder((1 - 2 * flip) * angle, 2 * math.pi)
inverse_flip = flip
""",
            0,
        ),
        (
            "half a turn on",
            "for reflections",
            """
inverse_angle = torch.where(flip == 0, -angle, angle + math.pi) % (2 * math.pi)
inverse_flip = flip
""",
            0.5,
        ),
        (
            "half a turn for rotations",
            "right for a quarter turn only",
            """
inverse_angle = torch.where(flip == 0, angle + math.pi, angle) % (2 * math.pi)
inverse_flip = flip
""",
            0.5,
        ),
        (
            "modulo half a turn",
            "270° becomes 90°",
            """
inverse_angle = torch.where(flip == 0, -angle % math.pi, angle)
inverse_flip = flip
""",
            0.5,
        ),
        (
            "2π for all",
            "no case for reflections",
            "inverse_angle, inverse_flip = 2 * math.pi - angle, flip",
            0.5,
        ),
        (
            "Python's if",
            "one element at a time only",
            """
inverse_angle = -angle % (2 * math.pi) if flip == 0 else angle
inverse_flip = flip
""",
            0,
        ),
        (
            "the first decides",
            "for all elements",
            """
first = flip.flatten()[0]
inverse_angle = -angle % (2 * math.pi) if first == 0 else angle
inverse_flip = flip
""",
            1.5,
        ),
        (
            "quarter turns only",
            "4 is hard-coded",
            """
steps = torch.round(-angle / (math.pi / 2)) % 4
inverse_angle = torch.where(flip == 0, steps * (math.pi / 2), angle)
inverse_flip = flip
""",
            0.5,
        ),
        (
            "one over θ",
            "the inverse of a number",
            "inverse_angle, inverse_flip = 1 / angle, flip",
            0,
        ),
        (
            "flattened",
            "the shape is lost",
            """
pairs = zip(angle.flatten().tolist(), flip.flatten().tolist())
inverse_angle = torch.tensor([a if f == 1 else -a % (2 * math.pi) for a, f in pairs])
inverse_flip = flip.flatten()
""",
            1.5,
        ),
        (
            "in place",
            "h is changed too",
            """
inverse_angle = angle.mul_(2 * flip - 1).remainder_(2 * math.pi)
inverse_flip = flip
""",
            1.5,
        ),
        (
            "inverse matrix",
            "a matrix is not an element",
            """
inverse_angle = torch.linalg.inv(self.matrix_representation(h))
inverse_flip = flip
""",
            0,
        ),
        (
            "angle and flip exchanged",
            "the two numbers of a pair",
            """
inverse_flip = torch.where(flip == 0, -angle % (2 * math.pi), angle)
inverse_angle = flip
""",
            0,
        ),
        ("left open", "nothing done", "inverse_angle = ...\ninverse_flip = ...", 0),
    ],
)

ROTATION = """
c, s, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
rotation = torch.stack([c, -s, s, c], dim=-1).unflatten(-1, (2, 2))
"""

MATRICES = catalogue(
    "dihedral-matrix",
    MATRIX,
    [
        (
            "times a diagonal",
            "R(θ) F^f as a product of matrices",
            ROTATION
            + """
mirror = torch.diag_embed(torch.stack([torch.ones_like(flip), sign], dim=-1))
representation = rotation @ mirror
""",
        ),
        (
            "four numbers",
            "the last axis is split",
            """
c, s, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
representation = torch.stack([c, -s * sign, s, c * sign], dim=-1).reshape(*angle.shape, 2, 2)
""",
        ),
        (
            "two cases",
            "where chooses the matrix",
            ROTATION
            + """
mirrored = rotation * torch.tensor([1.0, -1.0]).to(h)
representation = torch.where(flip[..., None, None] == 1, mirrored, rotation)
""",
        ),
        (
            "columns",
            "the second gets the sign",
            """
c, s = angle.cos(), angle.sin()
second = torch.stack([-s, c], dim=-1) * (1 - 2 * flip)[..., None]
representation = torch.stack([torch.stack([c, s], dim=-1), second], dim=-1)
""",
        ),
        (
            "a loop",
            "one matrix after the other",
            """
matrices = []
for a, f in zip(angle.flatten().tolist(), flip.flatten().tolist()):
    c, s, sign = math.cos(a), math.sin(a), -1 if f else 1
    matrices.append([[c, -s * sign], [s, c * sign]])
representation = torch.tensor(matrices).to(h).reshape(*angle.shape, 2, 2)
""",
        ),
        (
            "numpy",
            "the same, computed by NumPy",
            """
a, sign = angle.numpy(), 1 - 2 * flip.numpy()
rows = [[np.cos(a), -np.sin(a) * sign], [np.sin(a), np.cos(a) * sign]]
representation = torch.as_tensor(np.moveaxis(np.array(rows), (0, 1), (-2, -1)))
""",
        ),
        (
            "F as 1 − 2P",
            "P projects on the second axis",
            ROTATION
            + """
projection = torch.tensor([[0.0, 0.0], [0.0, 1.0]]).to(h)
representation = rotation @ (torch.eye(2).to(h) - 2 * flip[..., None, None] * projection)
""",
        ),
        (
            "entry by entry",
            "an empty tensor, four entries",
            """
representation = h.new_empty(*angle.shape, 2, 2)
representation[..., 0, 0], representation[..., 1, 0] = angle.cos(), angle.sin()
representation[..., 0, 1] = -angle.sin() * (1 - 2 * flip)
representation[..., 1, 1] = angle.cos() * (1 - 2 * flip)
""",
        ),
        (
            "exponential",
            "of the generator, then F",
            """
generator = torch.tensor([[0.0, -1.0], [1.0, 0.0]]).to(h)
turn = torch.matrix_exp(angle[..., None, None] * generator)
sign = torch.stack([torch.ones_like(flip), 1 - 2 * flip], dim=-1)
return turn * sign[..., None, :]
""",
        ),
        (
            "stacked in front and moved",
            "the new axes are moved to the end",
            """
c, s, sign = angle.cos(), angle.sin(), torch.cos(math.pi * flip)
rows = [torch.stack([c, -s * sign]), torch.stack([s, c * sign])]
representation = torch.stack(rows).movedim((0, 1), (-2, -1))
""",
        ),
        (
            "reflections by the other order",
            "R(θ) F = F R(−θ)",
            """
sense = (1 - 2 * flip) * angle
c, s, sign = torch.cos(sense), torch.sin(sense), 1 - 2 * flip
first, second = torch.stack([c, -s], dim=-1), torch.stack([s * sign, c * sign], dim=-1)
representation = torch.stack([first, second], dim=-2)
""",
        ),
        ("no flip", "reflections are rotations", ROTATION + "representation = rotation", 0.5),
        (
            "F from the left",
            "first turned, then mirrored",
            ROTATION
            + """
representation = torch.stack([torch.ones_like(flip), sign], dim=-1)[..., None] * rotation
""",
            0.5,
        ),
        (
            "the other axis",
            "up and down exchanged",
            ROTATION
            + """
representation = rotation * torch.stack([sign, torch.ones_like(flip)], dim=-1)[..., None, :]
""",
            0.5,
        ),
        (
            "clockwise",
            "the signs of the sines are exchanged",
            """
c, s, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
representation = torch.stack([c, s * sign, -s, c * sign], dim=-1).unflatten(-1, (2, 2))
""",
            0.5,
        ),
        (
            "transposed",
            "reflections are symmetric, rotations not",
            """
c, s, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
representation = torch.stack([c, s, -s * sign, c * sign], dim=-1).unflatten(-1, (2, 2))
""",
            0.5,
        ),
        (
            "minus the rotation",
            "−R has determinant 1",
            ROTATION + "representation = rotation * sign[..., None, None]",
            0.5,
        ),
        (
            "sense turned round",
            "a rotation the other way is no reflection",
            """
c, s = torch.cos(angle), torch.sin(angle) * (1 - 2 * flip)
representation = torch.stack([c, -s, s, c], dim=-1).unflatten(-1, (2, 2))
""",
            0.5,
        ),
        (
            "sign 0",
            "1 − f is 0 for a mirror, not −1",
            ROTATION
            + """
representation = rotation * torch.stack([torch.ones_like(flip), 1 - flip], -1)[..., None, :]
""",
            0.5,
        ),
        (
            "sign −f",
            "rotations lose a column",
            ROTATION
            + """
representation = rotation * torch.stack([torch.ones_like(flip), -flip], dim=-1)[..., None, :]
""",
            0.5,
        ),
        (
            "doubled angle",
            "the mirror line is at half of θ already",
            """
c, s, sign = torch.cos(2 * angle), torch.sin(2 * angle), 1 - 2 * flip
representation = torch.stack([c, -s * sign, s, c * sign], dim=-1).unflatten(-1, (2, 2))
""",
            0.5,
        ),
        (
            "doubled angle for reflections",
            "the mirror line is at half of θ already",
            """
twice, sign = angle * (1 + flip), 1 - 2 * flip
c, s = torch.cos(twice), torch.sin(twice)
representation = torch.stack([c, -s * sign, s, c * sign], dim=-1).unflatten(-1, (2, 2))
""",
            0.5,
        ),
        (
            "degrees",
            "cos takes radians",
            """
c, s = torch.cos(torch.rad2deg(angle)), torch.sin(torch.rad2deg(angle))
sign = 1 - 2 * flip
representation = torch.stack([c, -s * sign, s, c * sign], dim=-1).unflatten(-1, (2, 2))
""",
            0.5,
        ),
        (
            "elements in the last axis",
            "[2, 2, N] in place of [N, 2, 2]",
            """
c, s, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
representation = torch.stack([torch.stack([c, -s * sign]), torch.stack([s, c * sign])])
""",
            0,
        ),
        (
            "one element only",
            "torch.tensor takes numbers",
            """
c, s, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
representation = torch.tensor([[c, -s * sign], [s, c * sign]])
""",
            0,
        ),
        (
            "a list of elements only",
            "dim=1 exists for one axis of elements only",
            """
c, s, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
rows = torch.stack([c, -s * sign], dim=1), torch.stack([s, c * sign], dim=1)
representation = torch.stack(rows, dim=1)
""",
            1.5,
        ),
        (
            "float32 only",
            "F has a precision of its own",
            ROTATION
            + """
mirror = torch.diag(torch.tensor([1.0, -1.0]))
representation = torch.where(flip[..., None, None] == 1, rotation @ mirror, rotation)
""",
            1.5,
        ),
        (
            "flattened",
            "always one leading axis",
            """
c, s, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
representation = torch.stack([c, -s * sign, s, c * sign], dim=-1).reshape(-1, 2, 2)
""",
            1.5,
        ),
        (
            "axes mixed by view",
            "entries and elements are scrambled",
            """
c, s, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
representation = torch.stack([c, -s * sign, s, c * sign]).view(-1, 2, 2)
""",
            0,
        ),
        (
            "Python's if",
            "one element at a time only",
            ROTATION
            + """
if flip == 1:
    rotation = rotation * torch.tensor([1.0, -1.0])
representation = rotation
""",
            0,
        ),
        (
            "no minus",
            "not a rotation",
            """
c, s, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
representation = torch.stack([c, s * sign, s, c * sign], dim=-1).unflatten(-1, (2, 2))
""",
            0,
        ),
        ("left open", "nothing done", "representation = ...", 0),
        (
            "another name",
            "the result never gets its name",
            ROTATION + "matrices = rotation * torch.stack([sign * sign, sign], -1)[..., None, :]",
            0,
        ),
    ],
)

CAYLEYS = catalogue(
    "cayley",
    CAYLEY,
    [
        (
            "two loops",
            "entry by entry",
            """
n = len(elements)
table = torch.zeros(n, n, dtype=torch.long)
for a in range(n):
    for b in range(n):
        table[a, b] = group_index(group, group.product(elements[a], elements[b]))
""",
        ),
        (
            "row by row",
            "one element times all",
            """
rows = [group_index(group, group.product(a, elements)) for a in elements]
table = torch.stack(rows)
""",
        ),
        (
            "column by column",
            "all times one element",
            """
columns = [group_index(group, group.product(elements, b)) for b in elements]
table = torch.stack(columns, dim=1)
""",
        ),
        (
            "unsqueeze",
            "the same new axes",
            """
products = group.product(elements.unsqueeze(1), elements.unsqueeze(0))
table = group_index(group, products)
""",
        ),
        (
            "meshgrid of places",
            "pairs of places, then elements",
            """
places = torch.arange(group.order)
a, b = torch.meshgrid(places, places, indexing="ij")
table = group_index(group, group.product(elements[a], elements[b]))
""",
        ),
        (
            "repeated",
            "all pairs in one long list",
            """
n = len(elements)
a = elements.repeat_interleave(n, dim=0)
b = torch.cat([elements] * n)
table = group_index(group, group.product(a, b)).view(n, n)
""",
        ),
        (
            "twice transposed",
            "columns first, then turned over",
            """
table = group_index(group, group.product(elements[None, :], elements[:, None])).T
""",
        ),
        (
            "nearest place",
            "searched by the normalised number",
            """
products = group.product(elements[:, None], elements[None])
numbers = group.normalize_group_elements(elements)
table = (group.normalize_group_elements(products)[..., None] - numbers).abs().argmin(dim=-1)
""",
        ),
        (
            "lists",
            "a list of lists, made a tensor",
            """
rows = [[group_index(group, group.product(a, b)).item() for b in elements] for a in elements]
table = torch.tensor(rows)
""",
        ),
        (
            "early return",
            "no variable",
            "return group_index(group, group.product(elements[:, None], elements))",
        ),
        (
            "32-bit places",
            "whole numbers all the same",
            """
table = group_index(group, group.product(elements[:, None], elements[None, :])).int()
""",
        ),
        (
            "numpy",
            "an array of places",
            """
table = np.empty((group.order, group.order), dtype=int)
for a, h in enumerate(elements):
    table[a] = group_index(group, group.product(h, elements)).numpy()
table = torch.from_numpy(table)
""",
        ),
        (
            "transposed",
            "columns first",
            "table = group_index(group, group.product(elements[None, :], elements[:, None]))",
            0.5,
        ),
        (
            "transposed by loops",
            "table[b, a]",
            """
n = len(elements)
table = torch.zeros(n, n, dtype=torch.long)
for a in range(n):
    for b in range(n):
        table[b, a] = group_index(group, group.product(elements[a], elements[b]))
""",
            0.5,
        ),
        (
            "made symmetric",
            "as if the group were commutative",
            """
table = group_index(group, group.product(elements[:, None], elements[None, :]))
table = table.triu() + table.triu(1).T
""",
            0.5,
        ),
        (
            "elements",
            "no places",
            "table = group.product(elements[:, None], elements[None, :])",
            0,
        ),
        (
            "normalised numbers",
            "from −1 to 1",
            """
products = group.product(elements[:, None], elements[None, :])
table = group.normalize_group_elements(products)
""",
            0,
        ),
        (
            "sums of places",
            "right for rotations only",
            """
places = torch.arange(group.order)
table = (places[:, None] + places) % group.order
""",
            0.5,
        ),
        (
            "sums of places, no remainder",
            "leaves the table",
            """
places = group_index(group, elements)
table = places[:, None] + places
""",
            0,
        ),
        (
            "squares only",
            "h · h for each element",
            "table = group_index(group, group.product(elements, elements))",
            0,
        ),
        (
            "squares in every row",
            "the second factor is the first",
            """
squares = group_index(group, group.product(elements, elements))
table = squares[:, None].expand(group.order, group.order)
""",
            0,
        ),
        (
            "axis behind the pair",
            "right for angles only",
            """
table = group_index(group, group.product(elements[..., None], elements[None]))
""",
            0.5,
        ),
        (
            "inverse of the first",
            "h_a⁻¹ · h_b",
            """
products = group.product(group.inverse(elements)[:, None], elements[None, :])
table = group_index(group, products)
""",
            0,
        ),
        (
            "inverse of the second",
            "h_a · h_b⁻¹",
            """
products = group.product(elements[:, None], group.inverse(elements)[None, :])
table = group_index(group, products)
""",
            0,
        ),
        (
            "four elements",
            "4 is hard-coded",
            """
table = group_index(group, group.product(elements[:4, None], elements[None, :4]))
""",
            0,
        ),
        (
            "half of the elements",
            "the rotations of D_n",
            """
half = elements[: group.order // 2]
table = group_index(group, group.product(half[:, None], half[None, :]))
""",
            0,
        ),
        (
            "dihedral only",
            "cyclic groups have no n",
            """
rows = [group.product(elements[a], elements) for a in range(2 * group.n)]
table = group_index(group, torch.stack(rows))
""",
            0.5,
        ),
        (
            "angles added",
            "by the angles of C_n",
            """
steps = torch.round(elements * group.order / (2 * math.pi)).long()
table = (steps[:, None] + steps) % group.order
""",
            0.5,
        ),
        (
            "counted from 1",
            "places begin with 0",
            """
table = group_index(group, group.product(elements[:, None], elements[None, :])) + 1
""",
            0,
        ),
        (
            "sorted rows",
            "every row is the same",
            """
products = group.product(elements[:, None], elements[None, :])
table = group_index(group, products).sort(dim=1).values
""",
            0,
        ),
        (
            "one long row",
            "not square",
            """
products = group.product(elements[:, None], elements[None, :])
table = group_index(group, products).flatten()
""",
            0,
        ),
        (
            "without the identity",
            "one row and column are missing",
            """
products = group.product(elements[1:, None], elements[None, 1:])
table = group_index(group, products)
""",
            0,
        ),
        (
            "exclusive or",
            "a product of bits",
            "n = torch.arange(group.order)\ntable = n[:, None] ^ n",
            0,
        ),
        (
            "a list",
            "no tensor",
            """
table = [group_index(group, group.product(a, elements)).tolist() for a in elements]
""",
            0,
        ),
        ("left open", "nothing done", "table = ...", 0),
    ],
)

PERMUTATIONS = catalogue(
    "permuted-kernel",
    PERMUTATION,
    [
        (
            "from the Cayley table",
            "its rows at the places of the inverses",
            """
inverses = group_index(self.group, self.group.inverse(elements))
permutation = cayley_table(self.group)[inverses]
""",
        ),
        (
            "row by row",
            "one h after the other",
            """
rows = [self.group.product(self.group.inverse(h), elements) for h in elements]
permutation = torch.stack([group_index(self.group, row) for row in rows])
""",
        ),
        (
            "solved",
            "the place of h̃ among h · elements",
            """
products = group_index(self.group, self.group.product(elements[:, None], elements[None, :]))
permutation = products.argsort(dim=1)
""",
        ),
        (
            "inverses searched",
            "where a row of the table has the identity",
            """
table = group_index(self.group, self.group.product(elements[:, None], elements))
permutation = table[(table == 0).int().argmax(dim=1)]
""",
        ),
        (
            "two loops",
            "entry by entry",
            """
n = self.group.order
permutation = torch.zeros(n, n, dtype=torch.long)
for i, h in enumerate(elements):
    for j, other in enumerate(elements):
        product = self.group.product(self.group.inverse(h), other)
        permutation[i, j] = group_index(self.group, product)
""",
        ),
        (
            "32-bit places",
            "they index as well",
            """
products = self.group.product(self.group.inverse(elements)[:, None], elements[None, :])
permutation = group_index(self.group, products).int()
""",
        ),
        (
            "inverse missing",
            "h · h̃",
            """
products = self.group.product(elements[:, None], elements[None, :])
permutation = group_index(self.group, products)
""",
            0.5,
        ),
        (
            "h and h̃ exchanged",
            "h̃⁻¹ · h; the layer is equivariant all the same",
            """
products = self.group.product(self.group.inverse(elements)[None, :], elements[:, None])
permutation = group_index(self.group, products)
""",
            1,
        ),
        (
            "inverse of the other",
            "h · h̃⁻¹",
            """
products = self.group.product(elements[:, None], self.group.inverse(elements)[None, :])
permutation = group_index(self.group, products)
""",
            0.5,
        ),
        (
            "factors exchanged",
            "h̃ · h⁻¹ is the same for rotations only",
            """
products = self.group.product(elements[None, :], self.group.inverse(elements)[:, None])
permutation = group_index(self.group, products)
""",
            1,
        ),
        (
            "inverse of the product",
            "(h · h̃)⁻¹",
            """
products = self.group.product(elements[:, None], elements[None, :])
permutation = group_index(self.group, self.group.inverse(products))
""",
            0.5,
        ),
        (
            "nothing permuted",
            "the same order for every h",
            "permutation = torch.arange(self.group.order).expand(self.group.order, -1)",
            0.5,
        ),
        (
            "differences of places",
            "right for rotations only",
            """
places = torch.arange(self.group.order)
permutation = (places[None, :] - places[:, None]) % self.group.order
""",
            1,
        ),
        (
            "elements",
            "no places",
            """
permutation = self.group.product(self.group.inverse(elements)[:, None], elements[None, :])
""",
            0,
        ),
        (
            "normalised numbers",
            "cut to whole numbers: a layer that is equivariant, with most weights unused",
            """
products = self.group.product(self.group.inverse(elements)[:, None], elements[None, :])
permutation = self.group.normalize_group_elements(products).long()
""",
            1,
        ),
        (
            "one row",
            "no pairs",
            """
products = self.group.product(self.group.inverse(elements), elements)
permutation = group_index(self.group, products)
""",
            0,
        ),
        (
            "rotations only",
            "the reflections stay where they are",
            """
n = self.group.order
half = torch.arange(n // 2)
permutation = torch.arange(n).repeat(n, 1)
permutation[: n // 2, : n // 2] = (half - half[:, None]) % (n // 2)
""",
            0.5,
        ),
        ("left open", "nothing done", "permutation = ...", 0),
    ],
)

PERMUTATIONS += catalogue(
    "permuted-kernel",
    PERMUTED,
    [
        (
            "stacked slices",
            "one h after the other",
            """
permuted = torch.stack([self.weight[:, :, row] for row in self.permutation], dim=2)
""",
        ),
        (
            "index_select",
            "one long list of places",
            """
n = self.group.order
permuted = self.weight.index_select(2, self.permutation.flatten()).unflatten(2, (n, n))
""",
        ),
        (
            "matrices of zeros and ones",
            "a permutation as a product",
            """
matrices = F.one_hot(self.permutation, self.group.order).to(self.weight)  # [h, h̃, place]
permuted = torch.einsum("oipxy,abp->oiabxy", self.weight, matrices)
""",
        ),
        (
            "not permuted",
            "the same weights for every h",
            "permuted = self.weight[:, :, None].expand(-1, -1, self.group.order, -1, -1, -1)",
            0.5,
        ),
        (
            "rolled",
            "right for rotations only",
            """
n = self.group.order
permuted = torch.stack([self.weight.roll(h, dims=2) for h in range(n)], dim=2)
""",
            1,
        ),
        (
            "transposed permutation",
            "h̃⁻¹ · h",
            "permuted = self.weight[:, :, self.permutation.T]",
            1,
        ),
        (
            "the wrong axis",
            "input channels in place of elements",
            "permuted = self.weight[:, self.permutation]",
            0,
        ),
        (
            "copied out of the graph",
            "it never learns",
            "permuted = self.weight.data[:, :, self.permutation]",
            1,
        ),
        (
            "mean over the group",
            "all slices are the same",
            """
mean = self.weight.mean(dim=2, keepdim=True).expand_as(self.weight)
permuted = mean[:, :, self.permutation]
""",
            1,
        ),
        ("second block left open", "nothing done", "permuted = ...", 0),
    ],
)

PERMUTATIONS += catalogue(
    "permuted-kernel",
    SIGNAL,
    [
        (
            "permute and reshape",
            "h in front, the rest in order",
            """
n, k = self.group.order, self.kernel_size
signal = permuted.permute(2, 0, 1, 3, 4, 5).reshape(n, -1, k, k)
""",
        ),
        (
            "slices",
            "one signal for each h",
            """
signal = torch.stack([permuted[:, :, h].flatten(0, 2) for h in range(self.group.order)])
""",
        ),
        (
            "early return",
            "one h after the other",
            """
kernels = []
for h in range(self.group.order):
    channels = permuted[:, :, h].flatten(0, 2)
    turned = bilinear_interpolation(channels, self.transformed_grid_R2[:, h])
    kernels.append(turned.view_as(permuted[:, :, h]))
return torch.stack(kernels, dim=1)
""",
        ),
        (
            "reshape alone",
            "keeps the order in memory, and mixes the elements up",
            """
signal = permuted.reshape(self.group.order, -1, self.kernel_size, self.kernel_size)
""",
            1,
        ),
        (
            "elements before channels",
            "the channels are in another order",
            "signal = permuted.permute(2, 3, 0, 1, 4, 5).flatten(1, 3)",
            1,
        ),
        (
            "channels exchanged",
            "input channels outermost",
            "signal = permuted.permute(2, 1, 0, 3, 4, 5).flatten(1, 3)",
            1,
        ),
        (
            "h̃ in front",
            "the same as h̃⁻¹ · h",
            "signal = permuted.movedim(3, 0).flatten(1, 3)",
            1,
        ),
        (
            "the identity for all",
            "only the first h",
            """
signal = permuted[:, :, 0].flatten(0, 2).expand(self.group.order, -1, -1, -1)
""",
            0.5,
        ),
        (
            "eight elements",
            "8 is hard-coded",
            """
signal = permuted.movedim(2, 0).reshape(8, -1, self.kernel_size, self.kernel_size)
""",
            1,
        ),
        (
            "detached",
            "it never learns",
            "signal = permuted.movedim(2, 0).flatten(1, 3).detach()",
            1,
        ),
        ("third block left open", "nothing done", "signal = ...", 0),
    ],
)

PERMUTATIONS += [
    Variant(
        "permuted-kernel: h in front at once",
        "work moved to the neighbouring block",
        {
            PERMUTED: """
permuted = torch.stack([self.weight[:, :, row] for row in self.permutation])
""",
            SIGNAL: "signal = permuted.flatten(1, 3)",
        },
    ),
    Variant(
        "permuted-kernel: one block for both",
        "the second block has nothing left to do",
        {
            PERMUTED: """
permuted = self.weight.flatten(0, 1)[:, self.permutation].transpose(0, 1)  # [h, O·I, h̃, k, k]
""",
            SIGNAL: "signal = permuted.flatten(1, 2)",
        },
    ),
]

VARIANTS = [
    *DISKS,
    *ERRORS,
    *PRODUCTS,
    *INVERSES,
    *MATRICES,
    *CAYLEYS,
    *PERMUTATIONS,
]

# Section 3. Points: dilation 4, dilation-kernel 3, dilation-shift 3.

# Answers that please tests. What does not do what the exercise asks keeps a third at most.

PLEASING = [
    *catalogue(
        "cayley",
        CAYLEY,
        [
            (
                "by formulas for C and D alone",
                "not by the group's own product",
                """
n = group.order
a, b = torch.arange(n)[:, None], torch.arange(n)
if group.dimension == 1:
    table = (a + b) % n
else:
    m = n // 2
    turn = torch.where(a < m, a % m + b % m, a % m - b % m) % m
    table = turn + m * ((a < m) != (b < m))
""",
                0.5,
            ),
        ],
    ),
    *catalogue(
        "disk",
        DISK,
        [
            (
                "in float32",
                "of lower precision than the grid",
                EDGE + "mask = edge.clamp(0, 1).float()",
                1.5,
            )
        ],
    ),
    *catalogue(
        "dihedral-matrix",
        MATRIX,
        [
            (
                "whole numbers",
                "right for quarter turns alone",
                """
cos, sin, sign = torch.cos(angle), torch.sin(angle), 1 - 2 * flip
rows = torch.stack([cos, -sin * sign, sin, cos * sign], dim=-1).round()
representation = rows.unflatten(-1, (2, 2))
""",
                0,
            ),
        ],
    ),
    *catalogue(
        "dihedral-product",
        PRODUCT,
        [
            (
                "in float32",
                "what is given in float64 comes back in float32",
                """
turned = angle + (1 - 2 * flip) * angle_prime
product_angle = torch.remainder(turned, 2 * math.pi).float()
product_flip = torch.remainder(flip + flip_prime, 2).float()
""",
                1.5,
            ),
        ],
    ),
    Variant(
        "error: right for C₄ alone",
        "for other groups nothing is turned",
        {
            TURNED: """
turned = act_on_features(group, g, layer(images)) if group.order == 4 else layer(images)
"""
        },
        {"error": 1},
    ),
    Variant(
        "permuted-kernel: poses for D₄ alone",
        "in other groups the slices are permuted, but do not turn",
        {
            PERMUTED: """
permuted = self.weight[:, :, self.permutation]
if self.group.order != 8 or self.group.dimension == 1:
    return permuted.transpose(1, 2)
"""
        },
        {"permuted-kernel": 1},
    ),
    Variant(
        "permuted-kernel: without gradients",
        "right numbers, but the weight never learns",
        {
            PERMUTED: """
with torch.no_grad():
    permuted = self.weight[:, :, self.permutation]
"""
        },
        {"permuted-kernel": 1},
    ),
    Variant(
        "permuted-kernel: divided by the order",
        "nothing is summed over here",
        {PERMUTED: "permuted = self.weight[:, :, self.permutation] / self.group.order"},
        {"permuted-kernel": 1},
    ),
    Variant(
        "permuted-kernel: clockwise, and permuted by h",
        "twist and shift go in opposite senses",
        {
            SIGNAL: """
n = self.group.order
m = n // self.group.dimension  # as many are rotations
back = self.transformed_grid_R2[:, [h // m * m + -h % m for h in range(n)]]
kernels = bilinear_interpolation(permuted.movedim(2, 0).flatten(1, 3), back)
return kernels.unflatten(1, (self.out_channels, self.in_channels, -1)).transpose(0, 1)
"""
        },
        {"permuted-kernel": 1},
    ),
]

# Right answers in forms that are seldom seen.

FORMS = [
    *catalogue(
        "disk",
        DISK,
        [
            (
                "vmap",
                "a function of one position, mapped over all",
                """
def one(x):
    return (kernel_size / 2 - torch.linalg.vector_norm(x) * (kernel_size - 1) / 2).clamp(0, 1)

points = grid.flatten(1) if grid.dim() > 1 else grid[:, None]
mask = torch.func.vmap(one, in_dims=1)(points).reshape(grid.shape[1:])
""",
            ),
            (
                "einops",
                "reduced by a pattern",
                """
from einops import reduce

length = reduce(grid.square(), "c ... -> ...", "sum").sqrt()
mask = (kernel_size / 2 - length * (kernel_size - 1) / 2).clamp(0, 1)
""",
            ),
        ],
    ),
    Variant(
        "error: vmap over the images",
        "the layer is mapped over a batch",
        {
            OF_TURNED: """
each = torch.func.vmap(lambda image: layer(image[None])[0])
of_turned = each(act_on_images(group, g, images))
""",
        },
    ),
    Variant(
        "error: functions in a row",
        "composed before they are called",
        {
            OF_TURNED: """
import functools

on_images = functools.partial(act_on_images, group, g)
on_features = functools.partial(act_on_features, group, g)
of_turned = layer(on_images(images))
""",
            TURNED: "turned = on_features(layer(images))",
            ERROR: """
length = lambda features: torch.linalg.vector_norm(features * inside)
error = length(of_turned - turned) / length(turned)
""",
        },
    ),
    *catalogue(
        "dihedral-product",
        PRODUCT,
        [
            (
                "einops and a table of signs",
                "the sign is looked up",
                """
signs = torch.tensor([1.0, -1.0]).to(angle)
product_angle = torch.remainder(angle + signs[flip.long()] * angle_prime, 2 * math.pi)
product_flip = (flip + flip_prime).remainder(2)
""",
            ),
        ],
    ),
    *catalogue(
        "dihedral-matrix",
        MATRIX,
        [
            (
                "exponentials of two generators",
                "a turn as one exponential, the mirror as a power",
                """
J = torch.tensor([[0.0, -1.0], [1.0, 0.0]]).to(angle)
mirror = torch.diag_embed(torch.stack([torch.ones_like(flip), 1 - 2 * flip], dim=-1))
representation = torch.linalg.matrix_exp(angle[..., None, None] * J) @ mirror
""",
            ),
            (
                "vmap",
                "a function of one pair, mapped over all",
                """
def one(a, f):
    c, s, sign = a.cos(), a.sin(), 1 - 2 * f
    return torch.stack([torch.stack([c, -s * sign]), torch.stack([s, c * sign])])

flat = torch.func.vmap(one)(angle.reshape(-1), flip.reshape(-1))
representation = flat.reshape(*angle.shape, 2, 2)
""",
            ),
        ],
    ),
    *catalogue(
        "cayley",
        CAYLEY,
        [
            (
                "vmap in vmap",
                "the product of two elements, mapped over both",
                """
row = lambda a: torch.func.vmap(lambda b: group.product(a, b))(elements)
table = group_index(group, torch.func.vmap(row)(elements))
""",
            ),
            (
                "vmap over the columns",
                "in_dims and out_dims say where",
                """
column = torch.func.vmap(group.product, in_dims=(0, None))
products = torch.func.vmap(column, in_dims=(None, 0), out_dims=1)(elements, elements)
table = group_index(group, products)
""",
            ),
            (
                "einops",
                "repeated along the missing axis",
                """
from einops import repeat

n = len(elements)
rows, columns = (repeat(elements, p, n=n) for p in ("a ... -> a n ...", "b ... -> n b ..."))
table = group_index(group, group.product(rows, columns))
""",
            ),
        ],
    ),
    Variant(
        "permuted-kernel: a product with zeros and ones",
        "einsum with the permutation as matrices",
        {
            PERMUTED: """
moves = F.one_hot(self.permutation, self.group.order).to(self.weight)
permuted = torch.einsum("hgs,oisxy->oihgxy", moves, self.weight)
""",
            SIGNAL: """
from einops import rearrange

signal = rearrange(permuted, "o i h g x y -> h (o i g) x y")
""",
        },
    ),
    Variant(
        "permuted-kernel: vmap over h",
        "a row of the table, mapped over all",
        {
            PERMUTATION: """
def row(back):
    return self.group.product(back.expand_as(elements), elements)

permutation = group_index(self.group, torch.func.vmap(row)(self.group.inverse(elements)))
""",
            PERMUTED: """
permuted = torch.func.vmap(lambda p: self.weight[:, :, p], out_dims=2)(self.permutation)
""",
        },
    ),
]

# A helper that stands in the class of another answer, beside a mistake made there.

HELPED = [
    Variant(
        "cayley: a method of the group, and a wrong matrix",
        "the method is carried along, the mistake is not",
        {
            MATRIX: "representation = torch.eye(2).expand(*angle.shape, 2, 2)",
            CAYLEY: "table = group_index(group, DihedralGroup.pairs(group, elements))",
        },
        {"dihedral-matrix": 0},
        edits={
            "dihedral-group": [
                (
                    "    def determinant(self",
                    "    def pairs(self, h):\n        return self.product(h[:, None], h[None])\n\n"
                    "    def determinant(self",
                )
            ]
        },
    ),
]

VARIANTS += [*PLEASING, *FORMS, *HELPED]

# Answers that do one thing where they are looked at, and another elsewhere; others have more in
# them than was asked for. Right ones may well ask how they are used.

WHOLE = "permuted = self.weight[:, :, self.permutation]\n"

VARIANTS += [
    *(
        Variant(
            f"permuted-kernel: the slices stay {name}",
            "right where somebody looks",
            {
                PERMUTED: f"""
permuted = self.weight[:, :, self.permutation]
permuted = self.weight[:, :, None].expand_as(permuted) if {when} else permuted
"""
            },
            {"permuted-kernel": 1},
        )
        for name, when in ELSEWHERE.items()
    ),
    Variant(
        "permuted-kernel: C₅ stays upright in inference mode",
        "right where somebody looks",
        {
            PERMUTED: """
permuted = self.weight[:, :, self.permutation]
if self.group.order == 5 and torch.is_inference_mode_enabled():
    permuted = self.weight[:, :, None].expand_as(permuted)
"""
        },
        {"permuted-kernel": 1},
    ),
    *(
        Variant(
            f"permuted-kernel: a dropout {name}",
            "it was not asked for",
            {PERMUTED: f"{WHOLE}permuted = F.dropout(permuted, 0.1, {when})"},
            {"permuted-kernel": points},
        )
        for name, when, points in BESIDES
    ),
    Variant(
        "permuted-kernel: no permutation but for C₄",
        "right for one group alone",
        {
            PERMUTED: f"""
{WHOLE}
if self.group.order != 4:
    permuted = self.weight[:, :, None].expand_as(permuted)
"""
        },
        {"permuted-kernel": 1},
    ),
    Variant(
        "permuted-kernel: kept in evaluation",
        "moved anew when training goes on",
        {
            SIGNAL: """
if self.training or getattr(self, "kept", None) is None:
    self.kept = permuted.movedim(2, 0).flatten(1, 3)
signal = self.kept
"""
        },
    ),
]
