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
    pixels = [[x * (size - 1) / 2 for x in row] for row in positions.flatten(1).tolist()]
    values = [min(1.0, max(0.0, size / 2 - math.hypot(a, b))) for a, b in zip(*pixels, strict=True)]
    return torch.tensor(values).reshape(positions.shape[1:])


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
    for shape in ((2,), (2, 6), (2, 3, 4, 5)):
        grid = given.noise(*shape).double()
        got = lesson.disk_mask(grid, 6)
        given.close(f"the mask of {list(shape)} positions", got, _disk(grid, 6))


judge.score()
### END HIDDEN TESTS
