# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lesson 2 · Beyond C₄
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# Quarter turns are the easy case: they map the pixel grid to itself. In this lesson you leave it. You
# measure what turns by other angles cost and make them cheaper, add mirror images to the group, and
# end with kernels that are written for any finite group at all.

# %% [markdown]
# ## 0 Introduction
#
# In lesson 1 you built lifting and group convolutions for the rotations $C_n$ and trained a network that
# reads turned digits. Three questions were left open at its end, and this lesson takes them up:
#
# 1. **rotations of any order**: how equivariant is $C_8$ or $C_{16}$ on a square grid, and how do you measure that?
# 2. **reflections**: a group whose elements are described by two numbers, an angle and a flip.
#
# **Your part.** The lesson has {{n_exercises}} exercises with {{n_blocks}} blocks between the marker lines
# that you know, and {{n_questions}} written questions. The exercises give {{exercise_points}} points
# automatically, the questions {{question_points}} points by a person's reading.
#
# **What you need from lesson 1** is here already, worked out, in folded cells that begin with *Given*.
# So a mistake there does not follow you, and you need no file of it. You need not have them in mind word for word:
# the table in 0.2 says what each is for.
#
# **Time.** About {{total_minutes}} minutes for the exercises and questions ({{minutes_by_chapter}}),
# and another hour for reading, looking and training.

# %% [markdown]
# ### 0.1 Setup
#
# As in lesson 1: what is missing gets installed, versions of torch and numpy are never changed, the seed
# comes first. Run the cells of this section one after the other.

# %% id="given-setup" from="01_regular_group_convolutions" cells="install imports libraries seed folders"

# %% id="given-helpers" from="01_regular_group_convolutions" cells="palette show check-errors filled-in planned checking progress noise"

# %% id="given-drawing" from="01_regular_group_convolutions" cells="drawing tiles motif show-table"

# %%
progress()

# %% [markdown]
# ### 0.2 What you bring from lesson 1
#
# | name | what it does | shape |
# |---|---|---|
# | `GroupBase` | lists what a layer may ask a group $H$ for | |
# | `CyclicGroup(order)` | $C_n$; elements are angles | `elements()`: `[\|H\|]` |
# | `create_grid_R2(size)` | positions $(r_0, r_1)$ between −1 and 1 | `[2, size, size]` |
# | `bilinear_interpolation(signal, grid)` | samples a signal at a grid, zero outside | `[N, C, X, Y]` at `[2, N, X, Y]` |
# | `InterpolativeLiftingKernel`, `InterpolativeGroupKernel` | the kernels $k_h$ by interpolation | `[C_out, \|H\|, C_in, …, k, k]` |
# | `LiftingConvolution`, `GroupConvolution` | the layers | `[B, C, \|H\|, X, Y]` |
#
# The formula behind all of them is worth having in sight. The kernel for a group element $h$ is
#
# $$ k_h(x, \tilde h) = \frac{1}{|h|}\, k(h^{-1} x,\, h^{-1}\tilde h) , {{equation group-kernel}} $$
#
# and a lifting kernel is the same without $\tilde h$.

# %% id="given-groups" from="01_regular_group_convolutions" cells="group-base cyclic-group interpolate bilinear trilinear grid act-on-image"

# %% id="given-lifting" from="01_regular_group_convolutions" cells="lifting-kernel-base lifting-kernel lifting-convolution"

# %% id="given-group-layers" from="01_regular_group_convolutions" cells="group-kernel-base group-kernel group-convolution"

# %% [markdown]
# ## 1 Rotations of any order
#
# ### 1.1 Where the square grid stops being a symmetry
#
# For quarter turns the sampled kernels are the weights themselves, moved from pixel to pixel. What about $C_8$?
# The kernel for 45° needs the weights at the positions $h^{-1}x$, and these lie between the pixels, or
# *outside* the grid: the corners of the turned square stick out. There is no weight there, so the sampled kernel is
# zero.

# %%
kernel = LiftingKernelBase(CyclicGroup(8), kernel_size=5, in_channels=1, out_channels=1)
fig, axes = plt.subplots(1, 4, figsize=(10, 2.9))
for axis, index in zip(axes, (0, 1, 2, 3), strict=True):
    r0, r1 = kernel.transformed_grid_R2[:, index].flatten(1)
    outside = torch.maximum(r0.abs(), r1.abs()) > 1 + 1e-4
    axis.add_patch(Rectangle((-1, -1), 2, 2, fill=False, ec=PALETTE["muted"], lw=1.5))
    axis.scatter(r1[~outside], r0[~outside], s=18, color=PALETTE["blue"], label="inside")
    axis.scatter(
        r1[outside], r0[outside], s=30, marker="x", color=PALETTE["orange"], label="outside"
    )
    axis.set(title=f"$h$ = {45 * index}°", xlabel="$r_1$", xlim=(-1.6, 1.6), ylim=(1.6, -1.6))
    axis.set_aspect("equal")
axes[0].set_ylabel("$r_0$ (down)")
axes[1].legend(fontsize=8, loc="upper left")
fig.suptitle("Where a 5 × 5 kernel looks its weights up, for elements of $C_8$")
fig.tight_layout()
show(
    fig,
    "Four 5 by 5 grids of points with the square of the weights. At 0° and 90° all points lie in "
    "the square; at 45° and 135° the points near the four corners lie outside and are marked by crosses.",
)

# %% [markdown]
# So the eight poses are not on an equal footing. How unequal they are shows in the **energy** of the
# sampled kernels, the sum of their squares, relative to that of the first:
#
# $$ E(h) = \frac{\sum_x k_h(x)^2}{\sum_x k_e(x)^2} . {{equation energy}} $$
#
# For a network that is to treat all poses alike, $E$ should be 1 for each.


# %%
def energies(kernel: LiftingKernelBase) -> Tensor:
    """Return the energy E(h) of a lifting kernel's poses, [|H|], summed over all channels."""
    sampled = kernel.sample().detach()  # [C_out, |H|, C_in, k, k]
    squares = sampled.square().sum(dim=(0, 2, 3, 4))
    return squares / squares[0]


pl.seed_everything(SEED, verbose=False)
for order in (4, 8, 16):
    kernel = InterpolativeLiftingKernel(CyclicGroup(order), 5, in_channels=8, out_channels=8)
    shown = ", ".join(f"{value:.2f}" for value in energies(kernel)[: order // 4 + 1])
    print(f"C_{order:<2}: E(h) from 0° to 90°: {shown}")

# %% [markdown]
# Two things cost energy. The corners are lost; and interpolating between random weights means averaging them,
# which makes them smaller. Smooth weights suffer less from the second. The first has a cure.
#
# ### 1.2 A kernel on a disk
#
# A disk *is* mapped to itself by every rotation. So we let the kernel live on the disk that fits into the square, and set it
# to zero outside, in **all** poses. A hard edge would make pixels jump in and out of the disk as it turns, so the edge is soft:
# $d$ falls from 1 to 0 over one pixel,
#
# $$ d(x) = \min\!\big(1, \max\!\big(0,\; \tfrac{k}{2} - |x|_\text{pixels}\big)\big) , {{equation disk}} $$
#
# where $|x|_\text{pixels}$ is the distance from the centre *in pixels*, and $k$ the kernel size.
#
# | in the formula | in the code | shape |
# |---|---|---|
# | positions $x$ | `grid`, coordinates between −1 and 1 | `[2, …]` |
# | $k$ | `kernel_size`, at least 2 | |
# | $d$ | `mask` | `[…]` |

# %% [markdown] exercise="disk" title="The disk" minutes=8
# Complete `disk_mask`, which computes {{eq disk}}.
#
# - **Given:** `grid`, positions $(r_0, r_1)$ of shape `[2, …]`, in the coordinates of `create_grid_R2`: from −1 to 1
#   over the `kernel_size` pixels of the kernel. The positions may be those of any grid, also of a turned one.
# - **Wanted:** `mask` of shape `[…]`: 1 well inside the disk, 0 outside, falling linearly over one pixel.
#
# <details><summary>Hint: how far apart are two pixels?</summary>
#
# From −1 to 1 there are `kernel_size` pixels and so `kernel_size - 1` steps between neighbours: one pixel is
# `2 / (kernel_size - 1)`.
# </details>
#
# <details><summary>Hint: from 1 to 0, and no further</summary>
#
# `clamp(0, 1)` cuts a tensor off at both ends. The distance from the centre is `grid.norm(dim=0)`.
# </details>
#
# <details><summary>I get an error: “Boolean value of Tensor with more than one value is ambiguous”</summary>
#
# Python's own `min`, `max` and `if` compare single numbers. Use `clamp`, `torch.minimum` or `torch.where`.
# </details>


# %% id="disk-mask" grade="solution"
def disk_mask(grid: Tensor, kernel_size: int) -> Tensor:
    """Return the soft disk d at the positions of a grid [2, ...] between -1 and 1: [...]."""
    ## YOUR CODE STARTS HERE ##
    # STUB: mask = ...
    pixel = 2 / (kernel_size - 1)
    mask = (kernel_size / 2 - grid.norm(dim=0) / pixel).clamp(0, 1)
    ## AND ENDS HERE ##
    return filled_in("{{number disk}}", mask=mask)


# %% [markdown]
# **Try it.** Your disk for four kernel sizes. What should the corner pixels be? And the ones in the middle of each side?

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.7))
for axis, size in zip(axes, (3, 5, 7, 15), strict=True):
    axis.imshow(disk_mask(create_grid_R2(size), size), cmap="viridis", vmin=0, vmax=1)
    axis.set(title=f"$k$ = {size}", xticks=[], yticks=[], xlabel="$r_1$", ylabel="$r_0$")
fig.suptitle("The disk mask $d$ for several kernel sizes")
fig.tight_layout()
show(
    fig,
    "Four masks, of 3, 5, 7 and 15 pixels. Each is bright in a disk that touches the middle of every side "
    "and dark in the corners; on the rim of the disk the values lie in between.",
)

# %% id="disk-test" grade="tests" points=2 exercise="disk" answer="disk-mask"
with checking("{{number disk}}") as check:
    mask = disk_mask(create_grid_R2(5), 5)
    check.shape(
        "one number for every position", mask, (5, 5), "take the length over the first axis."
    )
    check.close("the centre is inside, d = 1", mask[2, 2], 1.0)
    check.close(
        "the middle of a side is inside, d = 0.5",
        mask[2, 4],
        0.5,
        "it is 2 pixels from the centre, and k / 2 is 2.5: measure |x| in pixels.",
    )
    check.close("a corner is outside, d = 0", mask[0, 0], 0.0, "negative values are cut off at 0.")
    check.close(
        "next to a corner, d = 2.5 − √5",
        mask[0, 1],
        2.5 - math.sqrt(5),
        "the distance is the square root of r0² + r1², in pixels.",
    )
    turned = CyclicGroup(8).left_action_on_R2(CyclicGroup(8).elements(), create_grid_R2(7))
    check.close(
        "the disk of a turned grid is the disk",
        disk_mask(turned, 7),
        disk_mask(create_grid_R2(7), 7).expand(8, 7, 7),
        "a rotation keeps distances from the centre: use them, and nothing else.",
    )
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "disk", globals())


def _disk(positions, size):
    """The formula, position by position."""
    rows = positions.reshape(2, -1).tolist()
    pixels = [[x * (size - 1) / 2 for x in row] for row in rows]
    values = [min(1.0, max(0.0, size / 2 - math.hypot(a, b))) for a, b in zip(*pixels, strict=True)]
    return torch.tensor(values, dtype=positions.dtype).reshape(positions.shape[1:])


def _line(size):
    """Positions from the centre to the right, and down to a corner: [2, 40]."""
    t = torch.linspace(0, 1, 20)
    return torch.cat([torch.stack([0 * t, t]), torch.stack([t, t])], dim=1)


@judge.property("1 inside, 0 outside, for several kernel sizes", points=0.5)
def _(lesson, given):
    for size in (3, 5, 9):
        grid = _line(size)
        expected = _disk(grid, size)
        sure = (expected == 0) | (expected == 1)
        got = given.tensor("the mask", lesson.disk_mask(grid, size))
        given.shape(f"the mask of [2, 40] positions, k = {size}", got, (40,))
        given.close(f"the mask well inside and outside, k = {size}", got[sure], expected[sure])


@judge.property("the edge falls over one pixel, as in the formula", points=1)
def _(lesson, given):
    for size in (3, 4, 5, 8):
        grid = _line(size)
        expected = _disk(grid, size)
        distance = grid.norm(dim=0)
        mistakes = {
            "|x| is measured from −1 to 1, not in pixels": (size / 2 - distance).clamp(0, 1),
            "the edge is hard": (expected > 0).float(),
            "the disk ends at the last pixel's centre": (
                (size - 1) / 2 - distance * (size - 1) / 2
            ).clamp(0, 1),
            "one pixel is 2 / (k − 1), not 2 / k": (size / 2 - distance * size / 2).clamp(0, 1),
        }
        given.close(f"the mask, k = {size}", lesson.disk_mask(grid, size), expected, mistakes)


@judge.property("for grids of any shape, turned ones and float64 too", points=0.5)
def _(lesson, given):
    for shape in ((2, 6), (2, 3, 4, 5)):
        grid = given.noise(*shape).double()
        got = lesson.disk_mask(grid, 6)
        given.close(f"the mask of {list(shape)} positions", got, _disk(grid, 6))


judge.score()
### END HIDDEN TESTS

# %% [markdown]
# From here on there are kernels with and without a disk. The mask is put on the *sampled* kernels, the same mask for every $h$:
# that is right because the disk does not turn.


# %% id="disk-kernels" grade="readonly"
class DiskLiftingKernel(InterpolativeLiftingKernel):
    """A lifting kernel on a disk."""

    def sample(self) -> Tensor:
        """Return the kernels d · k_h for all h, shape [C_out, |H|, C_in, k, k]."""
        return super().sample() * disk_mask(self.grid_R2, self.kernel_size)


class DiskGroupKernel(InterpolativeGroupKernel):
    """A group kernel on a disk."""

    def sample(self) -> Tensor:
        """Return the kernels d · k_h for all h, shape [C_out, |H|, C_in, |H|, k, k]."""
        return super().sample() * disk_mask(self.grid_R2, self.kernel_size)


# %% [markdown]
# What does the disk do to the energies {{eq energy}}? Once for random weights, and once for smooth ones, a wide bump near
# a corner.

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True)
bump = torch.exp(-(create_grid_R2(7) - 0.7).square().sum(dim=0) / 0.8)
for axis, name in zip(axes, ("random weights", "a smooth bump"), strict=True):
    for kind, colour, style in (
        (InterpolativeLiftingKernel, "blue", "--"),
        (DiskLiftingKernel, "orange", "-"),
    ):
        kernel = kind(CyclicGroup(16), 7, in_channels=8, out_channels=8)
        weight = noise(8, 8, 7, 7) if name == "random weights" else bump.expand(8, 8, 7, 7)
        kernel.weight.data.copy_(weight)
        text = "disk" if kind is DiskLiftingKernel else "square"
        line = {"marker": "o", "color": PALETTE[colour], "label": text}
        axis.plot([22.5 * h for h in range(16)], energies(kernel), style, **line)
    axis.set(title=name, xlabel="angle of $h$", xticks=range(0, 361, 90), ylim=(0, 1.25))
    axis.grid(color=PALETTE["line"], linewidth=0.5)
axes[0].set_ylabel("energy $E(h)$")
axes[1].legend()
fig.suptitle("Energy of the poses of 7 × 7 kernels, for $C_{16}$")
fig.tight_layout()
show(
    fig,
    "Energy over the angle, for kernels on a square and on a disk. For random weights both fall "
    "steeply between the quarter turns. For a smooth bump near a corner the disk's energy stays close to 1, "
    "and the square's falls clearly at 45°.",
)

# %% [markdown]
# ### 1.3 Measuring the equivariance error
#
# Energies say that the poses differ, not what that does to a layer. What we want to know is how far a layer $\Phi$ is from
# equivariance: for an element $g$, and with $\mathcal{L}_g$ acting on images and on lifted features,
#
# $$ \varepsilon(g) = \frac{\big\lVert d \cdot \big(\Phi(\mathcal{L}_g f) - \mathcal{L}_g\Phi(f)\big)\big\rVert}
#    {\big\lVert d \cdot \mathcal{L}_g\Phi(f)\big\rVert} . {{equation error}} $$
#
# Three things in it are easily forgotten:
#
# - it is **relative**: an error of 0.1 means nothing if the features are of size 0.01;
# - it looks **inside a disk** only, the mask $d$ of {{eq disk}} for the whole feature map: the corners of a turned image come from
#   outside the image, and no layer can know what was there;
# - $\mathcal{L}_g$ itself has to **interpolate** unless $g$ is a quarter turn. That costs something even for a perfect layer, so
#   we need to know how much.

# %% [markdown]
# $\mathcal{L}_g$ for whole batches. On lifted features it turns every slice and moves the slices on: the new slice $h$ is
# the old slice $g^{-1}h$, turned. `group_index` says where in `elements()` an element stands. Both work for any group.


# %% id="act" grade="readonly"
def group_index(group: GroupBase, h: Tensor) -> Tensor:
    """Return the places of elements h in `group.elements()`, whole numbers from 0."""
    place = (group.normalize_group_elements(h) + 1) / 2 * (group.order - 1)
    return place.round().long() % group.order


def act_on_images(group: GroupBase, g: Tensor, x: Tensor) -> Tensor:
    """Return L_g[x] for one element g and a batch of images or feature maps [B, C, X, X]."""
    grid = create_grid_R2(x.shape[-1], like=x)
    back = group.left_action_on_R2(group.inverse(g), grid)  # [2, X, X]
    return bilinear_interpolation(x, back[:, None].expand(-1, len(x), -1, -1))


def act_on_features(group: GroupBase, g: Tensor, x: Tensor) -> Tensor:
    """Return L_g[x] for one element g and lifted features [B, C, |H|, X, X]."""
    turned = act_on_images(group, g, x.flatten(1, 2)).view_as(x)
    source = group_index(group, group.product(group.inverse(g), group.elements()))  # of g⁻¹h
    return turned[:, :, source]


# %% [markdown] exercise="error" title="The equivariance error" minutes=12
# Complete `equivariance_error`, which computes {{eq error}}.
#
# - **Given:** `layer`, a function from images `[B, C, X, X]` to lifted features `[B, C', |H|, X', X']`; the `group`, one of its
#   elements `g`, and `images`.
# - **Wanted, first block:** `of_turned`, the layer applied to the turned images.
# - **Wanted, second block:** `turned`, the turned features: what `of_turned` would be if the layer were equivariant.
# - **Wanted, third block:** `error`, one number, shape `[]`. The norms are taken over all axes together, images and channels
#   included; `inside` is $d$, `[X', X']`.
#
# <details><summary>Hint: which action where?</summary>
#
# `act_on_images` takes what goes into the layer, `act_on_features` what comes out.
# </details>
#
# <details><summary>Hint: the norm</summary>
#
# `t.norm()` of a tensor is the square root of the sum of all its squares. Multiply by `inside` first: it broadcasts
# over the other axes.
# </details>
#
# <details><summary>I get an error: “shape '[…]' is invalid for input of size …”</summary>
#
# Images have four axes, lifted features five. One of the two actions was given the other's tensor.
# </details>


# %% id="equivariance-error" grade="solution"
def equivariance_error(layer, group: GroupBase, g: Tensor, images: Tensor) -> Tensor:
    """Return the relative equivariance error of a layer for one group element, shape [].

    layer: from images [B, C, X, X] to lifted features [B, C', |H|, X', X'].
    """
    ## YOUR CODE STARTS HERE ##
    # STUB: of_turned = ...
    of_turned = layer(act_on_images(group, g, images))
    ## AND ENDS HERE ##
    filled_in("{{number error}}", of_turned=of_turned)
    ## YOUR CODE STARTS HERE ##
    # STUB: turned = ...
    turned = act_on_features(group, g, layer(images))
    ## AND ENDS HERE ##
    filled_in("{{number error}}", turned=turned)
    size = turned.shape[-1]
    inside = disk_mask(create_grid_R2(size, like=turned), size)
    ## YOUR CODE STARTS HERE ##
    # STUB: error = ...
    error = ((of_turned - turned) * inside).norm() / (turned * inside).norm()
    ## AND ENDS HERE ##
    return filled_in("{{number error}}", error=error)


# %% id="error-test" grade="tests" points=3 exercise="error" answer="equivariance-error"
with checking("{{number error}}") as check:
    c4, images = CyclicGroup(4), noise(2, 3, 9, 9)
    layer = LiftingConvolution(c4, 3, 2, kernel_size=3)
    error = equivariance_error(layer, c4, c4.elements()[1], images)
    check.shape("one number", error, (), "the norms run over all axes: `.norm()` without `dim`.")
    check.close("a lifting convolution is equivariant to 90°", error, 0.0, "both sides must turn.")

    def reversed_layer(x):
        return layer(x).flip(2)

    error = equivariance_error(reversed_layer, c4, c4.elements()[1], images)
    check.true(
        "slices in the wrong order are noticed",
        error > 0.5,
        "the second block has to turn the features of the images as they are.",
        f"Expected a large error, got {error.item():.3f}.",
    )
    check.close(
        "the error is relative: features ten times as large do not change it",
        equivariance_error(lambda x: 10 * reversed_layer(x), c4, c4.elements()[1], images),
        error,
        "divide by the norm of the turned features.",
    )
    corners = 1 - disk_mask(create_grid_R2(7), 7).ceil()

    def spoilt_corners(x):
        features = layer(x)
        features[:, :, 0] += corners
        return features

    error = equivariance_error(spoilt_corners, c4, c4.elements()[1], images)
    check.close("what happens in the corners does not count", error, 0.0, "multiply by `inside`.")
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "error", globals())


def _scaled(order):
    """A layer that gives every slice a factor, and by how much that is wrong for a step of 1."""
    factors = torch.tensor([1.0 + 0.5 * h * h for h in range(order)])

    def layer(x):
        return torch.stack([factor * x for factor in factors], dim=2)

    return layer, ((factors - factors.roll(1)).norm() / factors.norm())


def _mixed(x):
    """A layer that is not equivariant at all: [B, C, X, X] → [B, C, 4, X, X]."""
    parts = [x, x.roll(1, dims=-1) + 0.5, 2 * x.flip(-1), x.roll(2, dims=-2).abs()]
    return torch.stack(parts, dim=2)


def _exactly(x, turns):
    """Both sides for a quarter turn of C₄, and the disk."""
    left = _mixed(torch.rot90(x, turns, (-2, -1)))
    right = torch.rot90(_mixed(x), turns, (-2, -1)).roll(turns, dims=2)
    axis = torch.arange(x.shape[-1]) - (x.shape[-1] - 1) / 2
    disk = (x.shape[-1] / 2 - (axis[:, None] ** 2 + axis**2).sqrt()).clamp(0, 1)
    return left, right, disk


@judge.property("0 for a layer that is equivariant, for quarter turns", points=0.5)
def _(lesson, given):
    for order, inputs in ((4, 2), (8, 1)):
        group = lesson.CyclicGroup(order)
        layer = lesson.LiftingConvolution(group, inputs, 2, 3)
        x = given.noise(2, inputs, 8, 8)
        for step in (order // 4, order // 2):
            error = lesson.equivariance_error(layer, group, group.elements()[step], x)
            given.close(
                f"the error for {360 * step // order}° in C_{order}", error, torch.tensor(0.0)
            )


@judge.property("the right number for a layer that is not, in groups of several orders", points=1)
def _(lesson, given):
    for order in (3, 4, 8):
        layer, expected = _scaled(order)
        group, x = lesson.CyclicGroup(order), given.noise(2, 2, 9, 9)
        error = lesson.equivariance_error(layer, group, group.elements()[1], x)
        mistakes = {"the error is squared": expected**2, "the layer is not used": torch.tensor(0.0)}
        given.close(f"the error for {360 // order}° in C_{order}", error, expected, mistakes)


@judge.property("both sides are turned by g, and norms run over all axes", points=1)
def _(lesson, given):
    for turns in (1, 3):
        x = given.noise(3, 2, 9, 9) * torch.tensor([1.0, 4.0, 0.2]).view(3, 1, 1, 1)
        left, right, disk = _exactly(x, turns)
        expected = ((left - right) * disk).norm() / (right * disk).norm()
        each = ((left - right) * disk).flatten(1).norm(dim=1) / (right * disk).flatten(1).norm(
            dim=1
        )
        mistakes = {
            "the norms are taken for each image on its own": each.mean(),
            "the corners count as well": (left - right).norm() / right.norm(),
            "it is not relative": ((left - right) * disk).norm(),
            "it is divided by the size of the wrong side": (
                ((left - right) * disk).norm() / (left * disk).norm()
            ),
        }
        group = lesson.CyclicGroup(4)
        error = lesson.equivariance_error(_mixed, group, group.elements()[turns], x)
        given.close(f"the error for {90 * turns}° in C₄", error, expected, mistakes)


@judge.property("the corners do not count", points=0.5)
def _(lesson, given):
    group, x = lesson.CyclicGroup(4), given.noise(2, 1, 11, 11)
    disk = _exactly(x, 1)[2]

    def spoilt(x):
        features = torch.stack([x] * 4, dim=2)
        features[:, :, 2] += 3 * (disk == 0)
        return features

    error = lesson.equivariance_error(spoilt, group, group.elements()[1], x)
    given.close("the error of a layer that is wrong in the corners only", error, torch.tensor(0.0))


judge.score()
### END HIDDEN TESTS

# %% [markdown]
# ### 1.4 What interpolation costs, and what is wrong
#
# Now use your measure on a lifting and a group convolution with random weights, for each of the 16 elements of $C_{16}$.
# To tell the causes of an error apart we need something to compare with:
#
# - a **floor**: ordinary convolutions with a kernel that is a round bump. In the plane such a layer commutes with *every* rotation. What
#   error is measured for it all the same comes from $\mathcal{L}_g$, which interpolates images;
# - a **mistake**: the right layers, but with the slices in reverse order, as if an inverse had been forgotten.
#
# The images are noise that has been smoothed a little.


# %%
def smooth_images(count: int, size: int, width: float) -> Tensor:
    """Return noise smoothed by a Gaussian of some pixels' width, with deviation 1: [N, 1, X, X]."""
    reach = int(4 * width)
    bell = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * width**2))
    images = noise(count, 1, size, size)
    images = F.conv2d(images, (bell / bell.sum()).view(1, 1, 1, -1), padding="same")
    images = F.conv2d(images, (bell / bell.sum()).view(1, 1, -1, 1), padding="same")
    return images / images.std()


def two_layers(order: int, kernel_size: int, on_disk: bool, seed: int = SEED):
    """Return a lifting and a group convolution with a ReLU between, and the group."""
    pl.seed_everything(seed, verbose=False)
    group = CyclicGroup(order)
    lifting = LiftingConvolution(group, 1, 4, kernel_size)
    conv = GroupConvolution(group, 4, 4, kernel_size)
    if on_disk:
        weights = lifting.kernel.weight, conv.kernel.weight
        lifting.kernel = DiskLiftingKernel(group, kernel_size, 1, 4)
        conv.kernel = DiskGroupKernel(group, kernel_size, 4, 4)
        lifting.kernel.weight, conv.kernel.weight = weights
    return (lambda x: conv(F.relu(lifting(x)))), group


def round_layers(order: int, kernel_size: int):
    """Return two convolutions with a round bump, the result repeated for every group element."""
    grid = create_grid_R2(kernel_size)
    bump = torch.exp(-4 * grid.square().sum(dim=0)) * disk_mask(grid, kernel_size)

    def layer(x):
        x = F.conv2d(F.relu(F.conv2d(x, bump[None, None])), bump[None, None])
        return x[:, :, None].expand(-1, -1, order, -1, -1)

    return layer, CyclicGroup(order)


# %% [markdown] exercise="q-predict" title="Predict, then explain" minutes=10
# **Before** you run the next cell, write down what you expect of the four curves: (a) Where are they zero, and which of them?
# (b) In which order do they lie between the quarter turns? (c) How does the curve of the mistake differ from one that comes from
# interpolation?
#
# Then run it, and say what you got right, what you did not, and why it is so. How would you tell in practice whether a layer that is
# off by 0.3 at 45° is wrong or only interpolates?

# %% [markdown] id="q-predict" grade="answer" points=3 exercise="q-predict"
# (a) At 0° nothing happens, so every error is zero. At 90°, 180° and 270° all right layers have an error of zero as well, up to
# rounding: quarter turns map the grid of the image and that of the kernel to themselves. The mistake is visible there:
# its error is large at 90° and 270°.
#
# (b) The floor lies lowest: it only contains the interpolation of images. The layers with sampled kernels lie
# above it, because their kernels are interpolated too, and random weights are anything but smooth. The square kernel lies
# above the disk, because it loses its corners on top of that.
#
# (c) Interpolation errors vanish at the quarter turns, and become smaller for smoother images and smoother weights, or for larger kernels
# on a disk. A mistake does neither. So in practice: test quarter turns, where nothing may be off; compare with the floor; repeat the
# measurement with smoother images and a larger disk. (The error of the reversed slices is small at 180°: reversing maps
# a half turn to itself. One angle is not enough for a test.)
#
# === BEGIN MARK SCHEME ===
# - 1 point: zero at the quarter turns for the right layers (the grid is mapped to itself), but not for the mistake.
# - 1 point: the order floor < disk < square with reasons: images interpolated / kernels interpolated / corners lost.
# - 1 point: a way to tell: quarter turns must be exact; interpolation errors fall with smoother images or weights, or larger disks.
# A wrong prediction costs nothing if the explanation afterwards is right.
# === END MARK SCHEME ===

# %%
images = smooth_images(4, 33, width=2.0)
if FAST_RUN:
    images = images[:1, :, :17, :17].contiguous()
right, group = two_layers(16, 5, on_disk=False)
layers = {
    "reversed slices": lambda x: right(x)[:, :, [-h % 16 for h in range(16)]],
    "square kernels": right,
    "disk kernels": two_layers(16, 5, on_disk=True)[0],
    "floor: round bumps": round_layers(16, 5)[0],
}
with torch.no_grad():
    curves = {
        name: [equivariance_error(layer, group, g, images).item() for g in group.elements()]
        for name, layer in layers.items()
    }

fig, axis = plt.subplots(figsize=(9, 3.6))
styles = (("plum", ":", "x"), ("blue", "--", "s"), ("orange", "-", "o"), ("green", "-", "^"))
for (name, errors), (colour, style, marker) in zip(curves.items(), styles, strict=True):
    line = {"color": PALETTE[colour], "ls": style, "marker": marker, "label": name}
    axis.plot([22.5 * h for h in range(16)], errors, **line)
axis.set(xlabel="angle of $g$", ylabel="equivariance error", xticks=range(0, 361, 45))
axis.set_title("Equivariance error of two layers for the elements of $C_{16}$, kernels 5 × 5")
axis.grid(color=PALETTE["line"], linewidth=0.5)
axis.legend(fontsize=9)
fig.tight_layout()
largest = ", ".join(f"{name} {max(errors):.2f}" for name, errors in curves.items())
show(
    fig,
    "Equivariance error over the 16 angles. The three right layers are at zero at the quarter turns and have "
    f"arches between; the reversed slices are far off also at 90° and 270°. Largest errors: {largest}.",
)

# %% [markdown]
# **Orders and sizes.** The largest error over the group's elements, for several orders and kernel sizes. Random weights differ, so each
# point is a mean over several seeds, and a bar shows their standard deviation. What do you expect to come of a larger kernel, on a square
# and on a disk?

# %%
orders, sizes, seeds = (4, 8, 16), (3, 5, 7, 9), range(SEED, SEED + 5)
if FAST_RUN:
    sizes, seeds = (3, 5), range(SEED, SEED + 2)
largest = {}
with torch.no_grad():
    for order, size, on_disk in itertools.product(orders, sizes, (False, True)):
        errors = []
        for seed in seeds:
            layer, group = two_layers(order, size, on_disk, seed)
            # Up to 45°; the other elements mirror or repeat these. For C₄ that leaves 90°.
            some = group.elements()[1 : max(order // 8, 1) + 1]
            errors.append(max(equivariance_error(layer, group, g, images) for g in some))
        largest[order, size, on_disk] = torch.stack(errors)
    for size in sizes:
        layer, group = round_layers(8, size)
        largest["floor", size] = equivariance_error(layer, group, group.elements()[1], images)

# %%
fig, axis = plt.subplots(figsize=(9, 3.8))
colours = {4: "slate", 8: "blue", 16: "orange"}
for (order, colour), on_disk in itertools.product(colours.items(), (False, True)):
    values = torch.stack([largest[order, size, on_disk] for size in sizes])  # [sizes, seeds]
    style = {"ls": "-" if on_disk else "--", "marker": "o" if on_disk else "s", "capsize": 3}
    text = f"$C_{{{order}}}$, {'disk' if on_disk else 'square'}"
    places = [size + 0.05 * (order // 8) for size in sizes]
    bars = values.std(dim=1)
    axis.errorbar(places, values.mean(dim=1), bars, color=PALETTE[colour], label=text, **style)
floor = [largest["floor", size] for size in sizes]
axis.plot(sizes, floor, color=PALETTE["green"], ls=":", marker="^", label="floor")
axis.set(
    xlabel="kernel size $k$", ylabel="largest equivariance error", xticks=sizes, ylim=(-0.03, 1.2)
)
axis.set_title("Largest equivariance error over the group, by order and kernel size")
axis.grid(color=PALETTE["line"], linewidth=0.5)
axis.legend(fontsize=9, ncols=4, loc="upper right")
fig.tight_layout()
numbers = ", ".join(
    f"C{order} with k = {size}: {largest[order, size, False].mean():.2f} on a square, "
    f"{largest[order, size, True].mean():.2f} on a disk"
    for order, size in itertools.product((8, 16), (sizes[0], sizes[-1]))
)
show(
    fig,
    "Largest error over the kernel size, for three orders, with and without a disk. C4 stays at zero; on squares "
    f"the error does not fall as kernels grow, on disks it does; the floor lies far below both. {numbers}.",
)

# %% [markdown]
# On a square a larger kernel does not help, for its corners grow along with it. On a disk it does. A 3 × 3 kernel is too small for a
# disk to be of use: hardly more than its centre is left. And the order matters less than the kernel.
#
# What remains on a disk is still far above the floor. It is the interpolation of *weights* that costs most. Lesson 1's better
# recipe avoided it with kernels that are sums of smooth bumps; kernels that are functions on the whole plane go one step further.
