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
# # Lesson 4 · Scale, continuous kernels, steerable kernels
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# So far the group was finite and kept areas as they are. In this lesson both are given up, one after the other:
#
# 1. **Scale.** A group that has no end, and that changes areas: the factor $1/\lvert h\rvert$ is needed at last.
# 2. **Continuous kernels.** Functions in place of grids of weights, for all rotations there are.
# 3. **Steerable kernels.** The same functions, used so that no pose has to be sampled any more.
#
# ![Turning a kernel of frequency 2 by 20° is the same as multiplying it by a number of length 1: its real part becomes a mixture of the real and the imaginary part.](picture:steering)
#
# *Edition {{edition}}*

# %% id="setup" from="01_regular_group_convolutions" cells="setup group-base cyclic-group interpolate act-on-image lifting-kernel-base lifting-kernel lifting-convolution interpolate-on-group group-kernel-base group-kernel group-convolution network cnn load-digits rotate-each rotated-mnist image-classifier models train-model over-angles"

# %% [markdown]
# The folded cell holds lesson 1: run it first. What you need to remember of it is one formula. The kernel for a group element $h$ is
#
# $$ k_h(x, \tilde h) = \frac{1}{|h|}\, k(h^{-1} x,\, h^{-1}\tilde h) , {{equation group-kernel}} $$
#
# and a lifting kernel is the same without $\tilde h$. For rotations $|h|$ was 1.
#
# <details><summary>How this lesson works, and how long it takes</summary>
#
# There are {{n_exercises}} exercises with {{n_blocks}} blocks, {{exercise_points}} points, and {{n_questions}} written questions,
# {{question_points}} points: about {{total_minutes}} minutes ({{minutes_by_chapter}}), and twenty for reading and looking.
#
# | from lesson 1 | what it does |
# |---|---|
# | `GroupBase`, `CyclicGroup(order)` | what a layer may ask a group for; $C_n$ |
# | `create_grid_R2(size)` | positions $(r_0, r_1)$ between −1 and 1, `[2, size, size]` |
# | `bilinear_interpolation(signal, grid)` | a signal `[N, C, X, Y]` at points `[2, N, X, Y]`, zero outside |
# | `group.left_action_on_R2(h, x)` | points $hx$: `[2, N, …]` for $N$ elements |
# </details>

# %% [markdown]
# ## 1 Scale: where the determinant matters
#
# ### 1.1 The group of dilations
#
# A thing that comes nearer looks larger. Can a layer be equivariant to that as well? The transformation is a **dilation**,
# $x \mapsto h x$ with a number $h > 0$, its *scale*. Dilations are a group: two of them after each other multiply their scales, and
# $1/h$ undoes $h$.
#
# Two things are new. First, this group does not end: there is always a larger scale. A program can hold only some of them, so we
# take $n$ scales and stop,
#
# $$ H_n = \{1,\; s,\; s^2,\; \dots,\; s^{n-1}\} , {{equation scales}} $$
#
# with a fixed step $s > 1$. This is a **truncated** group. It is not closed: the product $s^{n-1} \cdot s$ lies outside of it, and
# so does the inverse of $s$.
#
# Second, a dilation changes areas. By how much says its **determinant** $|h|$, that of the matrix by which it acts on the plane (not
# the absolute value of the number $h$).

# %% [markdown] exercise="dilation" title="The dilations" minutes=5
# Complete `DilationGroup`. Elements are scales $h$, numbers greater than 0, in tensors of any shape.
#
# - **First block:** `product`, the scale of $h \cdot h'$; the shapes broadcast. It may lie outside the $n$ scales.
# - **Second block:** `inverse`, the scale that undoes $h$, same shape as `h`.
# - **Third block:** `representation`, for each scale the matrix that takes a point $(r_0, r_1)$ to $(h r_0, h r_1)$: shape `[..., 2, 2]`.
# - **Fourth block:** `determinant`, the factor by which $h$ changes areas *in the plane*, same shape as `h`.
#
# <details><summary>Hint: a matrix for each of many scales</summary>
#
# `torch.eye(2)` is the identity matrix. `h[..., None, None]` has two axes more than `h`, so that the two broadcast.
# </details>
#
# <details><summary>Hint: the determinant</summary>
#
# Draw a square of side 1 and enlarge it by 3. How many of the small squares fit into the large one?
# </details>
#
# <details><summary>I get an error: “only one element tensors can be converted to Python scalars”</summary>
#
# `torch.tensor([[h, 0], [0, h]])` expects numbers, but `h` holds many scales. Multiply the identity matrix by `h[..., None, None]`.
# </details>


# %% id="dilation-group" grade="solution"
class DilationGroup(GroupBase):
    """Dilations of the plane by the scales 1, s, …, s^(n-1); elements are the scales.

    Args:
        order: the number of scales n, at least 1.
        step: the ratio s of neighbouring scales, greater than 1.
    """

    def __init__(self, order: int, step: float = math.sqrt(2)):
        super().__init__(dimension=1, identity=[1.0])
        self.order, self.step = order, step

    def elements(self) -> Tensor:
        return self.step ** torch.arange(self.order).to(self.identity)

    def product(self, h: Tensor, h_prime: Tensor) -> Tensor:
        ## YOUR CODE STARTS HERE ##
        # STUB: product = ...
        product = h * h_prime
        ## AND ENDS HERE ##
        return product

    def inverse(self, h: Tensor) -> Tensor:
        ## YOUR CODE STARTS HERE ##
        # STUB: inverse = ...
        inverse = 1 / h
        ## AND ENDS HERE ##
        return inverse

    def matrix_representation(self, h: Tensor) -> Tensor:
        ## YOUR CODE STARTS HERE ##
        # STUB: representation = ...
        representation = h[..., None, None] * torch.eye(2, dtype=h.dtype, device=h.device)
        ## AND ENDS HERE ##
        return representation

    def determinant(self, h: Tensor) -> Tensor:
        ## YOUR CODE STARTS HERE ##
        # STUB: determinant = ...
        determinant = h**2
        ## AND ENDS HERE ##
        return determinant

    left_action_on_R2 = CyclicGroup.left_action_on_R2  # by the matrices, whatever they are

    def steps(self, h: Tensor) -> Tensor:
        """Return how many steps s lead from 1 to h, whole numbers (0 for 1, −1 for 1/s): [...]."""
        return torch.round(torch.log(h) / math.log(self.step)).long()

    def normalize_group_elements(self, h: Tensor) -> Tensor:
        return 2 * self.steps(h) / max(self.order - 1, 1) - 1  # beyond ±1 for scales outside


# %% id="dilation-test" grade="tests" points=4 exercise="dilation" answer="dilation-group" tags=["hide-input"]
# @title Check: the dilations
with checking("{{number dilation}}") as check:
    group = DilationGroup(order=3, step=2.0)
    h = group.elements()
    check.close("2 · 4 = 8, a scale outside the truncated group", group.product(h[1], h[2]), 8.0)
    check.close(
        "a scale and its inverse make 1",
        group.product(h, group.inverse(h)),
        torch.ones(3),
        "h⁻¹ is 1/h: an object twice as large becomes as it was when it is halved.",
    )
    check.shape("one matrix for each scale", group.matrix_representation(h), (3, 2, 2))
    check.close(
        "the matrix of the scale 4",
        group.matrix_representation(h[2]),
        torch.tensor([[4.0, 0.0], [0.0, 4.0]]),
        "both coordinates are multiplied, and neither goes into the other.",
    )
    check.close(
        "the scale 2 makes areas 4 times as large, the scale 3 nine times",
        group.determinant(torch.tensor([2.0, 3.0])),
        torch.tensor([4.0, 9.0]),
        "a square twice as wide is twice as high, too.",
    )
    results = group.product(h, h), group.inverse(h), group.determinant(h)
    check.true("float64 stays", all(result.dtype == torch.float64 for result in results))
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "dilation", globals())


def _some_scales(given, step, *shape):
    """Powers of the step, from s⁻⁴ to s⁴."""
    return step ** (1.5 * given.noise(*shape, 1)[..., 0]).clamp(-4, 4).round()


@judge.property("scales are multiplied, and the shapes broadcast", points=0.5)
def _(lesson, given):
    group = lesson.DilationGroup(3, 1.4)
    for shapes in (((6,), (6,)), ((5, 1), (1, 7)), ((), (4,))):
        a, b = (_some_scales(given, 1.4, *shape) for shape in shapes)
        expected, mistakes = a * b, {"scales were added; they have to be multiplied": a + b}
        given.close("h · h'", group.product(a, b), expected, mistakes)
        given.of_type("h · h' in float64", group.product(a.double(), b.double()), torch.float64)


@judge.property("the inverse divides by the scale, and leaves it as it is", points=0.5)
def _(lesson, given):
    group = lesson.DilationGroup(4, 1.5)
    for h in (group.elements(), _some_scales(given, 1.5, 2, 3)):
        h = h.clone()
        before = h.clone()
        expected = 1 / before
        mistakes = {"h is returned as it is": before, "−h was returned, which is no scale": -before}
        given.close("h⁻¹", group.inverse(h), expected, mistakes)
        given.close("h, after the call", h, before)
        given.of_type("h⁻¹ in float64", group.inverse(h.double()), torch.float64)


@judge.property("a matrix for each scale, for tensors of any shape", points=1)
def _(lesson, given):
    for shape in ((), (5,), (2, 3)):
        h = _some_scales(given, 1.5, *shape).double()
        expected = torch.zeros(*shape, 2, 2, dtype=h.dtype)
        for axis in (0, 1):
            expected[..., axis, axis] = h
        filled = h[..., None, None].expand(*shape, 2, 2)
        mistakes = {"off the diagonal there have to be zeros": filled}
        got = lesson.DilationGroup(3, 1.5).double().matrix_representation(h)
        given.close(f"the matrices of {list(shape)} scales", got, expected, mistakes)
        given.of_type("the matrices in float64", got, torch.float64)


@judge.property("the determinant is the factor of areas", points=1.5)
def _(lesson, given):
    for order, step in ((3, 2.0), (5, 1.3)):
        group = lesson.DilationGroup(order, step)
        h = torch.tensor([step**index for index in range(order)])
        expected = h * h
        mistakes = {
            "h is the factor of lengths only; both sides of an area grow": h.clone(),
            "1 was returned, but dilations change areas": torch.ones(order),
            "h³ is the factor of volumes in space; areas in the plane are wanted": h * h * h,
            "1 / |h| was returned; |h| itself is wanted": 1 / expected,
        }
        given.close("|h|", group.determinant(h), expected, mistakes)


@judge.property("so it is for tensors of any shape and for scales below 1", points=0.5)
def _(lesson, given):
    for shape in ((), (2, 3)):
        h = _some_scales(given, 1.5, *shape).double()
        expected = h * h
        got = lesson.DilationGroup(3, 1.5).double().determinant(h)
        given.close(f"|h| of {list(shape)} scales", got, expected)
        given.of_type("|h| in float64", got, torch.float64)


judge.score()
### END HIDDEN TESTS

# %% [markdown]
# ### 1.2 The kernel, and why it is divided by $|h|$
#
# The kernels of a lifting layer are enlarged copies of one set of weights,
#
# $$ k_h(x) = \frac{1}{|h|}\, k(h^{-1} x) . {{equation dilated}} $$
#
# Why the factor? Let the image be enlarged by $h$ as well, and ask what the enlarged kernel answers at the corresponding place. We
# substitute $\tilde x = h y$, and here an area element becomes $\mathrm{d}\tilde x = |h|\,\mathrm{d}y$:
#
# $$ \int \frac{1}{|h|}\, k(h^{-1}\tilde x)\, f(h^{-1}\tilde x)\, \mathrm{d}\tilde x
#    = \int \frac{|h|}{|h|}\, k(y)\, f(y)\, \mathrm{d}y = \int k(y)\, f(y)\, \mathrm{d}y . {{equation same-response}} $$
#
# So a feature gives the same response at every size, each in the slice that belongs to it. Without the factor the response would
# grow with the area.

# %% [markdown]
# An enlarged kernel covers more pixels than its weights: with $3 \times 3$ weights and the scale 2 it is $7 \times 7$. The grid must be
# large enough for the largest scale, and the smaller ones are surrounded by zeros. `DilatedKernelBase` takes care of it. Its `grid_R2`
# is measured so that the *weights* reach from −1 to 1.
#
# | in the formula | in the code | shape |
# |---|---|---|
# | $k$, weights of $k \times k$ pixels | `weight`, `weight_size` | `[C_out, C_in, k, k]` |
# | positions $x$ on the large grid | `grid_R2`, `kernel_size` $= K$ | `[2, K, K]` |
# | $h^{-1}x$ for all $h$ | `positions` | `[2, \|H\|, K, K]` |
# | $k_h$ | `kernels` | `[C_out, \|H\|, C_in, K, K]` |


# %% id="dilated-kernel-base" grade="readonly"
import itertools


class DilatedKernelBase(nn.Module):
    """A grid large enough for kernels of weight_size × weight_size pixels at every scale.

    Buffers: grid_R2 [2, K, K] with K = kernel_size; the weights reach from -1 to 1.
    """

    def __init__(self, group: GroupBase, weight_size: int, in_channels: int, out_channels: int):
        super().__init__()
        self.group, self.weight_size = group, weight_size
        self.in_channels, self.out_channels = in_channels, out_channels
        # A pixel of the weights reaches to its neighbours, so all reach (weight_size + 1) / 2 far.
        edge = group.elements().max().item() * (weight_size + 1) / 2
        self.reach = math.ceil(edge - 1e-4) - 1  # the last pixel inside; 1e-4 is for rounding
        self.kernel_size = 2 * self.reach + 1
        grid = create_grid_R2(self.kernel_size) * (2 * self.reach / (weight_size - 1))
        # Not persistent: weights can be loaded into a kernel that has other scales.
        self.register_buffer("grid_R2", grid, persistent=False)


# %% [markdown] exercise="dilation-kernel" title="The dilated kernel" minutes=8
# Complete `DilatedLiftingKernel.sample`.
#
# - **Given:** `self.group`, and `self.grid_R2`, positions $x$ of shape `[2, K, K]`.
# - **Wanted, first block:** `positions`, where to look the weights up for every scale $h$ of the group: `[2, |H|, K, K]`. They are sampled
#   there for you, which gives `dilated`, the kernels $k(h^{-1}x)$, `[C_out, |H|, C_in, K, K]`. Outside the weights this is zero.
# - **Wanted, second block:** `kernels`, the same with the factor of {{eq dilated}}.
#
# <details><summary>Hint: the positions</summary>
#
# It is lesson 1's lifting grid again: `self.group.left_action_on_R2` for the inverses of all elements.
# </details>
#
# <details><summary>Hint: dividing along the right axis</summary>
#
# The group axis is the second of five. `view(-1, 1, 1, 1)` gives a vector three axes more, so that it broadcasts along it.
# </details>
#
# <details><summary>I get an error: “The size of tensor a (…) must match the size of tensor b (…)”</summary>
#
# The determinants, shape `[|H|]`, are matched with the *last* axis of `dilated`. They belong to its second: add axes of size 1 behind them.
# </details>


# %% id="dilated-lifting-kernel" grade="solution"
class DilatedLiftingKernel(DilatedKernelBase):
    """A lifting kernel for dilations; its weights are interpolated when they are enlarged."""

    def __init__(self, group: GroupBase, weight_size: int, in_channels: int, out_channels: int):
        super().__init__(group, weight_size, in_channels, out_channels)
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, weight_size, weight_size))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def sample(self) -> Tensor:
        """Return the kernels k_h(x) = 1/|h| k(h⁻¹x), shape [C_out, |H|, C_in, K, K]."""
        elements = self.group.elements()
        ## YOUR CODE STARTS HERE ##
        # STUB: positions = ...
        positions = self.group.left_action_on_R2(self.group.inverse(elements), self.grid_R2)
        ## AND ENDS HERE ##
        signal = self.weight.flatten(0, 1).expand(len(elements), -1, -1, -1)
        dilated = bilinear_interpolation(signal, positions)  # [|H|, C_out · C_in, K, K]
        dilated = dilated.unflatten(1, self.weight.shape[:2]).transpose(0, 1)
        ## YOUR CODE STARTS HERE ##
        # STUB: kernels = ...
        kernels = dilated / self.group.determinant(elements).view(-1, 1, 1, 1)
        ## AND ENDS HERE ##
        return kernels.to(self.weight)


# %% id="dilation-kernel-test" grade="tests" points=3 exercise="dilation-kernel" answer="dilated-lifting-kernel" tags=["hide-input"]
# @title Check: the dilated kernel
with checking("{{number dilation-kernel}}", needs="{{number dilation}}") as check:
    kernel = DilatedLiftingKernel(DilationGroup(2, 2.0), 3, in_channels=2, out_channels=3)
    kernels = kernel.sample()
    check.shape("the shape is [C_out, |H|, C_in, K, K]", kernels, (3, 2, 2, 7, 7))
    check.close(
        "at scale 1 it is the weight, with zeros around it",
        kernels[:, 0],
        F.pad(kernel.weight, (2, 2, 2, 2)),
        "for h = 1 the positions are the grid itself.",
    )
    middle = kernels[:, 1, :, 1::2, 1::2]
    ratio = (middle.norm() / kernel.weight.norm()).item()
    check.close(
        "at scale 2 every second pixel holds a weight, up to a factor",
        middle / ratio,
        kernel.weight,
        "at x it has the weight of h⁻¹x, which lies nearer to the centre: use the inverse.",
    )
    check.close(
        "at scale 2 the sum is what it is at scale 1",
        kernels[:, 1].sum(dim=(-2, -1)),
        kernels[:, 0].sum(dim=(-2, -1)),
        f"divide by |h|. Values are {ratio:.3g} times the weights and should be a quarter.",
    )
    other = DilatedLiftingKernel(DilationGroup(2, 1.5), 3, in_channels=2, out_channels=3)
    middle = other.kernel_size // 2
    check.close(
        "at scale 1.5, one pixel to the right, it looks two thirds of a pixel to the right",
        other.sample()[:, 1, :, middle, middle + 1],
        (other.weight[:, :, 1, 1] + 2 * other.weight[:, :, 1, 2]) / 3 / 2.25,
        "the step is hard-coded.",
    )
    check.learns("the weight learns", kernels, kernel.weight)
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "dilation-kernel", globals())


def _dilated_kernel(lesson, given, order, step, size, inputs, outputs):
    """A kernel with new weights; what it gives, and what k(h⁻¹x) is for its scales."""
    kernel = lesson.DilatedLiftingKernel(lesson.DilationGroup(order, step), size, inputs, outputs)
    weight = given.randomize(kernel)
    scales = [step**index for index in range(order)]
    large = 2 * (math.ceil(scales[-1] * (size + 1) / 2 - 1e-4) - 1) + 1
    got = given.kernels(kernel.sample(), outputs, order, inputs, large, large)
    right = torch.stack([given.dilation.enlarged(weight, h, large) for h in scales], dim=1)
    return got, right, torch.tensor(scales).view(-1, 1, 1, 1)


@judge.property("at scale 1 it is the weight, in a frame of zeros", points=0.5)
def _(lesson, given):
    for order, step, size, inputs, outputs in ((2, 2.0, 3, 2, 3), (3, 1.4, 5, 3, 1)):
        got, right, _ = _dilated_kernel(lesson, given, order, step, size, inputs, outputs)
        given.close("k_h for h = 1", got[:, 0], right[:, 0])
    kernel = lesson.DilatedLiftingKernel(lesson.DilationGroup(2, 2.0), 3, 2, 3).double()
    given.of_type("k_h in float64", kernel.sample(), torch.float64)


# Any factor in front of each: it is judged below.
@judge.property("at every scale it is an enlarged copy of the weight", points=1, essential=True)
def _(lesson, given):
    for order, step in ((2, 2.0), (3, 1.5)):
        got, right, _ = _dilated_kernel(lesson, given, order, step, 3, 2, 3)
        given.varies("the kernels of several channels", got.flatten(0, 2))
        axes = (0, 2, 3, 4)
        factor = (got * right).sum(axes, keepdim=True) / right.square().sum(axes, keepdim=True)
        given.close("k_h, up to a factor for each h", got / factor, right)
    kernel = lesson.DilatedLiftingKernel(lesson.DilationGroup(3, 1.5), 3, 2, 3)
    again = kernel.sample()
    given.as_used("k_h", kernel.sample, lambda: again, modules=[kernel])


@judge.property("it is divided by |h| = h²", points=1)
def _(lesson, given):
    for order, step in ((3, 2.0), (3, 1.5)):
        got, right, h = _dilated_kernel(lesson, given, order, step, 3, 2, 3)
        mistakes = {
            "the factor 1/|h| is missing": right,
            "it is multiplied by |h|": right * h**2,
            "it is divided by h, not by |h|": right / h,
            "it is divided twice": right / h**4,
            "all scales have the same factor": right / h[-1] ** 2,
        }
        given.close("k_h", got, right / h**2, mistakes)


@judge.property("every weight has an influence and learns", points=0.5, essential=True)
def _(lesson, given):
    kernel = lesson.DilatedLiftingKernel(lesson.DilationGroup(2, 2.0), 3, 2, 3)
    given.influence(kernel.sample, kernel.weight)


judge.score()
### END HIDDEN TESTS

# %% [markdown]
# The layer is lesson 1's lifting convolution, with as much padding as the largest kernel needs.


# %% id="dilated-lifting" grade="readonly"
class DilatedLifting(nn.Module):
    """Lifting convolution for dilations: [B, C_in, X, Y] → [B, C_out, |H|, X, Y]."""

    def __init__(self, group: GroupBase, in_channels: int, out_channels: int, weight_size: int):
        super().__init__()
        self.kernel = DilatedLiftingKernel(group, weight_size, in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        kernels = self.kernel.sample()  # [C_out, |H|, C_in, K, K]
        x = F.conv2d(x, kernels.flatten(0, 1), padding=self.kernel.reach)
        return x.unflatten(1, kernels.shape[:2])


# %% [markdown]
# **The same response at every size.** A pattern that is given by a formula can be drawn at any size without interpolating anything.
# `draw_pattern` draws it, and we ask the lifting layer for its response in the middle, in the slice that belongs to the size: once as it
# is, and once without the factor. **Predict:** by how much has the second one grown at $h = 4$?


# %%
def draw_pattern(scale: float, size: int = 65) -> Tensor:
    """Return two blobs of different sign and width, enlarged by a scale: [1, 1, size, size]."""
    x = (torch.arange(size) - size // 2) / scale
    down, across = x[:, None], x[None, :]
    first = torch.exp(-((down - 1) ** 2 + across**2) / 8)
    second = torch.exp(-((down + 2) ** 2 + (across - 2) ** 2) / 18)
    return (first - 0.6 * second)[None, None]


# %%
pl.seed_everything(SEED, verbose=False)
group = DilationGroup(order=7, step=2 ** (1 / 3))  # 1, 1.26, 1.59, 2, …, 4
layer, scales = DilatedLifting(group, 1, 8, weight_size=5), group.elements()
with torch.no_grad():
    maps = [layer(draw_pattern(h.item()))[0] for h in scales]  # [C, |H|, X, Y] for each size
responses = torch.stack([each[:, index, 32, 32] for index, each in enumerate(maps)])
sizes = responses.norm(dim=1) / responses[0].norm()
print("scale h    ", *(f"{h:6.2f}" for h in scales))
print("with 1/|h| ", *(f"{size:6.2f}" for size in sizes))
print("without    ", *(f"{size:6.2f}" for size in sizes * group.determinant(scales)))

# %% [markdown]
# With the factor the response stays within about 5 %. It does not quite return to 1, not even at the whole scales 2 and 4:
# interpolation blurs an enlarged kernel, and leaves that of scale 1 as it is.
#
# ### 1.3 The group axis has ends
#
# After lifting, features are functions of position and scale. A group kernel looks at neighbouring scales as well: at
# $h^{-1}\tilde h = 1, s, s^2, \dots$, that is at its own scale and larger ones. We give it weights for the first $S$ of these only, as
# Worrall and Welling (2019) and Sosnovik, Szmaja and Smeulders (2020) recommend; below you see why. So, with the weights
# $k_0, \dots, k_{S-1}$ of a kernel,
#
# $$ k_h(x, \tilde h) = \begin{cases} \frac{1}{|h|}\, k_m(h^{-1} x) & \text{if } h^{-1}\tilde h = s^m \text{ with } 0 \le m < S , \cr
#    0 & \text{otherwise.} \end{cases} {{equation dilated-group}} $$
#
# This is a *shift* along the group axis, as for rotations, but **with zeros moved in**: there is no first scale after the last one.

# %% [markdown] exercise="dilation-shift" title="A shift with ends" minutes=8
# Complete `DilatedGroupKernel`. It is a lifting kernel with $C_\text{in} \cdot S$ input channels, whose kernels are put at the right places
# along the group axis.
#
# - **Wanted, first block:** `steps`, whole numbers `[|H|, |H|]`: in row $h$ and column $\tilde h$ the number $m$ of steps in
#   $h^{-1} \cdot \tilde h = s^m$. It may be negative. `self.group.steps` counts the steps of a scale.
# - **Given:** `dilated`, your kernels $\frac{1}{|h|} k_m(h^{-1}x)$ of shape `[C_out, |H|, C_in, S, K, K]`, with $m$ along the fourth axis.
# - **Wanted, second block:** `kernels`, shape `[C_out, |H|, C_in, |H|, K, K]`: for each pair $(h, \tilde h)$ the kernel with the number
#   `self.steps[h, h̃]`, and zeros where there is none.
#
# <details><summary>Hint: begin with zeros</summary>
#
# `dilated.new_zeros(…)` makes zeros of any shape. Then go through all pairs of numbers from 0 to $|H| - 1$ and fill in those with
# $0 \le m < S$. Two loops are fine, or one over `itertools.product`.
# </details>
#
# <details><summary>I get an error: “index … is out of bounds for dimension …”</summary>
#
# Some steps are larger than $S - 1$: those places stay zero. (A negative number gives no error in Python, it counts from the end, and
# wraps round what has ends.)
# </details>


# %% id="dilated-group-kernel" grade="solution"
class DilatedGroupKernel(DilatedLiftingKernel):
    """A kernel on positions and scales; it looks at its own and the next larger scales.

    Args:
        group, weight_size, in_channels, out_channels: as for the lifting kernel.
        scales: the number S of scales that it has weights for.
    """

    def __init__(self, group, weight_size: int, in_channels: int, out_channels: int, scales=1):
        super().__init__(group, weight_size, in_channels * scales, out_channels)
        self.in_channels, self.scales = in_channels, scales
        self.register_buffer("steps", self.create_steps(), persistent=False)

    def create_steps(self) -> Tensor:
        """Return the number of steps in h⁻¹ · h̃ for all h and h̃, shape [|H|, |H|]."""
        elements = self.group.elements()
        ## YOUR CODE STARTS HERE ##
        # STUB: steps = ...
        steps = self.group.steps(
            self.group.product(self.group.inverse(elements)[:, None], elements[None, :])
        )
        ## AND ENDS HERE ##
        return steps

    def sample(self) -> Tensor:
        """Return the kernels k_h(x, h̃), shape [C_out, |H|, C_in, |H|, K, K]."""
        dilated = super().sample().unflatten(2, (self.in_channels, self.scales))
        n, size = self.group.order, self.kernel_size
        ## YOUR CODE STARTS HERE ##
        # STUB: kernels = ...
        kernels = dilated.new_zeros(self.out_channels, n, self.in_channels, n, size, size)
        for h, other in itertools.product(range(n), range(n)):
            m = self.steps[h, other].item()
            if 0 <= m < self.scales:
                kernels[:, h, :, other] = dilated[:, h, :, m]
        ## AND ENDS HERE ##
        return kernels


# %% id="dilation-shift-test" grade="tests" points=3 exercise="dilation-shift" answer="dilated-group-kernel" tags=["hide-input"]
# @title Check: a shift with ends
with checking("{{number dilation-shift}}", needs="{{number dilation-kernel}}") as check:
    kernel = DilatedGroupKernel(DilationGroup(4, 1.5), 3, in_channels=2, out_channels=3, scales=2)
    check.close(
        "for h = 1 there are 0, 1, 2, 3 steps to the four scales",
        kernel.steps[0],
        torch.arange(4),
        "rows count h, and the steps are those of h⁻¹ · h̃.",
    )
    check.close(
        "back from the last scale it is −3, −2, −1, 0", kernel.steps[3], torch.arange(-3, 1)
    )
    kernels, size = kernel.sample(), kernel.kernel_size
    check.shape("the shape is [C_out, |H|, C_in, |H|, K, K]", kernels, (3, 4, 2, 4, size, size))
    used = kernels.abs().amax(dim=(0, 2, 4, 5)) > 0
    check.true(
        "every scale looks at itself and the next larger one, and the last has no next",
        (used == torch.ones(4, 4).triu().tril(1)).all(),
        "places without weights hold zeros. Steps of −1 are no steps of S − 1 or n − 1.",
        f"Used are, row by row: {used.int().tolist()}.",
    )
    check.close(
        "for h = 1 and h̃ = 1 there are the first weights",
        kernels[:, 0, :, 0],
        F.pad(kernel.weight[:, ::2], ((size - 3) // 2,) * 4),
        "in `dilated` the number of steps m is the fourth axis.",
    )
    dilated = DilatedLiftingKernel.sample(kernel).unflatten(2, (2, 2))
    check.close(
        "each scale has its own, enlarged kernel",
        kernels[:, 2, :, 3],
        dilated[:, 2, :, 1],
        "in `dilated` the scale h is the second axis; take the kernel of this h.",
    )
    check.learns("the weight learns", kernels, kernel.weight)
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "dilation-shift", globals())


def _on_scales(given, weight, order, step, scales, size, number):
    """The kernels for weights [O, I·S, k, k]; `number` says which belongs to a pair (h, h̃)."""
    weight = weight.unflatten(1, (-1, scales))
    outputs, inputs = weight.shape[:2]
    kernels = torch.zeros(outputs, order, inputs, order, size, size)
    for h in range(order):
        for other in range(order):
            m = number(h, other)
            if m is not None and 0 <= m < scales:
                kernel = given.dilation.enlarged(weight[:, :, m], step**h, size)
                kernels[:, h, :, other] = kernel / step ** (2 * h)
    return kernels


SHIFT_CASES = ((4, 1.5, 2, 2, 3), (3, 2.0, 3, 1, 2), (3, 1.4, 1, 3, 2))


def _shifted_kernel(lesson, given, order, step, scales, inputs, outputs):
    group = lesson.DilationGroup(order, step)
    kernel = lesson.DilatedGroupKernel(group, 3, inputs, outputs, scales)
    weight = given.randomize(kernel)
    size = 2 * (math.ceil(step ** (order - 1) * 2 - 1e-4) - 1) + 1
    return given.kernels(kernel.sample(), outputs, order, inputs, order, size, size), weight, size


@judge.property(
    "every scale uses its own weights, with zeros moved in at the end", points=1.5, essential=True
)
def _(lesson, given):
    for order, step, scales, inputs, outputs in SHIFT_CASES:
        got, weight, size = _shifted_kernel(lesson, given, order, step, scales, inputs, outputs)

        def made(number, given_to=(weight, order, step, scales, size)):
            return _on_scales(given, *given_to, number)

        mistakes = {
            "the shift is cyclic, but there is no first scale after the last": made(
                lambda h, other, n=order: (other - h) % n
            ),
            "negative steps count from the end of the weights": made(
                lambda h, other, s=scales: other - h + (s if other < h else 0)
            ),
            "nothing shifts: every scale uses the same places": made(lambda h, other: other),
            "steps beyond the weights take the last ones": made(
                lambda h, other, s=scales: min(max(other - h, 0), s - 1)
            ),
        }
        right = made(lambda h, other: other - h), made(lambda h, other: h - other)
        what = f"k_h for {order} scales with S = {scales}"
        given.close_to_one(what, got, right, mistakes)
    kernel = lesson.DilatedGroupKernel(lesson.DilationGroup(3, 1.5), 3, 2, 3, 2)
    again = kernel.sample()
    given.as_used("k_h for 3 scales with S = 2", kernel.sample, lambda: again, modules=[kernel])


# Looking at smaller scales gives an equivariant layer too, but it is not the formula.
@judge.property("it looks at larger scales, h⁻¹h̃ = s^m", points=1)
def _(lesson, given):
    for order, step, scales, inputs, outputs in SHIFT_CASES[:2]:
        got, weight, size = _shifted_kernel(lesson, given, order, step, scales, inputs, outputs)
        right, back = (
            _on_scales(
                given, weight, order, step, scales, size, lambda h, other, s=sign: s * (other - h)
            )
            for sign in (1, -1)
        )
        mistakes = {"it looks at smaller scales, h̃⁻¹h in place of h⁻¹h̃": back}
        given.close(f"k_h for {order} scales with S = {scales}", got, right, mistakes)


@judge.property("every weight has an influence and learns", points=0.5, essential=True)
def _(lesson, given):
    kernel = lesson.DilatedGroupKernel(lesson.DilationGroup(3, 1.5), 3, 1, 2, 2)
    given.influence(kernel.sample, kernel.weight)


judge.score()
### END HIDDEN TESTS


# %% id="dilated-group-convolution" grade="readonly"
class DilatedGroupConvolution(nn.Module):
    """Convolution on positions and scales: [B, C_in, |H|, X, Y] → [B, C_out, |H|, X, Y]."""

    def __init__(self, group, in_channels: int, out_channels: int, weight_size: int, scales=1):
        super().__init__()
        self.kernel = DilatedGroupKernel(group, weight_size, in_channels, out_channels, scales)

    def forward(self, x: Tensor) -> Tensor:
        kernels = self.kernel.sample()  # [C_out, |H|, C_in, |H|, K, K]
        folded = kernels.flatten(0, 1).flatten(1, 2)
        x = F.conv2d(x.flatten(1, 2), folded, padding=self.kernel.reach)
        return x.unflatten(1, kernels.shape[:2])


# %% [markdown]
# **What the ends cost.** An image enlarged by $g = s$ should give the same features one slice further: with $\Phi$ for the layers,
#
# $$ \Phi(\mathcal{L}_g f)(g x,\, g h) = \Phi(f)(x, h) . {{equation scale-equivariance}} $$
#
# We measure, slice by slice, how far the two sides differ, relative to the size of the right one. With $s = 2$ the point $g x$ is a pixel
# whenever $x$ is, so features need not be interpolated. Three networks: $S$ = 1, 2 and 3 scales to a kernel, each with one lifting layer
# and two group layers.
#
# **Predict first.** There are four scales, so three pairs of slices to compare. After one group layer with $S = 2$: which pair cannot
# agree? And after two?


# %%
def scale_errors(layers: list[nn.Module], step: int = 2) -> list[Tensor]:
    """Return for each layer the error of every slice but the last, [|H| - 1]."""
    small, large, errors = draw_pattern(1.0), draw_pattern(float(step)), []
    for layer in layers:
        small, large = F.relu(layer(small)), F.relu(layer(large))
        middle, reach = small.shape[-1] // 2, small.shape[-1] // 2 // step
        near = slice(middle - reach, middle + reach + 1)
        far = slice(middle - reach * step, middle + reach * step + 1, step)
        expected, got = small[:, :, :-1, near, near], large[:, :, 1:, far, far]
        norms = [x.square().sum(dim=(0, 1, 3, 4)).sqrt() for x in (got - expected, expected)]
        errors.append(norms[0] / norms[1])
    return errors


# %%
group = DilationGroup(order=4, step=2.0)
print("slices compared      1 and 2  2 and 4  4 and 8")
for span in (1, 2, 3):
    pl.seed_everything(SEED, verbose=False)
    layers = [DilatedLifting(group, 1, 4, 3)]
    layers += [DilatedGroupConvolution(group, 4, 4, 3, span) for _ in range(2)]
    with torch.no_grad():
        errors = scale_errors(layers)
    for name, error in zip(("lifting", "first group", "second group"), errors, strict=True):
        print(f"S = {span}, {name:<13}", *(f"{each:8.2f}" for each in error))

# %% [markdown]
# With $S = 1$ only interpolation is left. With $S = 2$ the last scale of the enlarged image misses what should come from the next larger
# scale, which does not exist; the second layer hands the fault on to the slice before. Every layer with $S$ scales spoils $S - 1$ more. So
# kernels are kept short along the scale axis, and truncation is the price of a group that does not end.

# %% [markdown]
# ### 1.4 Digits at other sizes
#
# Now a network. It is trained on digits of **one** size, half as large as MNIST's, and is to read digits up to twice as large, as large as
# MNIST's own. The frame stays the same.
#
# The weights of our layers do not depend on how many scales the group has. So we train an *ordinary CNN*, that is the group with the
# single scale 1, and **then** give it the scales 1, $\sqrt2$ and 2, with the very same weights and no further training. If
# {{eq scale-equivariance}} holds, the slice of scale 2 sees a digit twice as large as the CNN saw the small one.
#
# Two details. The network takes the **maximum** over positions, not the mean: an enlarged digit fills more of the frame, and means over
# the frame would change. And there is no pooling in between: means over $2 \times 2$ pixels are something else for a large digit than
# for a small one.


# %% id="scale-network" grade="readonly"
class ScaleNetwork(nn.Module):
    """Convolutions on positions and scales; scores for every scale: [B, 1, X, Y] → [B, |H|, out]."""

    def __init__(self, group: GroupBase, channels: int, num_hidden=3, out_channels=10):
        super().__init__()
        layers = [DilatedLifting(group, 1, channels, weight_size=3)]
        layers += [DilatedGroupConvolution(group, channels, channels, 3) for _ in range(num_hidden)]
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in layers)
        self.final_linear = nn.Linear(channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = layer(x)
            x = F.relu(norm(x.flatten(2)).view_as(x))  # one mean and variance for each channel
        return self.final_linear(x.amax(dim=(-2, -1)).transpose(1, 2))


# %% id="shrink"
def shrink(images: Tensor, factor: float) -> Tensor:
    """Make the digits of uint8 images [N, X, X] smaller by a factor; the frame stays."""
    size = images.shape[-1]
    side = round(size * factor)
    small = F.interpolate(images[:, None].float(), (side, side), mode="bilinear", antialias=True)
    before = (size - side) // 2
    after = size - side - before
    return F.pad(small[:, 0], (before, after, before, after)).round().to(torch.uint8)


# %% [markdown]
# A short training, in a plain loop, for each of three seeds: it takes some seconds, on a slow machine up to a minute each.


# %% id="train-small"
def train_small(network: nn.Module, images: Tensor, labels: Tensor, epochs: int) -> nn.Module:
    """Train a network on uint8 images [N, X, X], with batches of 64; return it."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    steps = epochs * (len(images) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, steps, pct_start=0.2)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64)[: len(images) // 64]:
            scores = network(normalize(images[batch]))[:, 0]
            optimizer.zero_grad()
            F.cross_entropy(scores, labels[batch]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


# %%
data = RotatedMNIST(train_images=128 if FAST_RUN else 4000)
data.setup()
digits, answers = data.train[:]
small_networks = []
for seed in (SEED,) if FAST_RUN else (SEED, SEED + 1, SEED + 2):
    pl.seed_everything(seed, verbose=False)
    network = ScaleNetwork(DilationGroup(1), channels=16)
    network = train_small(network, shrink(digits, 0.5), answers, epochs=1 if FAST_RUN else 3)
    small_networks.append(network)
    print(f"seed {seed}: trained")


# %% [markdown]
# **Size by scale.** The same weights in a group of three scales. For digits of several sizes, how many does *each slice by itself* read
# correctly? **Predict:** where are the large numbers?


# %%
def with_scales(network: ScaleNetwork, order: int) -> ScaleNetwork:
    """Return a network with the same weights and `order` scales."""
    larger = ScaleNetwork(DilationGroup(order), network.final_linear.in_features).eval()
    larger.load_state_dict(network.state_dict())
    return larger


# %%
SIZES_OF_DIGITS = (1.0, 1.2, 1.4, 1.7, 2.0)  # relative to those of the training
images, labels = data.upright[: 16 if FAST_RUN else 400]
scores = []  # [seeds, sizes, digits, |H|, 10]
with torch.no_grad():
    for network in small_networks:
        larger = with_scales(network, 3)
        shown = (normalize(shrink(images, size / 2)) for size in SIZES_OF_DIGITS)
        scores.append(torch.stack([torch.cat([*map(larger, x.split(50))]) for x in shown]))
scores = torch.stack(scores)
by_slice = (scores.argmax(dim=-1) == labels[:, None]).float().mean(dim=2)  # [seeds, sizes, |H|]

# %% tags=["hide-input"]
# @title Figure: what each slice reads
fig, axis = plt.subplots(figsize=(7.5, 3), layout="constrained")
table = 100 * by_slice.mean(dim=0).T
heat = axis.imshow(table, cmap="viridis", vmin=0, vmax=100, aspect="auto")
for (row, column), value in np.ndenumerate(table.numpy()):
    colour = "white" if value < 60 else PALETTE["ink"]
    axis.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour)
axis.set_xticks(range(len(SIZES_OF_DIGITS)), SIZES_OF_DIGITS)
axis.set_yticks(range(3), ["1", "√2", "2"])
axis.set(xlabel="size of the digits", ylabel="scale $h$ of the slice")
fig.colorbar(heat, label="read correctly, in %")
axis.set_title("Trained at size 1 only: what each slice reads, mean of the seeds")
diagonal = ", ".join(f"{table[row, column]:.0f}" for row, column in ((0, 0), (1, 2), (2, 4)))
show(
    fig,
    "A table of size by scale. The large values lie along the diagonal: "
    f"{diagonal} % where scale and size agree, and down to {table.min():.0f} % where they do not.",
)

# %% [markdown]
# The diagonal is equivariance. In the first row you see the ordinary CNN, which never met large digits; in the last row the same weights
# read them.
#
# **Which slice to believe?** The network is not told the size. We let the slice decide that is *surest*, the one with the largest
# probability for any digit. How do the ordinary CNN, this network, and one that is told the size compare? (Mean and deviation over the
# seeds; with 400 digits, one percent is four of them.)


# %%
def in_percent(values: Tensor) -> str:
    """Return mean ± deviation over the seeds, in percent, for shares [seeds]."""
    deviation = values.std() if len(values) > 1 else 0.0
    return f"{100 * values.mean():5.1f} ± {100 * deviation:<3.1f}"


surest = scores.softmax(dim=-1).amax(dim=-1).argmax(dim=-1, keepdim=True)
chosen = scores.argmax(dim=-1).gather(-1, surest)[..., 0]  # [seeds, sizes, digits]
accuracies = {
    "ordinary CNN": by_slice[:, :, 0],
    "three scales, the surest": (chosen == labels).float().mean(dim=2),
    "three scales, told the size": by_slice.amax(dim=2),
}
print(f"{'size':<29}", *(f"{size:<11}" for size in SIZES_OF_DIGITS))
for name, values in accuracies.items():
    print(f"{name:<29}", *[in_percent(seeds) for seeds in values.T])

# %% [markdown] exercise="q-scale" title="Scale is not like rotation" minutes=4
# (a) What happens to the slices' responses, and so to the choice of the surest one, if the factor $1/|h|$ is left out? (b) For $C_4$ the
# projection was *exactly* invariant. Why is it not for scales, however good the interpolation? (c) The network with three scales reads large
# digits less well than the best of its slices. What does that slice have against it, and how could the network be trained to do better?

# %% [markdown] id="q-scale" grade="answer" points=3 exercise="q-scale"
# (a) The response of the slice of scale $h$ would be $|h| = h^2$ times as large in each layer. The batch norm's statistics are those of
# scale 1, so larger scales would drive the next layers with numbers they have never seen, and the scores of the largest scale would tend to be
# the largest and the surest, right or wrong.
#
# (b) The group of scales goes on without end and had to be cut off. Quarter turns permute the slices among themselves; an enlargement moves
# every slice on, the last one falls out and the first is filled with something new. A maximum or mean over the slices is then taken over
# other things.
#
# (c) In the other slices the digit appears at a size that was never trained. What a network says about such pictures is arbitrary, but it may
# say it with great confidence. Training with all three scales and letting the choice be part of the loss, training on several sizes, or a
# class for "no digit of this size" would teach it when not to be sure.
#
# === BEGIN MARK SCHEME ===
# - 1 point: without 1/|h| responses grow with h² (per layer), so larger scales dominate or leave the range of the statistics.
# - 1 point: the group is infinite and truncated: slices leave and enter at the ends, so the projection runs over other slices.
# - 1 point: wrong-sized slices are out of distribution but may be sure; a sensible way to train (all scales, several sizes, a reject class).
# === END MARK SCHEME ===

# %% [markdown]
# ## 2 A kernel over a continuous domain
#
# ### 2.1 A function in place of a grid
#
# In lesson 1 a kernel was a grid of numbers, and every rotation that is no quarter turn had to interpolate it. What if the kernel is a
# **function** from the start, one that can be asked for its value at *any* position? Then a rotated kernel is the function, asked at rotated
# positions, and nothing is interpolated. (The sums of bumps in lesson 2 were such functions.)
#
# The function needs weights to learn. We take a sum of fixed functions with weights in front, **circular harmonics**: waves around the
# centre, on rings,
#
# $$ k(x, \tilde h) = \sum_{t} \sum_{j} w_{t,j}\; d(x)\,\varphi_j(x)\; \psi_t(\tilde h) , {{equation continuous}} $$
#
# where $\varphi_j$ is a bump at a ring's radius times $1$, $\cos m\alpha$ or $\sin m\alpha$, with $\alpha$ the direction of $x$, and $\psi_t$
# is $1$, $\cos t\tilde h$ or $\sin t\tilde h$. The disk $d$ is that of lesson 3. The kernel is linear in its weights. (Small networks
# with sines in place of the sum are in use, too.)


# %% id="harmonics" grade="readonly"
def waves(angle: Tensor, count: int) -> Tensor:
    """Return 1, cos(angle), sin(angle), …, cos(count · angle), sin(count · angle): [T, ...]."""
    found = [torch.ones_like(angle)]
    for m in range(1, count + 1):
        found += [torch.cos(m * angle), torch.sin(m * angle)]
    return torch.stack(found)


def harmonics(x: Tensor, kernel_size: int) -> Tensor:
    """Return the circular harmonics d·φ at positions x [2, ...] between -1 and 1: [J, ...]."""
    radius = x.norm(dim=0) * (kernel_size - 1) / 2  # in pixels
    around = waves(torch.atan2(x[0], x[1]), kernel_size - 1)
    found = []
    for ring in range((kernel_size + 1) // 2):
        bump = torch.exp(-((radius - ring) ** 2) / (2 * 0.6**2))
        # A ring of radius r has room for about 2r waves; in the centre there is no direction.
        turning = around[1 : 1 + 4 * ring] * radius.clamp(max=1)
        found += [bump[None], bump * turning]
    return torch.cat(found) * (kernel_size / 2 - radius).clamp(0, 1)


# %% tags=["hide-input"]
# @title Figure: the circular harmonics
shown = torch.cat([harmonics(create_grid_R2(41), 5), torch.zeros(1, 41, 41)]).view(2, 8, 41, 41)
parts = ["centre", "ring 1", *(f"ring 1, {wave} {m}α" for m in (1, 2) for wave in ("cos", "sin"))]
parts += ["ring 2", *(f"ring 2, {wave} {m}α" for m in range(1, 5) for wave in ("cos", "sin"))]
fig, axes = plt.subplots(2, 8, figsize=(10, 3.1), layout="constrained")
for axis, image, name in zip(axes.flat, shown.flatten(0, 1), [*parts, ""], strict=True):
    drawn = axis.imshow(image, cmap="PuOr_r", vmin=-1, vmax=1)
    axis.set_title(name, fontsize=9)
    axis.set_axis_off()
fig.colorbar(drawn, ax=axes, shrink=0.8)
fig.suptitle("The 15 circular harmonics of a 5 × 5 kernel, drawn finely")
show(
    fig,
    "Fifteen round patterns: a spot, a ring with waves of one and two periods around it, and a larger "
    "ring with waves of up to four periods.",
)

# %% [markdown]
# The group of **all** rotations is called $SO(2)$. Our $C_n$ could multiply, invert and turn by any angle all along; what $SO(2)$ does not have is
# a list of elements.


# %% id="so2" grade="readonly"
class SO2(GroupBase):
    """All rotations of the plane; elements are angles in radians, and there is no list of them."""

    def __init__(self):
        super().__init__(dimension=1, identity=[0.0])

    product, inverse = CyclicGroup.product, CyclicGroup.inverse
    matrix_representation = CyclicGroup.matrix_representation
    left_action_on_R2 = CyclicGroup.left_action_on_R2


# %% [markdown] exercise="continuous-kernel" title="Sampling a function" minutes=8
# Complete `ContinuousKernel.sample`. It gets *any* angles: $N$ of them for the output, `outer`, and $M$ for the input, `inner`. They need not
# be those of a finite group.
#
# - **Wanted, first block:** `positions`, the positions $h^{-1}x$ of `self.grid_R2` `[2, k, k]` for every angle $h$ in `outer`: `[2, N, k, k]`.
#   The group `self.rotations` acts by any angle.
# - **Wanted, second block:** `relative`, the angles $h^{-1}\tilde h$ for all $h$ in `outer` and $\tilde h$ in `inner`: `[N, M]`.
# - **Given:** `space`, the values $d\,\varphi_j(h^{-1}x)$, `[J, N, k, k]`, and `pose`, the values $\psi_t(h^{-1}\tilde h)$, `[T, N, M]`.
# - **Wanted, third block:** `kernels`, the sum {{eq continuous}} with `self.weight`, `[C_out, C_in, T, J]`: the result is
#   `[C_out, N, C_in, M, k, k]`.
#
# <details><summary>Hint: the sum</summary>
#
# Give each axis a letter and let `torch.einsum` sum over those that do not come out: `o` and `i` for the channels, `t`, `j`, `n`, `m`, `x`, `y`.
# </details>
#
# <details><summary>I get an error: “einsum(): subscript j has size … which does not broadcast”</summary>
#
# One letter stands for two axes of different sizes. `space` begins with j, `pose` with t; the weight ends with t, j.
# </details>


# %% id="continuous-kernel" grade="solution"
class ContinuousKernel(nn.Module):
    """A kernel that is a function of position and angle.

    Args:
        in_channels, out_channels, kernel_size: as before.
        waves: how many waves ψ has around the circle; 0 for a kernel that lifts.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, waves: int):
        super().__init__()
        self.kernel_size, self.waves, self.rotations = kernel_size, waves, SO2()
        self.register_buffer("grid_R2", create_grid_R2(kernel_size).float())
        size = (1 + 2 * waves, len(harmonics(self.grid_R2, kernel_size)))
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, *size))
        self.weight.data /= math.sqrt(in_channels * size[0] * size[1])

    def sample(self, outer: Tensor, inner: Tensor) -> Tensor:
        """Return k(h⁻¹x, h⁻¹h̃) for angles h [N] and h̃ [M]: [C_out, N, C_in, M, k, k]."""
        ## YOUR CODE STARTS HERE ##
        # STUB: positions = ...
        positions = self.rotations.left_action_on_R2(self.rotations.inverse(outer), self.grid_R2)
        ## AND ENDS HERE ##
        ## YOUR CODE STARTS HERE ##
        # STUB: relative = ...
        relative = inner[None, :] - outer[:, None]
        ## AND ENDS HERE ##
        space = harmonics(positions, self.kernel_size).to(self.weight)
        pose = waves(relative, self.waves).to(self.weight)
        ## YOUR CODE STARTS HERE ##
        # STUB: kernels = ...
        kernels = torch.einsum("oitj,jnxy,tnm->onimxy", self.weight, space, pose)
        ## AND ENDS HERE ##
        return kernels


# %% id="continuous-kernel-test" grade="tests" points=4 exercise="continuous-kernel" answer="continuous-kernel" tags=["hide-input"]
# @title Check: sampling a function
with checking("{{number continuous-kernel}}") as check:
    kernel, lifting = ContinuousKernel(2, 3, 5, waves=1), ContinuousKernel(2, 3, 5, waves=0)
    outer, inner = torch.tensor([0.0, math.pi / 2, 0.3]), torch.tensor([0.0, 1.0, -1.0, 2.5])
    kernels, lifted = kernel.sample(outer, inner), lifting.sample(outer, torch.zeros(1))
    check.shape("the shape is [C_out, N, C_in, M, k, k]", kernels, (3, 3, 2, 4, 5, 5))
    check.close(
        "a lifting kernel at 90° is that at 0°, turned counter-clockwise",
        lifted[:, 1],
        torch.rot90(lifted[:, 0], 1, (-2, -1)),
        "look up at h⁻¹x, with the inverse of h.",
    )
    check.close(
        "only the angle between h and h̃ matters to a group kernel, apart from the turn",
        kernel.sample(outer[1:2], outer[1:2] + 1)[:, 0],
        torch.rot90(kernel.sample(outer[:1], outer[:1] + 1)[:, 0], 1, (-2, -1)),
        "relative holds h⁻¹h̃, for h along the first axis and h̃ along the second.",
    )
    check.learns("the weight learns", kernels, kernel.weight)
    lifting.weight.data = torch.eye(15)[2].expand(3, 2, 1, 15).clone()  # the wave cos α alone
    single = lifting.sample(outer, torch.zeros(1))[1, :, 0, 0]
    check.close(
        "with a single weight, 1, it is the function that belongs to it",
        single[0],
        harmonics(create_grid_R2(5), 5)[2].float(),
        "the sum runs over all functions, and has no factor; the disk is in them already.",
    )
    check.close(
        "one pixel to the right, cos α is cos 0.3 after 0.3", single[2, 2, 3], math.cos(0.3)
    )
    kernel.weight.data.zero_()
    kernel.weight.data[:, 0, 1, 0] = kernel.weight.data[:, 1, 2, 0] = 1
    middle = kernel.sample(outer, inner)[0, :, :, :, 2, 2]
    check.close(
        "with the wave cos alone, the middle is the cosine of the angle between h and h̃",
        middle[:, 0],
        torch.cos(outer[:, None] - inner),
        "relative holds h⁻¹h̃, in radians.",
    )
    check.close("that of the sine has the other sign for h̃⁻¹", middle[0, 1, 1], -middle[0, 1, 2])
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "continuous-kernel", globals())


def _asked(lesson, given, kernel, weight, outer, inner, sense=1, back=-1):
    """The sum of the formula, term by term, at positions turned by back · h."""
    size = kernel.kernel_size
    axis = torch.linspace(-1, 1, size)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).flatten(1)
    kernels = torch.zeros(weight.shape[0], len(outer), weight.shape[1], len(inner), size, size)
    for n, h in enumerate(outer):
        turned = (given.rotations(back * h) @ grid).reshape(2, size, size)
        space = lesson.harmonics(turned, size)
        given.varies("φ at several positions", space.flatten(1).T)
        for m, other in enumerate(inner):
            pose = lesson.waves(sense * (other - h), kernel.waves)
            for t in range(weight.shape[2]):
                for j in range(weight.shape[3]):
                    term = pose[t] * space[j] * weight[:, :, t, j, None, None]
                    kernels[:, n, :, m] += term
    return kernels


def _continuous(lesson, given, inputs, outputs, size, count):
    kernel = lesson.ContinuousKernel(inputs, outputs, size, count)
    return kernel, given.randomize(kernel)


@judge.property("the shape is right, for several numbers of angles and channels", points=0.5)
def _(lesson, given):
    for inputs, outputs, size, count, n, m in ((2, 3, 5, 1, 4, 3), (3, 1, 3, 0, 2, 1)):
        kernel, _ = _continuous(lesson, given, inputs, outputs, size, count)
        got = kernel.sample(given.noise(n), given.noise(m))
        shape = (outputs, n, inputs, m, size, size)
        given.shape(f"the kernels for {n} and {m} angles", got, shape)


# Turned either way: the sense is judged below.
@judge.property(
    "a lifting kernel is the function at turned positions, for any angle", points=1, essential=True
)
def _(lesson, given):
    kernel, weight = _continuous(lesson, given, 2, 3, 5, 0)
    outer, inner = 3 * given.noise(4), torch.zeros(1)
    right = [_asked(lesson, given, kernel, weight, outer, inner, 1, back) for back in (-1, 1)]
    degrees = 180 / math.pi
    mistakes = {
        "nothing is turned": _asked(lesson, given, kernel, weight, 0 * outer, inner),
        "the angles were converted to degrees": _asked(
            lesson, given, kernel, weight, outer, inner, 1, -degrees
        ),
    }
    given.close_to_one("k(h⁻¹x)", kernel.sample(outer, inner), right, mistakes)
    for waves, angles in ((0, inner), (2, 3 * given.noise(2))):
        kernel, _ = _continuous(lesson, given, 2, 3, 5, waves)
        again = kernel.sample(outer, angles)
        given.as_used(
            f"the kernels with {waves} waves",
            lambda kernel=kernel, angles=angles: kernel.sample(outer, angles),
            lambda again=again: again,
            modules=[kernel],
        )


@judge.property("it looks up at h⁻¹x, so it turns counter-clockwise", points=1)
def _(lesson, given):
    kernel, weight = _continuous(lesson, given, 1, 2, 5, 0)
    outer, inner = 3 * given.noise(4), torch.zeros(1)
    right, wrong = (
        _asked(lesson, given, kernel, weight, outer, inner, 1, back) for back in (-1, 1)
    )
    mistakes = {"the inverse of h is missing, the kernel turns clockwise": wrong}
    given.close("k(h⁻¹x)", kernel.sample(outer, inner), right, mistakes)


# As in lesson 1, h⁻¹h̃ and h̃⁻¹h are both right: one is the other with other weights.
@judge.property("along the group it depends on h⁻¹h̃ (or on h̃⁻¹h)", points=1)
def _(lesson, given):
    kernel, weight = _continuous(lesson, given, 2, 2, 3, 2)
    outer, inner = 3 * given.noise(3), 3 * given.noise(2)
    got = kernel.sample(outer, inner)
    right = [
        _asked(lesson, given, kernel, weight, outer, inner, sense, back)
        for back in (-1, 1)
        for sense in (1, -1)
    ]
    degrees = 180 / math.pi
    mistakes = {
        "h⁻¹h̃ was converted to degrees, but waves take radians": _asked(
            lesson, given, kernel, weight, outer, inner, degrees
        ),
    }
    given.close_to_one("k(h⁻¹x, h⁻¹h̃)", got, right, mistakes)


@judge.property("every weight has an influence and learns", points=0.5, essential=True)
def _(lesson, given):
    kernel, _ = _continuous(lesson, given, 2, 2, 3, 1)
    outer, inner = 3 * given.noise(4), 3 * given.noise(4)
    given.influence(lambda: kernel.sample(outer, inner), kernel.weight)


judge.score()
### END HIDDEN TESTS

# %% [markdown]
# ### 2.2 Angles drawn at random
#
# $SO(2)$ has no last angle, and the integral over it in the group convolution is no finite sum any more:
#
# $$ (k \star f)(x, h) = \frac{1}{2\pi} \int_0^{2\pi} \int_{\mathbb{R}^2} k(h^{-1}(\tilde x - x), h^{-1}\tilde h)\, f(\tilde x, \tilde h)\, \mathrm{d}\tilde x\, \mathrm{d}\tilde h . {{equation so2}} $$
#
# A kernel that knows its values for every angle lets us *estimate* it: draw $M$ angles $\tilde h_1, \dots, \tilde h_M$ at random, all angles
# equally likely, and take the **mean**,
#
# $$ (k \star f)(x, h) \approx \frac{1}{M} \sum_{m=1}^{M} \int_{\mathbb{R}^2} k(h^{-1}(\tilde x - x), h^{-1}\tilde h_m)\, f(\tilde x, \tilde h_m)\, \mathrm{d}\tilde x . {{equation monte-carlo}} $$
#
# This is a **Monte-Carlo estimate**. On average it is right; its error falls like $1/\sqrt{M}$. In training new angles are drawn in each step,
# as Knigge, Romero and Bekkers (2022) do. In a test the angles are spread evenly, and the same picture always gives the same answer.

# %% [markdown] exercise="monte-carlo-layer" title="The Monte-Carlo layer" minutes=7
# Complete `MonteCarloConvolution`.
#
# - **Wanted, first block:** `angles`, as many random angles as `self.samples` says, in $[0, 2\pi)$, all equally likely, new ones in each call.
# - **Given:** `x`, features `[B, C_in, M, X, Y]` at the angles `inner` `[M]`, and `kernels`, `[C_out, N, C_in, M, k, k]`.
# - **Wanted, second block:** `x`, the estimate {{eq monte-carlo}} for all $N$ output angles, with `self.padding`: `[B, C_out · N, X', Y']`, the
#   $N$ angles of a channel beside each other.
#
# <details><summary>Hint: the convolution</summary>
#
# It is lesson 1's group layer: fold the input angles into the input channels, `x.flatten(1, 2)`, and the kernels to
# `[C_out · N, C_in · M, k, k]`. `conv2d` sums over the angles. A mean is a sum divided by …
# </details>
#
# <details><summary>Hint: random angles</summary>
#
# `torch.rand(n)` gives numbers in $[0, 1)$, all equally likely. Do not set a seed here: the angles would be the same in each step.
# </details>


# %% id="monte-carlo-convolution" grade="solution"
class MonteCarloConvolution(nn.Module):
    """Convolution over SO(2), estimated from some angles: [B, C_in, M, X, Y] → [B, C_out, N, X', Y'].

    Args:
        in_channels, out_channels, kernel_size, waves: of the kernel.
        samples: the number N of output angles.
        padding: zeros around the image.
    """

    def __init__(self, in_channels, out_channels, kernel_size, waves, samples, padding=0):
        super().__init__()
        self.kernel = ContinuousKernel(in_channels, out_channels, kernel_size, waves)
        self.samples, self.padding = samples, padding

    def draw_angles(self) -> Tensor:
        """Return the output angles [N]: random in training, else spread evenly."""
        if not self.training:
            return torch.arange(self.samples) * (2 * math.pi / self.samples)
        ## YOUR CODE STARTS HERE ##
        # STUB: angles = ...
        angles = 2 * math.pi * torch.rand(self.samples)
        ## AND ENDS HERE ##
        return angles

    def forward(self, x: Tensor, inner: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features [B, C_out, N, X', Y'], and the angles [N] at which they are."""
        outer = self.draw_angles().to(inner)
        kernels = self.kernel.sample(outer, inner)
        ## YOUR CODE STARTS HERE ##
        # STUB: x = ...
        folded = kernels.flatten(0, 1).flatten(1, 2)
        x = F.conv2d(x.flatten(1, 2), folded, padding=self.padding) / len(inner)
        ## AND ENDS HERE ##
        return x.unflatten(1, (-1, len(outer))), outer


# %% id="monte-carlo-layer-test" grade="tests" points=3 exercise="monte-carlo-layer" answer="monte-carlo-convolution" tags=["hide-input"]
# @title Check: the Monte-Carlo layer
with checking("{{number monte-carlo-layer}}", needs="{{number continuous-kernel}}") as check:
    layer = MonteCarloConvolution(2, 3, kernel_size=3, waves=1, samples=5, padding=1)
    angles = torch.stack([layer.draw_angles() for _ in range(400)])
    check.shape("as many angles as asked for", angles[0], (5,))
    inside = (angles >= 0) & (angles < 2 * math.pi + 1e-4)
    check.true("they lie in [0, 2π)", inside.all(), "multiply by the length of the circle.")
    check.true("each call gives others", (angles[0] - angles[1]).abs().max() > 1e-3)
    check.true("the angles of a call differ", angles.std(dim=1).min() > 1e-3)
    quarters = (angles // (math.pi / 2)).flatten().long().bincount(minlength=4) / angles.numel()
    check.true(
        "each quarter of the circle gets about a quarter of them",
        (quarters - 0.25).abs().max() < 0.06,
        "all angles are equally likely: torch.rand, not torch.randn.",
        f"They get {', '.join(f'{share:.0%}' for share in quarters)}.",
    )
    layer.eval()
    inner, features = torch.tensor([0.0, 1.0, 2.5]), noise(2, 2, 3, 8, 7)
    result, outer = layer(features, inner)
    check.shape("the shape is [B, C_out, N, X', Y']", result, (2, 3, 5, 8, 7))
    kernels = layer.kernel.sample(outer, inner)
    one = F.conv2d(features.flatten(1, 2), kernels[1, 4].flatten(0, 1)[None], padding=1)[:, 0]
    check.close(
        "output angle 4 of channel 1 is the mean over the input angles",
        result[:, 1, 4],
        one / 3,
        "divide the sum by the number of input angles, M = 3 here.",
    )
    check.learns("the weight learns", result, layer.kernel.weight)
    features.requires_grad_()
    check.learns("so does a layer before it", layer(features, inner)[0], features)
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "monte-carlo-layer", globals())


def _estimating(lesson, inputs, outputs, count, samples, padding=0):
    return lesson.MonteCarloConvolution(inputs, outputs, 3, count, samples, padding)


@judge.property("angles cover the circle evenly, and every angle is possible", points=0.5)
def _(lesson, given):
    layer = _estimating(lesson, 1, 1, 0, 6)
    layer.train()
    calls = [given.tensor("the angles", layer.draw_angles()) for _ in range(200)]
    given.shape("the angles", calls[0], (6,))
    for angles in calls[:20]:
        given.in_circle("the angles", angles)
    # If all angles are equally likely, the means of cos(mα) and sin(mα) are 0, up to about 0.03.
    angles = torch.stack(calls).flatten()
    for m in (1, 2, 3, 4, 8):
        mean = torch.stack([(m * angles).cos().mean(), (m * angles).sin().mean()])
        cause = f"some angles are more likely than others (the mean of cos {m}α is {mean[0]:.2f})"
        given.true("all angles are equally likely", bool(mean.norm() < 0.15), cause)


@judge.property("several angles in each call, and others in the next", points=0.5)
def _(lesson, given):
    layer = _estimating(lesson, 1, 1, 0, 5)
    layer.train()
    calls = torch.stack([given.tensor("the angles", layer.draw_angles()) for _ in range(8)])
    given.true("a call gives different angles", bool(calls.std(dim=1).min() > 1e-3))
    cause = "a seed is set in the block, or the angles are drawn only once"
    given.true("two calls give different angles", bool(calls.std(dim=0).min() > 1e-3), cause)


def _terms(given, layer, x, inner, outer):
    """The sum over the input angles, term by term, with the layer's own kernels."""
    kernels = given.tensor("the kernels", layer.kernel.sample(outer, inner))
    given.varies("the kernels of several output channels", kernels)
    parts = [
        sum(torch.nn.functional.conv2d(x[:, :, b], kernels[:, a, :, b]) for b in range(len(inner)))
        for a in range(len(outer))
    ]
    return torch.stack(parts, dim=2)


@judge.property("it is the mean over the input angles, and learns", points=1, essential=True)
def _(lesson, given):
    for inputs, outputs, m, n in ((2, 3, 4, 3), (1, 2, 2, 5)):
        layer = _estimating(lesson, inputs, outputs, 1, n)
        layer.eval()
        inner, x = 3 * given.noise(m), given.noise(2, inputs, m, 7, 6)
        got, outer = layer(x, inner)
        total = _terms(given, layer, x, inner, outer)
        mistakes = {
            "the sum is not divided by the number of input angles": total,
            "it is divided by the number of output angles": total / n,
            "it is divided by √M": total / m**0.5,
            "channels are counted in the mean": total / (m * inputs),
            "output angles and channels are exchanged": (total / m)
            .transpose(1, 2)
            .reshape(total.shape),
        }
        given.close(f"the estimate from {m} angles", got, total / m, mistakes)
    weight = layer.kernel.weight
    given.learns("the estimate", layer(x, inner)[0], weight, lambda: layer(x, inner)[0])
    given.passes_on("the estimate", layer, x, inner)
    layer.draw_angles = lambda: outer  # which are drawn is judged above
    given.as_used(
        "the estimate",
        lambda x: layer(x, inner.to(x))[0],
        lambda x: _terms(given, layer, x, inner.to(x), outer.to(x)) / m,
        x,
        modules=[layer],
    )


@judge.property("its size does not depend on the number of angles; padding is used", points=0.5)
def _(lesson, given):
    layer = _estimating(lesson, 2, 2, 1, 3)
    layer.eval()
    x = given.noise(1, 2, 1, 6, 6)
    results = []
    for m in (4, 8):
        inner = torch.arange(m) * (2 * math.pi / m)
        results.append(layer(x.expand(1, 2, m, 6, 6).clone(), inner)[0])
    given.varies("the output channels", given.tensor("the estimate", results[0])[0])
    what = "the estimate from 8 even angles, compared with 4, for features without an angle"
    given.close(what, results[1], results[0])
    got = layer.double()(x.expand(1, 2, 4, 6, 6).double(), inner[::2].double())[0]
    given.of_type("the estimate in float64", got, torch.float64)
    layer = _estimating(lesson, 2, 2, 1, 3, 2).eval()
    got = layer(x.expand(1, 2, 4, 6, 6).clone(), inner[::2])[0]
    given.shape("the estimate with padding=2", got, (1, 2, 3, 8, 8), "pass padding=self.padding")


@judge.property("with evenly spread angles it is equivariant to quarter turns", points=0.5)
def _(lesson, given):
    layer = _estimating(lesson, 2, 2, 1, 4, 1)
    layer.eval()
    inner, x = torch.arange(4) * (math.pi / 2), given.noise(1, 2, 4, 7, 6)
    got, expected = layer(given.acted(x, 1), inner)[0], given.acted(layer(x, inner)[0], 1)
    given.varies("the output channels", given.tensor("conv(x)", expected)[0])
    given.close("conv(L_g x), g = 90°", got, expected)


judge.score()
### END HIDDEN TESTS

# %% [markdown]
# **How good is the estimate?** Lifted features of a smooth picture, a group kernel, and one output angle. We take many sets of $M$ angles and
# ask how far the estimate is from that with 128 angles, relative to its size. Once the angles are drawn at random, and once spread evenly and
# turned by one random angle. **Predict first:** how many more random angles halve the error?

# %%
pl.seed_everything(SEED, verbose=False)
lift, conv = ContinuousKernel(1, 2, 5, waves=0), ContinuousKernel(2, 2, 5, waves=2)
picture, circle = draw_pattern(1.0, size=25), 2 * math.pi


def estimate(inner: Tensor) -> Tensor:
    """Return the convolution for the output angle 0, estimated from the angles `inner` [M]."""
    features = F.conv2d(picture, lift.sample(inner, torch.zeros(1)).flatten(0, 1).flatten(1, 2))
    kernels = conv.sample(torch.zeros(1), inner).flatten(0, 1).flatten(1, 2)
    return F.conv2d(F.relu(features), kernels) / len(inner)


# %%
counts, repeats = (2, 4, 8, 16, 32, 64), 5 if FAST_RUN else 20
spread = {"random": [], "even, turned at random": []}
with torch.no_grad():
    exact = estimate(torch.arange(128) * circle / 128)
    for count in counts:
        random = [torch.rand(count) for _ in range(repeats)]
        even = [(torch.arange(count) / count + torch.rand(1)) % 1 for _ in range(repeats)]
        for found, shares in zip(spread.values(), (random, even), strict=True):
            errors = [(estimate(circle * share) - exact).norm() for share in shares]
            found.append((torch.stack(errors).mean() / exact.norm()).item())

# %% tags=["hide-input"]
# @title Figure: the error of the estimate
fig, axis = plt.subplots(figsize=(8, 3.6), layout="constrained")
styles = (("blue", "s", ""), ("orange", "o", "-"))
for (name, found), (colour, marker, style) in zip(spread.items(), styles, strict=True):
    axis.loglog(counts, found, color=PALETTE[colour], marker=marker, ls=style, label=name)
line = [spread["random"][0] * math.sqrt(counts[0] / count) for count in counts]
axis.loglog(counts, line, color=PALETTE["slate"], ls="--", label="falls like $1/\\sqrt{M}$")
axis.set(xlabel="number of angles $M$", ylabel="relative error")
axis.set_xticks(counts, counts)
axis.minorticks_off()
axis.set_title("Error of the Monte-Carlo estimate, mean of many draws")
axis.grid(color=PALETTE["line"], linewidth=0.5)
axis.legend()
numbers = "; ".join(
    f"{name}: {found[1]:.2g} with 4 angles, {found[2]:.2g} with 8, {found[-1]:.2g} with 64"
    for name, found in spread.items()
)
show(
    fig,
    "Error over the number of angles, both axes logarithmic. Random angles follow a line that falls like "
    f"one over the square root; even ones fall much faster. {numbers}.",
)

# %% [markdown]
# Four times as many. And a few random angles are far off: with eight, the error is larger than the result itself, in which much cancels. From
# four angles on, evenly spread ones do far better, because the features change smoothly with the angle and hold few waves. That is why the
# test uses them.
#
# ### 2.3 A network that has seen every angle of its kernels
#
# The network has five layers, with pooling and normalisation over the group as in lesson 2, and a mean over positions and angles. Every layer
# draws its own angles and hands them on together with its features: eight random ones in training, eight even ones in a test.


# %% id="continuous-cnn" grade="readonly"
class ContinuousCNN(nn.Module):
    """Convolutions over SO(2) by Monte-Carlo, `samples` angles a layer: [B, C_in, X, Y] → [B, out]."""

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        num_hidden,
        hidden_channels,
        waves=3,
        samples=8,
    ):
        super().__init__()
        sizes = (hidden_channels, hidden_channels, kernel_size, waves, samples, kernel_size // 2)
        layers = [MonteCarloConvolution(in_channels, hidden_channels, kernel_size, 0, samples)]
        layers += [MonteCarloConvolution(*sizes) for _ in range(num_hidden)]
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden_channels) for _ in layers)
        self.final_linear = nn.Linear(hidden_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (2, 2, 2, 2), mode="replicate")[:, :, None]  # an image has no angle: M = 1
        angles = x.new_zeros(1)
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            x, angles = layer(x, angles)
            x = F.relu(norm(x.flatten(2)).view_as(x))
            x = F.avg_pool3d(x, (1, 2, 2)) if index < 2 else x
        return self.final_linear(x.flatten(2).mean(dim=2))


# %% [markdown]
# **The result.** Trained on 12,000 upright digits for three epochs, with a learning rate that rises and falls, beside networks of about as
# many weights for $C_4$ (p4), $C_8$ and $C_{16}$ of lesson 3, trained alike. **Predict:** what will turning cost the harmonics, compared with
# $C_{16}$?
#
# <details><summary>What was measured</summary>
#
# {{measured continuous}}
#
# The harmonics lose the least by turning: 2 percentage points, where $C_{16}$ loses 6 and p4 11. On turned digits they are 1 point ahead of
# $C_{16}$, which is as much as its seeds scatter; on upright digits they are 3 behind, and that is more.
# </details>


# %% id="one-cycle"
class OneCycle(ImageClassifier):
    """An image classifier whose learning rate rises and falls once."""

    def configure_optimizers(self):
        optimizer, steps = super().configure_optimizers(), self.trainer.estimated_stepping_batches
        rate = self.hparams.learning_rate
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.2)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


# %% id="continuous-recipes" grade="readonly"
MODELS |= {"ContinuousCNN": ContinuousCNN}
SIZES = dict(in_channels=1, out_channels=10, kernel_size=5, num_hidden=4)
BRIEF = dict(kind=OneCycle, epochs=3, data=dict(train_images=12_000), **SIZES)
RECIPES = {
    "continuous, harmonics": dict(model_name="ContinuousCNN", hidden_channels=15, **BRIEF),
}
TABLES = {
    "continuous": ["p4", "C8, interpolated", "C16, interpolated", "continuous, harmonics"],
}
TRAINED = {"continuous, harmonics": "{{sha256 continuous-harmonics}}"}


# %%
def get_network(name: str) -> nn.Module:
    """Return the network of a recipe as the course has trained it; else train it here, shortly."""
    network = make_network(RECIPES[name])
    if load_trained(name, network):
        return network.eval()
    print(f"So {name} is trained here, but shortly.")
    recipe = {key: value for key, value in RECIPES[name].items() if key != "data"} | dict(epochs=1)
    return train_model(data=data, **recipe)[0].model


continuous = get_network("continuous, harmonics")

# %% [markdown]
# **Over the angle.** **Predict first:** at which angles between 0° and 90° does it read worst? (After 90° everything repeats itself: the
# eight even angles of a test include the quarter turns.)

# %%
angles = torch.arange(0.0, 91.0, 15.0)
images, labels = data.upright[: 16 if FAST_RUN else 600]
read = 100 * accuracy_over_angles(continuous, images, labels, angles)
for angle, share in zip(angles, read, strict=True):
    print(f"{angle:3.0f}°  {share:5.1f} %")

# %% [markdown]
# It reads worst at 45°, if only by some percent (with 600 digits, one percent is six of them): no angle is missing among its kernels, but pixels and
# pooling keep to the square grid.

# %% [markdown] exercise="q-monte-carlo" title="What is exact now?" minutes=4
# (a) Why does the layer take the mean over the angles and not the sum? Think of a network that is trained with 8 angles and tested with 16.
# (b) Why are random angles good in training, and evenly spread ones in a test? (c) The kernel is never interpolated any more. Is the network
# now exactly invariant to every rotation of the digit? Name what is left.

# %% [markdown] id="q-monte-carlo" grade="answer" points=3 exercise="q-monte-carlo"
# (a) The mean estimates the integral, whose size does not depend on how many angles are drawn. A sum would double when the number of angles
# doubles, and the next layers and the batch norm's statistics would meet features of a size they have never seen.
#
# (b) Random angles are right on average, for every kernel, and new ones in each step mean that in the long run weights are trained for all
# angles, not for eight of them. In a test the same picture should give the same answer, and for features that change smoothly with the angle
# an even grid is far more exact than random angles.
#
# (c) No. The kernel is still evaluated at the pixels only: a turned kernel is sampled exactly, but its sum over pixels is not the integral
# over the plane. The digit itself is interpolated when it is turned, and pooling keeps to the pixel grid. And a finite number of angles
# estimates the integral over the group. Only the interpolation of weights is gone.
#
# === BEGIN MARK SCHEME ===
# - 1 point: the mean estimates the integral and does not grow with the number of angles.
# - 1 point: random: unbiased, all angles get trained; even: repeatable and a smaller error.
# - 1 point: not exact; at least one of: pixel grid (sums for integrals), interpolated digits, pooling, finite number of angles.
# === END MARK SCHEME ===

# %% [markdown]
# ## 3 Steerable kernels
#
# ### 3.1 A wave that turns
#
# The circular harmonics have a property that we have not used yet. Write a wave around the centre as a complex number, $e^{if\alpha}$: its real
# part is $\cos f\alpha$, its imaginary part $\sin f\alpha$. The whole number $f$ is its **frequency**. Turn the wave by $\theta$, and it is
# multiplied by a number:
#
# $$ (\mathcal{L}_\theta\, e^{if\,\cdot})(\alpha) = e^{if(\alpha - \theta)} = e^{-if\theta}\, e^{if\alpha} . {{equation wave}} $$
#
# With any function of the radius in front of it that stays so. A **circular harmonic** is such a kernel. We take Gaussian rings, at the radii
# $\rho = 0, 1, 2, \dots$ pixels, on the disk $d(r)$:
#
# $$ b_{\rho f}(x) = d(r)\, e^{-(r - \rho)^2 / 2\sigma^2}\; e^{if\alpha} , \qquad d(r) = \tfrac{k}{2} - r \text{, but at least 0 and at most 1.}
#    {{equation circular-harmonic}} $$
#
# In the centre there is no direction. A wave with $f \ne 0$ has to be 0 there, or else {{eq wave}} would fail; with $f = 0$ it may be anything.

# %% [markdown] exercise="circular-harmonics" title="The circular harmonics" minutes=6
# Complete `circular_harmonics`, which computes {{eq circular-harmonic}} for all radii $\rho$ at once.
#
# - **Given:** `radius` and `angle`, $r$ in pixels and $\alpha$ in radians for each position, `[…]`, and `centres`, the radii $\rho$, `[R, 1, …]`.
# - **Wanted, first block:** `rings`, the two factors without an angle, $d(r)\, e^{-(r - \rho)^2 / 2\sigma^2}$, of shape `[R, …]`; `width` is $\sigma$.
# - **Wanted, second block:** `wave`, the complex numbers $e^{if\alpha}$, of shape `[…]`; `frequency` is $f$, which may be negative.
#
# The centre is taken care of in the line after them.
#
# <details><summary>Hint: the disk</summary>
#
# `(kernel_size / 2 - radius).clamp(0, 1)`. The rest broadcasts: `radius - centres` is `[R, …]`.
# </details>
#
# <details><summary>Hint: complex numbers</summary>
#
# $e^{i\varphi} = \cos\varphi + i \sin\varphi$. `torch.polar(length, phi)` and `torch.complex(real, imaginary)` make complex tensors, and
# `torch.exp(1j * phi)` works as well.
# </details>


# %% id="circular-harmonics" grade="solution"
def circular_harmonics(x: Tensor, kernel_size: int, frequency: int, width: float = 0.6) -> Tensor:
    """Return b at positions x [2, ...] in pixels, for the radii 0, 1, …, (k - 1) / 2: complex [R, ...]."""
    radius, angle = x.norm(dim=0), torch.atan2(-x[0], x[1])  # counter-clockwise from the right
    centres = torch.arange(kernel_size // 2 + 1).to(x).view(-1, *[1] * radius.dim())
    ## YOUR CODE STARTS HERE ##
    # STUB: rings = ...
    disk = (kernel_size / 2 - radius).clamp(0, 1)
    rings = disk * torch.exp(-((radius - centres) ** 2) / (2 * width**2))
    ## AND ENDS HERE ##
    ## YOUR CODE STARTS HERE ##
    # STUB: wave = ...
    wave = torch.polar(torch.ones_like(angle), frequency * angle)
    ## AND ENDS HERE ##
    return rings * wave * (radius.clamp(max=1) if frequency else 1)


def pixel_grid(size: int) -> Tensor:
    """Return the positions of size × size pixels, in pixels from the middle: [2, size, size]."""
    return create_grid_R2(size) * ((size - 1) / 2)


# %% id="circular-harmonics-test" grade="tests" points=3 exercise="circular-harmonics" answer="circular-harmonics" tags=["hide-input"]
# @title Check: the circular harmonics
with checking("{{number circular-harmonics}}") as check:
    flat, first, third = (circular_harmonics(pixel_grid(5), 5, f) for f in (0, 1, -3))
    check.shape("three rings of 5 × 5 pixels", flat, (3, 5, 5))
    check.true("they are complex numbers", flat.is_complex(), "torch.polar makes complex numbers.")
    check.close(
        "on its own radius a ring is 1, inside the disk",
        flat[[0, 1, 2], 2, [2, 3, 4]].abs(),
        torch.tensor([1.0, 1.0, 0.5]),
        "the exponent is 0 there; two pixels from the centre the disk is k/2 − 2 = 0.5.",
    )
    check.close(
        "one and two pixels off its radius it is exp(−1 / 2σ²) and exp(−4 / 2σ²)",
        flat[[1, 2], 2, 2].abs(),
        torch.tensor([-1, -4]).div(2 * 0.6**2).exp(),
        "the distance to the ring is squared, and divided by 2σ².",
    )
    wide = circular_harmonics(pixel_grid(7), 7, 0, width=1.0).abs()
    check.close(
        "so it is for k = 7 and σ = 1",
        wide[[2, 3], 3, [4, 6]],
        torch.tensor([math.exp(-0.5), 0.5]),
        "σ is `width`, k is `kernel_size`.",
    )
    check.close("the corners lie outside", flat[:, 0, 0].abs(), torch.zeros(3), tolerance=1e-3)
    check.close(
        "frequency 1: 1 to the right, i upwards, −1 to the left, −i downwards",
        torch.view_as_real(first[1, [2, 1, 2, 3], [3, 2, 1, 2]]),
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]),
        "the wave is exp(i f α): cos fα + i sin fα, in radians.",
    )
    check.close(
        "frequency −3: exp(−3i · 45°) = −√½ − i √½ up and to the right",
        torch.view_as_real(third[1, 1, 3] / third[1, 1, 3].abs()),
        torch.tensor([-math.sqrt(0.5), -math.sqrt(0.5)]),
        "the angle is multiplied by the frequency, with its sign.",
    )
    check.close("no direction in the centre", first[:, 2, 2].abs(), torch.zeros(3))
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "circular-harmonics", globals())


def _places(given, *shape, most=3.0):
    """Positions at random, none of them in the centre: [2, *shape]."""
    radius = 0.3 + (most - 0.3) * given.noise(*shape).abs().clamp(max=1)
    angle = math.pi * given.noise(*shape)
    return torch.stack([-radius * angle.sin(), radius * angle.cos()]).double(), radius, angle


def _rings(radius, size, width, disk=True, power=2):
    centres = torch.arange(size // 2 + 1).view(-1, *[1] * radius.dim())
    bumps = torch.exp(-((radius - centres).abs() ** power) / (2 * width**2))
    return bumps * (size / 2 - radius).clamp(0, 1) if disk else bumps


def _parts(given, what, got, shape):
    """Return a complex result's real and imaginary parts, [..., 2]; fail if it is something else."""
    given.shape(what, got, shape)
    numbers = given.tensor(what, got)
    cause = "there is no imaginary part: torch.cos(…) alone is real"
    given.true(f"{what} are complex numbers", numbers.is_complex(), cause)
    return torch.view_as_real(numbers.to(torch.complex128))


@judge.property("Gaussian rings on a disk, for several sizes and widths", points=1)
def _(lesson, given):
    for size, width, f in ((5, 0.6, 0), (7, 0.6, 2), (3, 1.1, 0), (9, 0.4, -1)):
        x, radius, _ = _places(given, 40, most=size / 2 + 1)
        got = _parts(
            given, "b", lesson.circular_harmonics(x, size, f, width), (size // 2 + 1, 40)
        ).norm(dim=-1)
        centre = radius.clamp(max=1) if f else 1.0
        right = (_rings(radius, size, width) * centre).double()
        mistakes = {
            "the disk is missing": (_rings(radius, size, width, disk=False) * centre).double(),
            "the distance to the ring is not squared": (
                _rings(radius, size, width, power=1) * centre
            ).double(),
            "σ² is not doubled": (_rings(radius, size, width / 2**0.5) * centre).double(),
        }
        given.close(f"|b| for k = {size}, σ = {width}", got, right, mistakes)


@judge.property("a wave of this frequency around the centre", points=1.5, essential=True)
def _(lesson, given):
    for f in (1, 2, 3, -1, -4, 0):
        x, radius, angle = _places(given, 30, most=2.0)
        got = _parts(given, "b", lesson.circular_harmonics(x, 5, f), (3, 30))[0:3:2]
        length = got.norm(dim=-1, keepdim=True)
        given.true("inside the disk b is not 0", bool(length.min() > 1e-9))
        right = torch.stack([(f * angle).cos(), (f * angle).sin()], dim=-1).double()
        across = torch.stack([(f * angle).sin(), (f * angle).cos()], dim=-1).double()
        mistakes = {
            "the sign of the frequency": right * torch.tensor([1.0, -1.0]),
            "cosine and sine are exchanged": across,
        }
        mistakes = {cause: wrong.expand(2, 30, 2) for cause, wrong in mistakes.items()}
        given.close(f"b / |b| for f = {f}", got / length, right.expand(2, 30, 2), mistakes)


@judge.property("for positions of any shape", points=0.5)
def _(lesson, given):
    for shape in ((), (4,), (2, 3), (2, 1, 5)):
        x, radius, angle = _places(given, *shape, 1, most=2.0)
        x, radius, angle = x[..., 0], radius[..., 0], angle[..., 0]
        got = _parts(given, "b", lesson.circular_harmonics(x, 5, 1), (3, *shape))
        length = _rings(radius, 5, 0.6) * radius.clamp(max=1)
        right = torch.stack([length * angle.cos(), length * angle.sin()], dim=-1).double()
        given.close(f"b at positions of shape {list(shape)}", got, right)


judge.score()
### END HIDDEN TESTS

# %% tags=["hide-input"]
# @title Figure: your circular harmonics
fine = pixel_grid(41) / 8
shown = [circular_harmonics(fine, 5, f)[2] for f in range(5)]
show_images(
    torch.stack([torch.stack([each.real for each in shown]), torch.stack([e.imag for e in shown])]),
    "The circular harmonics on the ring of radius 2, drawn finely",
    "Two rows of five round patterns. With the frequency f there are f light and f dark parts around the "
    "centre; in the lower row, the imaginary parts, they are turned by a quarter of a period.",
    rows=["real part", "imaginary part"],
    columns=[f"$f$ = {f}" for f in range(5)],
    cmap="PuOr_r",
    vmin=-1,
    vmax=1,
)

# %% [markdown]
# ### 3.2 One response tells all others
#
# What {{eq wave}} says about waves it says about every kernel $k$ of frequency $f$: turned by $\theta$ it is $e^{-if\theta}$ times itself,
#
# $$ k(R_\theta^{-1} x) = e^{-if\theta}\, k(x) \qquad\text{for every angle } \theta . {{equation steering}} $$
#
# Such a kernel is called **steerable**: from the response to $k$ follows the response to the *turned* kernel, for every $\theta$, without
# convolving again. Do not believe it, measure it. How far are the two sides apart, relative to the size of $k$?
#
# $$ \varepsilon(\theta) = \frac{\lVert k(R_\theta^{-1}x) - e^{-if\theta}\, k(x)\rVert}{\lVert k(x)\rVert} . {{equation steering-error}} $$

# %% [markdown] exercise="steering" title="The steering constraint" minutes=5
# Complete `steering_error`, which computes {{eq steering-error}}.
#
# - **Given:** `kernel`, a function that takes positions `[2, …]` and returns complex numbers; `x`, positions `[2, …]`; `frequency`, $f$; `theta`, one
#   angle in radians, a tensor without axes; and `rotations`, the group $SO(2)$.
# - **Wanted, first block:** `turned`, the values $k(R_\theta^{-1}x)$.
# - **Wanted, second block:** `steered`, the values $e^{-if\theta}\, k(x)$.
#
# <details><summary>Hint: the positions</summary>
#
# As before: `rotations.left_action_on_R2` for the inverse of `theta`. Then call `kernel`.
# </details>
#
# <details><summary>I get an error: “polar() … must be Tensor, not float”</summary>
#
# `torch.exp(-1j * frequency * theta)` takes a tensor `theta` as it is; `torch.polar` wants two tensors.
# </details>


# %% id="steering" grade="solution"
def steering_error(kernel, x: Tensor, frequency: int, theta: Tensor) -> Tensor:
    """Return how far k(R⁻¹x) is from exp(-ifθ) k(x), relative to k(x): one real number, []."""
    rotations = SO2()
    ## YOUR CODE STARTS HERE ##
    # STUB: turned = ...
    turned = kernel(rotations.left_action_on_R2(rotations.inverse(theta), x))
    ## AND ENDS HERE ##
    ## YOUR CODE STARTS HERE ##
    # STUB: steered = ...
    steered = torch.exp(-1j * frequency * theta) * kernel(x)
    ## AND ENDS HERE ##
    return (turned - steered).norm() / kernel(x).norm()


# %% id="steering-test" grade="tests" points=3 exercise="steering" answer="steering" tags=["hide-input"]
# @title Check: the steering constraint
with checking("{{number steering}}") as check:
    x, right, up = pixel_grid(5), torch.tensor(0.0), torch.tensor(math.pi / 2)

    def plane(x: Tensor, aside: float = 0.0) -> Tensor:  # r exp(iα), of frequency 1
        return torch.complex(x[1] + aside, -x[0])  # about a point that may lie aside

    error = steering_error(plane, x, 1, up)
    check.shape("one number", error, ())
    check.close(
        "r exp(iα) has the frequency 1: no error at 90°",
        error,
        0.0,
        "the kernel is asked at R⁻¹x, with the inverse of θ, and the factor is exp(−i f θ).",
    )
    check.close("nor at 20°", steering_error(plane, x, 1, torch.tensor(math.radians(20))), 0.0)
    check.close(
        "it has not the frequency −1: turned by 90° it is −i, not i times itself",
        steering_error(plane, x, -1, up),
        2.0,
        "the factor is exp(−i f θ), with the kernel's own frequency f.",
    )
    check.close(
        "without a turn there is no error for any frequency",
        steering_error(plane, x, 3, right),
        0.0,
    )
    upper = x[:, :2]  # positions that are not symmetric, and a kernel about another point
    back = torch.stack([upper[1], -upper[0]])  # R⁻¹x for 90°
    check.close(
        "a kernel that is not steerable",
        steering_error(lambda x: plane(x, 3).conj(), upper, 1, up),
        (plane(back, 3).conj() + 1j * plane(upper, 3).conj()).norm() / plane(upper, 3).norm(),
        "the kernel is asked at R⁻¹x, with the inverse of θ.",
    )
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "steering", globals())


def _wave_kernel(f):
    """A kernel of frequency f, with a radial profile of its own."""

    def kernel(x):
        radius, angle = x.norm(dim=0), torch.atan2(-x[0], x[1])
        return torch.polar(radius * torch.exp(-radius), f * angle)

    return kernel


def _any_kernel(x):
    """A kernel of no frequency."""
    return torch.complex(torch.sin(x[0] + 2 * x[1]), torch.cos(x[1] - 0.5 * x[0]) + x[0])


def _apart(given, kernel, x, f, theta, back=-1.0, sign=-1.0):
    turned = torch.einsum("ab,b...->a...", given.rotations(theta, back), x)
    phase = torch.polar(torch.ones_like(theta), sign * f * theta)
    return ((kernel(turned) - phase * kernel(x)).norm() / kernel(x).norm()).real


def _real(given, what, got):
    error = given.tensor(what, got)
    return error.real if error.is_complex() else error


@judge.property("no error for a kernel of this frequency, at any angle", points=1)
def _(lesson, given):
    x = given.noise(2, 20).double()
    for f in (0, 1, -2, 3):
        theta = 3 * given.noise(1)[0].double()
        kernel = _wave_kernel(f)
        what = f"ε for a kernel of frequency {f}"
        got = _real(given, what, lesson.steering_error(kernel, x, f, theta))
        mistakes = {
            "the factor has the wrong sign": _apart(given, kernel, x, f, theta, sign=1.0),
            "the kernel turns the other way": _apart(given, kernel, x, f, theta, back=1.0),
            "the kernel is not turned": _apart(given, kernel, x, f, 0 * theta),
        }
        given.close(what, got, torch.tensor(0.0).double(), mistakes)


@judge.property(
    "how far a kernel is from it, for any kernel and frequency", points=1.5, essential=True
)
def _(lesson, given):
    x = given.noise(2, 20).double()
    for kernel, f in ((_any_kernel, 1), (_any_kernel, 0), (_wave_kernel(2), 1), (_any_kernel, -3)):
        theta = 3 * given.noise(1)[0].double()
        got = _real(given, "ε", lesson.steering_error(kernel, x, f, theta))
        right = _apart(given, kernel, x, f, theta)
        mistakes = {
            "θ and −θ are exchanged": _apart(given, kernel, x, f, theta, 1.0, 1.0),
            "the kernel turns the other way": _apart(given, kernel, x, f, theta, back=1.0),
        }
        given.close(f"ε for frequency {f}", got, right, mistakes)


@judge.property("for positions of any shape", points=0.5)
def _(lesson, given):
    theta = torch.tensor(0.7).double()
    for shape in ((5, 5), (7,), (2, 3, 4)):
        x = given.noise(2, *shape).double()
        got = _real(given, "ε", lesson.steering_error(_any_kernel, x, 2, theta))
        right = _apart(given, _any_kernel, x, 2, theta)
        given.close(f"ε at positions of shape {list(shape)}", got, right)


judge.score()
### END HIDDEN TESTS

# %% [markdown]
# Now your circular harmonics, all rings at once. A quarter turn can be done on the pixels, with `rot90`; any other angle with the formula, which is
# asked at turned positions. Below them a kernel of free weights, interpolated as in lesson 1. **Predict:** which rows and columns are 0 up to rounding?


# %%
def free_kernel(x: Tensor) -> Tensor:
    """Return a 5 × 5 kernel of random weights at positions x [2, ...] in pixels: complex [...]."""
    real, imaginary = interpolate(noise(1, 2, 5, 5), x[:, None] / 2)[0]
    return torch.complex(real, imaginary)


# %%
x, degrees = pixel_grid(5), (15, 45, 90, 200)
kernels = [(f"f = {f}", lambda x, f=f: circular_harmonics(x, 5, f), f) for f in range(4)]
print(f"{'':<20} rot90  ", *(f"{angle:>6}°" for angle in degrees))
for name, kernel, f in [*kernels, ("free weights, f = 0", free_kernel, 0)]:
    pixels = kernel(x)
    exact = (torch.rot90(pixels, 1, (-2, -1)) - (-1j) ** f * pixels).norm() / pixels.norm()
    errors = [steering_error(kernel, x, f, torch.tensor(angle).deg2rad()) for angle in degrees]
    print(f"{name:<20} {exact:.0e}", *(f"{error:7.0e}" for error in errors))

# %% [markdown]
# The circular harmonics obey the constraint at every angle, as exactly as the numbers allow; at 90° the pixels themselves do. Free weights obey it at
# no angle.

# %% [markdown]
# **See it.** One picture, and three kernels that are turned by 36 angles. Each response is computed twice: by convolving with the turned kernel
# (marks), and from the response at 0° by {{eq steering}} (lines).

# %%
angles = torch.arange(0, 360, 10).deg2rad()
turned = SO2().left_action_on_R2(SO2().inverse(angles), pixel_grid(9))  # [2, 36, 9, 9]
picture = draw_pattern(1.0, size=9)[0, 0]
responses, predicted = {}, {}
for f in range(4):
    kernels = circular_harmonics(turned, 9, f)[3]  # the ring of radius 3, [36, 9, 9]
    responses[f] = (picture * kernels).sum(dim=(-2, -1))  # 36 sums
    predicted[f] = torch.exp(-1j * f * angles) * responses[f][0]  # one

# %% tags=["hide-input"]
# @title Figure: the response to a turned kernel
fig, axis = plt.subplots(figsize=(9, 4), layout="constrained")
for f, colour, marker in zip(range(4), ("slate", "blue", "orange", "green"), "osv^", strict=True):
    size = responses[f].abs().mean()
    axis.plot(angles.rad2deg(), predicted[f].real / size, color=PALETTE[colour], label=f"$f$ = {f}")
    axis.plot(
        angles.rad2deg(), responses[f].real / size, color=PALETTE[colour], marker=marker, ls=""
    )
axis.set(xlabel="angle of the kernel", ylabel="real part, relative to the size")
axis.set_xticks(range(0, 361, 45), [f"{angle}°" for angle in range(0, 361, 45)])
axis.set_title("The response to a turned kernel, convolved (marks) and predicted (lines)")
axis.grid(color=PALETTE["line"], linewidth=0.5)
fig.legend(ncols=4, loc="outside lower center")
show(
    fig,
    "Response over the angle of the kernel for four frequencies. For f = 0 a flat line, for f = 1, 2 and 3 "
    "cosines with one, two and three periods; all marks lie on their lines.",
)
far = max(((responses[f] - predicted[f]).norm() / responses[f].norm()).item() for f in range(4))
print(f"largest relative difference: {far:.0e}")

# %% [markdown]
# ### 3.3 A layer between fields
#
# A layer may therefore keep *one complex number for each frequency* in place of a value for each of $|H|$ poses. Such a feature map is a **field** of
# frequency $m$: if the picture turns by $\theta$, the field turns along, and its numbers are multiplied by $e^{im\theta}$,
#
# $$ (\mathcal{L}_\theta f)(x) = e^{im\theta}\, f(R_\theta^{-1} x) . {{equation field}} $$
#
# An image is a field of frequency 0. This action takes the place of lesson 1's, where the slices moved along the group axis. For quarter turns it is
# exact on the grid, so let us have it for these.

# %% [markdown] exercise="act-on-fields" title="How fields turn" minutes=3
# Complete `act_on_fields`, which computes {{eq field}} for $\theta = $ `turns` $\cdot\, 90°$.
#
# - **Given:** `x`, complex fields `[B, C, M, X, Y]`; `m`, their $M$ frequencies as a tensor; `theta`, the angle in radians, a number, and `turns`.
# - **Wanted:** `acted`, $\mathcal{L}_\theta f$, of the same kind.
#
# <details><summary>Hint</summary>
#
# `torch.rot90(x, turns, (-2, -1))` turns the maps. One factor belongs to each frequency: give the factors, `[M]`, two axes more, so that they
# stand at the third axis.
# </details>


# %% id="act-on-fields" grade="solution"
def act_on_fields(x: Tensor, frequencies: list[int], turns: int) -> Tensor:
    """Return L_θ[x] for complex fields x [B, C, M, X, Y] and θ = turns · 90°."""
    theta, m = turns * math.pi / 2, torch.tensor(frequencies)
    ## YOUR CODE STARTS HERE ##
    # STUB: acted = ...
    acted = torch.exp(1j * m * theta)[:, None, None] * torch.rot90(x, turns, (-2, -1))
    ## AND ENDS HERE ##
    return acted


# %% id="act-on-fields-test" grade="tests" points=2 exercise="act-on-fields" answer="act-on-fields" tags=["hide-input"]
# @title Check: how fields turn
with checking("{{number act-on-fields}}") as check:
    fields = torch.view_as_complex(noise(2, 3, 4, 5, 5, 2))
    acted = act_on_fields(fields, [0, 2, 1, -1], 1)
    check.shape("the shape stays", acted, (2, 3, 4, 5, 5))
    turned = torch.rot90(fields, 1, (-2, -1))
    check.close("frequency 0: the maps turn, and nothing else", acted[:, :, 0], turned[:, :, 0])
    for place, factor, name in ((1, -1, "2 is −1"), (2, 1j, "1 is i"), (3, -1j, "−1 is −i")):
        check.close(
            f"after 90° the factor of frequency {name}",
            acted[:, :, place],
            factor * turned[:, :, place],
            "the factor is exp(i m θ), one for each frequency, along the third axis.",
        )
    four = act_on_fields(act_on_fields(fields, [1, 3, 0, 2], 3), [1, 3, 0, 2], 1)
    check.close("three quarter turns and one more are none", four, fields)
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "act-on-fields", globals())


def _fields(given, *shape):
    return torch.view_as_complex(given.noise(*shape, 2))


def _both(given, what, got, shape):
    """Return real and imaginary parts, [..., 2]; fail if they are not those of complex numbers."""
    given.shape(what, got, shape)
    numbers = given.tensor(what, got)
    given.true(f"{what} is complex", numbers.is_complex(), "the imaginary part got lost")
    return torch.view_as_real(numbers.to(torch.complex64))


@judge.property("the maps turn counter-clockwise", points=1)
def _(lesson, given):
    for turns in (1, 2, 3, 0, -1):
        x = _fields(given, 2, 3, 2, 4, 6)
        shape = torch.rot90(x, turns, (-2, -1)).shape
        got = _both(given, "L f", lesson.act_on_fields(x, [0, 4], turns), shape)
        right, back = (
            torch.view_as_real(torch.rot90(x, t, (-2, -1)).contiguous()) for t in (turns, -turns)
        )
        mistakes = {"they turn clockwise": back, "they do not turn": torch.view_as_real(x)}
        given.close(f"L f for {90 * turns}°, frequencies 0 and 4", got, right, mistakes)


@judge.property("each field is multiplied by exp(imθ)", points=1, essential=True)
def _(lesson, given):
    for frequencies, turns in (([1, 0, 2], 1), ([-1, 3], 1), ([1, 2, 3, -2], 2), ([1, 2], 3)):
        count = len(frequencies)
        # The same everywhere, so that how the maps turn does not matter.
        x = _fields(given, 2, 3, count, 1, 1).expand(2, 3, count, 5, 5)
        got = _both(
            given, "L f", lesson.act_on_fields(x.clone(), frequencies, turns), (2, 3, count, 5, 5)
        )
        factors = torch.tensor([1j ** (m * turns) for m in frequencies]).view(-1, 1, 1)
        right, conjugate = (torch.view_as_real(x * f) for f in (factors, factors.conj()))
        mistakes = {
            "the factor has the wrong sign": conjugate,
            "the factor is missing": torch.view_as_real(x.clone()),
        }
        given.close(f"L f for {90 * turns}°, frequencies {frequencies}", got, right, mistakes)


judge.score()
### END HIDDEN TESTS

# %% [markdown]
# Which kernels lead from a field of frequency $m$ to one of frequency $n$? When the picture turns, the input is multiplied by $e^{im\theta}$, and the
# output has to be multiplied by $e^{in\theta}$. The kernel has to supply the rest, $e^{i(n-m)\theta}$. By {{eq steering}} a kernel of frequency $f$ does:
# its sum over a picture that is turned by $\theta$ is that over the upright one, times $e^{if\theta}$. So
#
# $$ k_{nm}(x) = \sum_\rho w_{nm\rho}\; b_{\rho,\, n-m}(x) . {{equation steerable-kernel}} $$
#
# That is all there is to it. The angle is settled by the symmetry; what is learned is a function of the radius, in complex weights, for each pair of
# frequencies (and channels). The layer is equivariant to *all* rotations at once. There is no loop over elements and no angle is drawn at random.

# %% [markdown] exercise="steerable-layer" title="A steerable layer" minutes=7
# Complete `HarmonicConvolution`. The frequencies of its input fields are in `self.inputs`, those of its output fields in `self.outputs`.
#
# - **Wanted, first block:** `frequency`, the frequency of the kernel $k_{nm}$, for one `n` and one `m`.
# - **Given:** `weight`, the complex numbers $w_{nm\rho}$, `[C_out, C_in, N, M, R]`, and `basis`, the functions $b_{\rho,\, n-m}$, `[N, M, R, k, k]`.
# - **Wanted, second block:** `kernels`, the sum {{eq steerable-kernel}}, `[C_out, N, C_in, M, k, k]`.
#
# <details><summary>Hint: the sum</summary>
#
# An `einsum` over `r` alone: `torch.einsum("oinmr,nmrxy->…", weight, basis)`.
# </details>
#
# <details><summary>I get an error: “expected scalar type Float but found ComplexFloat”</summary>
#
# One of them is real. `weight` and `basis`, as given, are complex, both of them.
# </details>


# %% id="steerable-layer" grade="solution"
class HarmonicConvolution(nn.Module):
    """From fields to fields, complex: [B, C_in, M, X, Y] → [B, C_out, N, X', Y'].

    Args:
        inputs, outputs: the M frequencies of the input and the N frequencies of the output.
        in_channels, out_channels: so many fields of each frequency.
        kernel_size, padding: as before.
    """

    def __init__(self, inputs, outputs, in_channels, out_channels, kernel_size, padding=0):
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.kernel_size, self.padding = kernel_size, padding
        self.register_buffer("basis", self.create_basis(), persistent=False)
        size = (out_channels, in_channels, *self.basis.shape[:3], 2)  # real and imaginary parts
        self.weight = nn.Parameter(torch.randn(size) / math.sqrt(in_channels * len(inputs)))

    def create_basis(self) -> Tensor:
        """Return the functions that k_nm is made of, for all n and m: complex [N, M, R, k, k]."""
        grid, basis = pixel_grid(self.kernel_size), []
        for n, m in itertools.product(self.outputs, self.inputs):
            ## YOUR CODE STARTS HERE ##
            # STUB: frequency = ...
            frequency = n - m
            ## AND ENDS HERE ##
            basis.append(circular_harmonics(grid, self.kernel_size, frequency))
        return torch.stack(basis).unflatten(0, (len(self.outputs), len(self.inputs)))

    def sample(self) -> Tensor:
        """Return the kernels k_nm, complex [C_out, N, C_in, M, k, k]."""
        weight = torch.view_as_complex(self.weight)
        basis = self.basis.to(weight)
        ## YOUR CODE STARTS HERE ##
        # STUB: kernels = ...
        kernels = torch.einsum("oinmr,nmrxy->onimxy", weight, basis)
        ## AND ENDS HERE ##
        return kernels

    def forward(self, x: Tensor) -> Tensor:
        kernels = self.sample().flatten(0, 1).flatten(1, 2)  # [C_out · N, C_in · M, k, k]
        x = F.conv2d(x.flatten(1, 2), kernels, padding=self.padding)
        return x.unflatten(1, (-1, len(self.outputs)))


# %% id="steerable-layer-test" grade="tests" points=4 exercise="steerable-layer" answer="steerable-layer" tags=["hide-input"]
# @title Check: a steerable layer
with checking(
    "{{number steerable-layer}}", needs="{{number circular-harmonics}} {{number act-on-fields}}"
) as check:
    inputs, outputs = [0, 1, 3], [1, -1]
    layer = HarmonicConvolution(inputs, outputs, 2, 4, kernel_size=5, padding=2)
    for (place, n), (other, m) in itertools.product(enumerate(outputs), enumerate(inputs)):
        check.close(
            f"from frequency {m} to {n} the kernels have the frequency {n - m}",
            layer.basis[place, other],
            circular_harmonics(pixel_grid(5), 5, n - m),
            "to m it has to add what is missing to n.",
        )
    kernels = layer.sample()
    check.shape("the kernels are [C_out, N, C_in, M, k, k]", kernels, (4, 2, 2, 3, 5, 5))
    weight = torch.view_as_complex(layer.weight)[3, 1, 0, 2]
    check.close(
        "each is the sum of its rings, with its own weights",
        kernels[3, 0, 1, 2],
        sum(w * b for w, b in zip(weight, layer.basis[0, 2].to(weight), strict=True)),
        "the sum runs over the radii, the last axis of weight and the third of basis.",
    )
    fields = torch.view_as_complex(noise(2, 2, 3, 9, 9, 2))
    for turns in (1, 2, 3):
        check.close(
            f"equivariance: turn the fields by {90 * turns}°, or turn the result",
            layer(act_on_fields(fields, inputs, turns)),
            act_on_fields(layer(fields), outputs, turns),
            "the frequency of the kernel is n − m.",
            tolerance=1e-4,
        )
    check.learns("the weight learns", torch.view_as_real(kernels), layer.weight)
### BEGIN HIDDEN TESTS
import cmath

from autograder.checks import Judge, remote

judge = Judge("{{lesson}}", "steerable-layer", globals())


def _layer(lesson, given, inputs, outputs, channels=(2, 3), size=5):
    """A layer with new weights; its kernels' real and imaginary parts, [O, N, I, M, k, k, 2]."""
    layer = lesson.HarmonicConvolution(inputs, outputs, *channels, size)
    given.randomize(layer)
    shape = (channels[1], len(outputs), channels[0], len(inputs), size, size)
    return layer, _complex(given, "the kernels k_nm", layer.sample(), shape)


def _complex(given, what, got, shape):
    given.shape(what, got, shape)
    numbers = given.tensor(what, got)
    given.true(f"{what} are complex", numbers.is_complex(), "the imaginary part got lost")
    return numbers.to(torch.complex64)


@judge.property("a kernel from m to n has the frequency n − m", points=1.5, essential=True)
def _(lesson, given):
    for inputs, outputs in (([0], [0, 1, 2]), ([0, 1, 2], [0]), ([1, -1, 3], [2, 0])):
        _, kernels = _layer(lesson, given, inputs, outputs)
        size = kernels.abs().amax(dim=(0, 2, 4, 5))
        given.true("no kernel is zero", bool(size.min() > 1e-3))
        for a, b in [(a, b) for a in range(len(outputs)) for b in range(len(inputs))]:
            f = outputs[a] - inputs[b]
            k = kernels[:, a, :, b]
            turned = torch.view_as_real(torch.rot90(k, 1, (-2, -1)).contiguous())
            right, wrong = (torch.view_as_real((-1j) ** g * k) for g in (f, -f))
            what = f"k turned by 90°, from frequency {inputs[b]} to {outputs[a]}"
            mistakes = {"it has the frequency m − n": wrong}
            mistakes["it has the frequency n + m"] = torch.view_as_real(
                (-1j) ** (outputs[a] + inputs[b]) * k
            )
            given.close(what, turned, right, mistakes)
        # Frequencies that differ by 4 look alike after 90°; these two pixels are 36.87° apart.
        for a, b in [(a, b) for a in range(len(outputs)) for b in range(len(inputs))]:
            first, second = kernels[:, a, :, b, 1, 4], kernels[:, a, :, b, 0, 3]
            phase = cmath.exp(1j * (outputs[a] - inputs[b]) * 2 * math.atan2(1, 3))
            what = f"k on a circle, from frequency {inputs[b]} to {outputs[a]}"
            given.close(what, torch.view_as_real(second), torch.view_as_real(first * phase))


@judge.property("each kernel is the sum of its rings with their weights", points=1.5)
def _(lesson, given):
    for inputs, outputs, channels, size in (
        ([0, 1], [1, 0, -1], (2, 3), 5),
        ([2], [2, 1], (1, 2), 7),
    ):
        layer, kernels = _layer(lesson, given, inputs, outputs, channels, size)
        basis = given.tensor("the basis", layer.basis).to(torch.complex64)
        weight = torch.view_as_complex(given.tensor("the weight", layer.weight).clone())
        right = torch.zeros_like(kernels)
        for ring in range(size // 2 + 1):
            part = weight[..., ring, None, None] * basis[:, :, ring]
            right += part.transpose(1, 2)
        parts = [torch.view_as_real(each.contiguous()) for each in (kernels, right)]
        conjugate = torch.view_as_real(right.conj().resolve_conj())
        given.close("the kernels k_nm", *parts, {"they are conjugates": conjugate})


@judge.property(
    "the layer convolves with them, and is equivariant to quarter turns", points=0.5, essential=True
)
def _(lesson, given):
    inputs, outputs = [0, 1, 2], [1, 0, 2]
    layer, kernels = _layer(lesson, given, inputs, outputs)
    parts = given.noise(2, 2, 3, 8, 8, 2)
    x = torch.view_as_complex(parts)

    def acted(fields, frequencies):
        factors = torch.tensor([1j**m for m in frequencies]).view(-1, 1, 1)
        return torch.rot90(fields, 1, (-2, -1)) * factors

    got, plain = (
        _complex(given, "the result", layer(each), (2, 3, 3, 4, 4))
        for each in (acted(x, inputs), x)
    )
    given.varies("the output channels", plain[0].abs())
    folded = kernels.flatten(0, 1).flatten(1, 2)
    right = torch.nn.functional.conv2d(x.flatten(1, 2), folded).unflatten(1, (3, 3))
    for what, one, other in (
        ("conv(f)", plain, right),
        ("conv(L f), 90°", got, acted(plain, outputs)),
    ):
        given.close(what, *(torch.view_as_real(each.contiguous()) for each in (one, other)))
    # With padding, so that a kernel's middle, which is not zero, reaches every pixel.
    padded = lesson.HarmonicConvolution(inputs, outputs, 2, 3, 5, 2)
    leaf = remote.leaf(padded, parts)

    def result():
        fields = lesson.torch.view_as_complex(remote.original(leaf))
        return lesson.torch.view_as_real(remote.original(padded(remote.original(fields))))

    given.learns("conv(f)", result(), leaf, result, "the input")
    given.as_used(
        "conv(f)",
        lambda x: torch.view_as_real(layer(torch.view_as_complex(x))),
        lambda x: torch.view_as_real(right[: len(x)]),
        parts,
        modules=[layer],
    )


@judge.property("every weight has an influence and learns", points=0.5, essential=True)
def _(lesson, given):
    layer, _ = _layer(lesson, given, [0, 1], [0], (2, 1))

    def sample():
        return lesson.torch.view_as_real(remote.original(layer.sample()))

    given.influence(sample, layer.weight)


judge.score()
### END HIDDEN TESTS

# %% [markdown]
# ### 3.4 The price at the nonlinearity
#
# ReLU may not be applied to these numbers one by one: that does not commute with the factor $e^{im\theta}$. It may act on their *size*, which the
# factor leaves alone. **Predict:** what will the two rows below say, one for each, when digits turn by quarter turns?


# %% id="activations"
def relu_of_sizes(z: Tensor) -> Tensor:
    """Return complex numbers [...] of the same direction, with ReLU of their size minus 0.5."""
    return z * F.relu(z.abs() - 0.5) / z.abs().clamp(min=1e-6)


def relu_of_parts(z: Tensor) -> Tensor:
    """Return complex numbers [...] with ReLU of their real and of their imaginary parts."""
    return torch.complex(F.relu(z.real), F.relu(z.imag))


# %%
pl.seed_everything(SEED, verbose=False)
some = data.upright[: 8 if FAST_RUN else 64][0]
x = normalize(some)[:, :, None].to(torch.complex64)  # an image is a real field of frequency 0
layer, frequencies = HarmonicConvolution([0], [0, 1, 2], 1, 8, kernel_size=5), [0, 1, 2]
for activation in (relu_of_sizes, relu_of_parts):
    print(activation.__name__, end="  ")
    for turns in (1, 2, 3):
        expected = act_on_fields(activation(layer(x)), frequencies, turns)
        got = activation(layer(act_on_fields(x, [0], turns)))
        print(f"{90 * turns}°: {(got - expected).norm() / expected.norm():.0e}", end="  ")
    print()

# %% [markdown]
# **A network** of two such layers. At the end it keeps the sizes only, and takes their mean over the picture: what is left does not change when
# the digit turns. How well does that hold at other angles, beside lesson 1's layers with as many channels? No network is trained: the symmetry is a
# matter of how it is built. **Predict first:** which rows are 0 at 90°, and which is smallest at 45°?


# %% id="harmonic-network"
class HarmonicNetwork(nn.Module):
    """Two steerable layers by way of the frequencies 0, 1 and 2: [B, 1, X, Y] → [B, C]."""

    def __init__(self, channels: int = 8):
        super().__init__()
        self.first = HarmonicConvolution([0], [0, 1, 2], 1, channels, kernel_size=5)
        self.second = HarmonicConvolution([0, 1, 2], [0], channels, channels, kernel_size=5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x[:, :, None].to(torch.complex64))
        return self.second(relu_of_sizes(x)).abs().mean(dim=(2, 3, 4))


class TwoLayers(nn.Module):
    """A lifting and a group convolution of lesson 1: [B, 1, X, Y] → [B, C]."""

    def __init__(self, group: GroupBase, channels: int = 8):
        super().__init__()
        self.first = LiftingConvolution(group, 1, channels, 5)
        self.second = GroupConvolution(group, channels, channels, 5)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x)))).mean(dim=(2, 3, 4))


# %% id="invariance-error"
def invariance_error(network: nn.Module, images: Tensor, angle: float) -> float:
    """Return how far the output [B, out] moves when uint8 images [B, X, X] turn, relative to its size."""
    turned = rotate_each(images, torch.full((len(images),), float(angle)))
    with torch.no_grad():
        before, after = network(normalize(images)), network(normalize(turned))
    return ((after - before).norm() / before.norm()).item()


# %%
angles = (15, 30, 45, 90)
print(f"{'':<16}", *(f"{angle:>6}°" for angle in angles))
for name, kind, group in (
    ("lesson 1, C4", TwoLayers, [CyclicGroup(4)]),
    ("lesson 1, C8", TwoLayers, [CyclicGroup(8)]),
    ("steerable", HarmonicNetwork, []),
):
    rows = []
    for seed in (SEED, SEED + 1, SEED + 2):  # the mean over three sets of random weights
        pl.seed_everything(seed, verbose=False)
        network = kind(*group)
        rows.append([invariance_error(network, some, angle) for angle in angles])
    print(f"{name:<16}", *(f"{sum(each) / 3:7.4f}" for each in zip(*rows, strict=True)))

# %% [markdown]
# At 90° all three are exact. In between the steerable network moves less than half as much as $C_8$. $C_8$ has the pose 45°, and moves most there all the
# same, since its kernels are interpolated. What is left to the steerable network is the grid's: the digit is interpolated when it turns, and a sum over pixels is not quite an integral over the plane. (The networks are random and end in
# different ways; the numbers do not say how well one can be trained.)
#
# A value for each of $n$ poses and a number for each frequency are two views of the same thing, with a Fourier transform over the group between
# them. So one may also go back to poses for the nonlinearity, and this is often done.

# %% [markdown]
# ### 3.5 escnn's layer beside ours
#
# The library [escnn](https://github.com/QUVA-Lab/escnn) is built on this idea, for rotations, reflections and many more groups. A feature map has a
# *type* there, which says how its channels change when the picture turns. A number that is multiplied by $e^{im\theta}$ is an **irreducible** type;
# the type of lesson 1's features, one number for each pose, is called **regular**. Its layer `R2Conv` goes from any type to any other: it finds all kernels that
# the types allow, once, as circular harmonics on rings, and learns the weights in front of them. Between regular types these kernels obey the
# relation that you programmed in lesson 1: at quarter turns and mirrors, our layers with the weights of escnn's kernels give what escnn gives, up to rounding.
# (The course tests that for $C_4$, $C_8$, $D_1$, $D_2$, $D_4$ and $D_8$.)
#
# This is how it stands in for our layers. escnn is not one of this course's packages; nothing below needs it.


# %% id="steerable-cnn" grade="readonly" tags=["hide-input"]
# @title escnn's R2Conv as a layer, where it is installed
class SteerableConvolution(nn.Module):
    """escnn's `R2Conv` for C_n: [B, C_in, X, Y] or [B, C_in, n, X, Y] → [B, C_out, n, X', Y']."""

    def __init__(self, order, in_channels, out_channels, kernel_size, padding=0, lifting=False):
        super().__init__()
        from escnn import gspaces
        from escnn import nn as steerable

        space = gspaces.rot2dOnR2(order)
        kind = space.trivial_repr if lifting else space.regular_repr
        self.inputs = steerable.FieldType(space, in_channels * [kind])
        outputs = steerable.FieldType(space, out_channels * [space.regular_repr])
        self.conv = steerable.R2Conv(self.inputs, outputs, kernel_size, padding=padding, bias=False)
        self.order, self.tensor = order, steerable.GeometricTensor
        # In evaluation it keeps its sampled kernels; a checkpoint shall hold the weights only.
        self.conv.register_state_dict_post_hook(self.leave_out)
        self.conv.register_load_state_dict_pre_hook(lambda conv, *_: conv.train())

    @staticmethod
    def leave_out(conv, state, prefix, metadata) -> None:
        state.pop(f"{prefix}filter", None)

    def forward(self, x: Tensor) -> Tensor:
        x = x.reshape(len(x), -1, *x.shape[-2:])
        return self.conv(self.tensor(x, self.inputs)).tensor.unflatten(1, (-1, self.order))


# %% id="steerable-network" grade="readonly" tags=["hide-input"]
# @title A network of R2Conv layers, built like the ones of section 2.3
class SteerableCNN(nn.Module):
    """A network for C_n with escnn's layers: [B, C_in, X, Y] → [B, out]."""

    def __init__(self, order, in_channels, out_channels, kernel_size, num_hidden, hidden_channels):
        super().__init__()
        sizes = (order, hidden_channels, hidden_channels, kernel_size, kernel_size // 2)
        first = SteerableConvolution(order, in_channels, *sizes[2:4], lifting=True)
        layers = [first, *(SteerableConvolution(*sizes) for _ in range(num_hidden))]
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden_channels) for _ in layers)
        self.final_linear = nn.Linear(hidden_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (2, 2, 2, 2), mode="replicate")
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            x = layer(x)
            x = F.relu(norm(x.flatten(2)).view_as(x))
            x = F.avg_pool3d(x, (1, 2, 2)) if index < 2 else x
        return self.final_linear(x.flatten(2).mean(dim=2))


# %% id="steerable-recipes" grade="readonly"
MODELS |= {"SteerableCNN": SteerableCNN}
if importlib.util.find_spec("escnn"):
    for channels in (11, 17):
        RECIPES[f"C8, escnn, {channels} channels"] = dict(
            model_name="SteerableCNN", order=8, hidden_channels=channels, **BRIEF
        )
TABLES["steerable"] = ["C8, interpolated", "continuous, harmonics"]
TABLES["steerable"] += ["C8, escnn, 11 channels", "C8, escnn, 17 channels"]

# %% [markdown]
# The course has trained it where escnn is installed, in the same way as the networks of section 2.3, once with as many channels as our network
# for $C_8$, and once with about as many weights. **Predict:** at equal channels, which has fewer weights, and which reads turned digits better?
#
# <details><summary>What was measured</summary>
#
# {{measured steerable}}
#
# With as many channels as ours for $C_8$ escnn's network has less than half the weights: 11 numbers for each pair of channels and each
# $h^{-1}\tilde h$, where ours has 25. They are one for the centre, and waves up to the frequency 2 on each of two rings. It reads turned digits 3 percentage
# points better all the same; more channels bring 2 more. A likely reason is that its kernels are smooth and
# round and turn without interpolation, as those of lesson 2 and section 2 do. The harmonics of section 2 differ from it in two ways at once,
# more waves and random angles in training, so this table cannot say which of them costs accuracy on upright digits.
#
# What a step costs, for a batch of 64 on a processor, all networks measured in turn:
#
# {{measured networks}}
#
# Networks with equally many channels take about equally long: nearly all of the time goes into `conv2d`, which is the same for both. At equal weights escnn's
# network has more channels, and takes twice as long.
# </details>

# %% [markdown] exercise="q-steerable" title="What steering settles" minutes=4
# (a) Somebody lets ReLU act on the real and on the imaginary part of each field. The layers stay as they are. Is the network still equivariant? Give a
# number and an angle for which it goes wrong. (b) A free complex $5 \times 5$ kernel has 25 complex weights. How many has $k_{nm}$ in your layer, and what has
# become of the others?

# %% [markdown] id="q-steerable" grade="answer" points=2 exercise="q-steerable"
# (a) No. A field of frequency 1 is multiplied by $e^{i\theta}$ when the picture turns. Take $z = 1$ and $\theta = 180°$: ReLU of the parts leaves 1 as it is,
# and turns $-1$, the number after the turn, into 0; it should be $-1$ times 1. The size of $z$ does not change with the factor, so a function of the size
# commutes with it.
#
# (b) Three, one for each radius. The constraint says what the kernel does around the centre: along a circle it is known from its value at one point. The others
# are not lost by accident: a kernel that has them would not be equivariant.
#
# === BEGIN MARK SCHEME ===
# - 1 point: not equivariant, with an example that is right (such as z = 1, θ = 180°, frequency 1).
# - 1 point: three (one for each ring), because the angular part is fixed by the symmetry.
# === END MARK SCHEME ===

# %%
progress()

# %% [markdown]
# ## 4 Where to go next
#
# You have met three ways to more than a finite group of rotations: cut an infinite group off, estimate an integral over it, or find functions that turn
# into multiples of themselves. The last one carries far: in space, for rotations of three axes, spherical harmonics take the place of the waves.
#
# **References.**
#
# - D. Worrall, S. Garbin, D. Turmukhambetov, G. Brostow: *Harmonic Networks: Deep Translation and Rotation Equivariance*. CVPR 2017. The layer of section 3.3.
# - M. Weiler, G. Cesa: *General E(2)-Equivariant Steerable CNNs*. NeurIPS 2019. Steerable kernels for all groups of rotations and
#   reflections of the plane, compared; the library escnn grew from it.
# - D. Worrall, M. Welling: *Deep Scale-spaces: Equivariance Over Scale*. NeurIPS 2019. Scale as a semigroup.
# - I. Sosnovik, M. Szmaja, A. Smeulders: *Scale-Equivariant Steerable Networks*. ICLR 2020. Scale, and where its axis ends.
# - E. Bekkers: *B-Spline CNNs on Lie Groups*. ICLR 2020. Kernels on groups, dilations among them.
# - D. Knigge, D. Romero, E. Bekkers: *Exploiting Redundancy: Separable Group Convolutional Networks on Lie Groups*. ICML 2022.
#   Kernels over a continuous group.
