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
# # A small lesson on tensors
#
# Its hidden tests are properties, as those of a real lesson are.

# %%
import torch
from torch import nn

# %% [markdown] exercise="shift" title="Moved on" minutes=1
# Move the values of a tensor on along its last axis.


# %% id="shift" grade="solution"
def shift(x, steps):
    """Return x [..., N] with its values moved on by `steps` places, in a circle."""
    ## YOUR CODE STARTS HERE ##
    # STUB: shifted = ...
    shifted = torch.roll(x, steps, dims=-1)
    ## AND ENDS HERE ##
    return shifted


# %% id="shift-test" grade="tests" points=2 exercise="shift" answer="shift"
assert torch.equal(shift(torch.tensor([1.0, 2.0]), 1), torch.tensor([2.0, 1.0])), "they move"
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "shift", globals())


@judge.property("moves the values", points=1)
def _(lesson, given):
    for steps in (1, 2):
        x = given.noise(3, 5)
        given.close("shift(x)", lesson.shift(x, steps), x.roll(steps, dims=-1))


@judge.property("moves a sum as it moves its parts", points=1)
def _(lesson, given):
    x, y = given.noise(3, 5), given.noise(3, 5)
    expected = lesson.shift(x, 1) + lesson.shift(y, 1)
    total = lesson.shift(x + y, 1)
    given.close("shift(x + y)", total, expected)
    given.varies("shift(x + y)", total)
    given.true("something moves", not torch.equal(total, x + y))


judge.score()
### END HIDDEN TESTS

# %% [markdown] exercise="scale" title="A layer" minutes=1
# Multiply each channel by a weight of its own.


# %% id="scale" grade="solution"
class Scale(nn.Module):
    """A layer with one weight for each channel of x [B, C, N]."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        """Return x [B, C, N], each channel times its weight."""
        ## YOUR CODE STARTS HERE ##
        # STUB: scaled = ...
        scaled = self.weight[:, None] * x
        ## AND ENDS HERE ##
        return scaled


# %% id="scale-test" grade="tests" points=2 exercise="scale" answer="scale"
assert Scale(2)(torch.ones(1, 2, 3)).shape == (1, 2, 3), "the shape stays"
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "scale", globals())


@judge.property("every weight has an influence and learns", points=1)
def _(lesson, given):
    layer, x = lesson.Scale(3), given.noise(2, 3, 4)
    given.influence(lambda: layer(x), layer.weight)


@judge.property("multiplies by the weights, which learn", points=1)
def _(lesson, given):
    layer, x = lesson.Scale(3), given.noise(2, 3, 4)
    weight = given.randomize(layer)
    result = layer(x)
    given.close("layer(x)", result, weight[:, None] * x)
    given.learns("layer(x)", result, layer.weight, lambda: layer(x))


judge.score()
### END HIDDEN TESTS

# %% [markdown] exercise="twice" title="Once more" minutes=1
# Apply a function twice.


# %% id="twice" grade="solution"
def twice(function, x):
    """Return function(function(x))."""
    ## YOUR CODE STARTS HERE ##
    # STUB: result = ...
    result = function(function(x))
    ## AND ENDS HERE ##
    return result


# %% id="twice-test" grade="tests" points=1 exercise="twice" answer="twice"
assert twice(abs, -1) == 1, "twice(abs, -1) is 1"
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "twice", globals())


@judge.property("calls the function on its result", points=1)
def _(lesson, given):
    x = given.noise(4)
    given.close(
        "twice(f, x)",
        lesson.twice(lambda v: v * v[:1] + 1, x),
        (x * x[0] + 1) * (x[0] ** 2 + 1) + 1,
    )


judge.score()
### END HIDDEN TESTS

# %% [markdown] exercise="word" title="In words" minutes=1
# Say how many there are.


# %% id="word" grade="solution"
def word(x):
    """Return how many values of x are positive, as text: "3 of 7"."""
    ## YOUR CODE STARTS HERE ##
    # STUB: text = ...
    text = f"{int((x > 0).sum())} of {x.numel()}"
    ## AND ENDS HERE ##
    return text


# %% id="word-test" grade="tests" points=1 exercise="word" answer="word"
assert word(torch.tensor([1.0, -1.0])) == "1 of 2", "one of two is positive"
### BEGIN HIDDEN TESTS
from autograder.checks import Judge

judge = Judge("{{lesson}}", "word", globals())


@judge.property("counts the positive ones", points=1)
def _(lesson, given):
    x = given.noise(3, 7)
    given.equal("word(x)", lesson.word(x), f"{int((x > 0).sum())} of 21")


judge.score()
### END HIDDEN TESTS

# %% [markdown]
# That was all.
