"""Right and wrong solutions of lesson 2, as students write them.

Points: disk 2, error 3, dihedral-product 2, dihedral-inverse 2, dihedral-matrix 2, cayley 2,
permuted-kernel 4.
"""

from __future__ import annotations

from variants import Variant

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

VARIANTS += [*DILATIONS, *SEVERAL, *DILATED, *SHIFTS]

# Section 4. Points: continuous-kernel 4, monte-carlo-layer 3.

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
                1.5,
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
kernels = kernels * disk_mask(self.grid_R2, self.kernel_size)
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

VARIANTS += [*CONTINUOUS, *ESTIMATES]

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

VARIANTS += [*PLEASING, *FORMS, *HELPED]
