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
# # A tiny lesson
#
# {{n_exercises}} exercises with {{n_blocks}} blocks, {{n_questions}} question,
# {{total_points}} points, about {{total_minutes}} minutes. Open `{{lesson}}` [in Colab]({{colab}})
# or see [the repository]({{repository}}).

# %% tags=["hide-input"]
# %config InlineBackend.figure_format = "png"
import math

# %% id="given" grade="readonly"
MODULUS = 5


def mod(a):
    """Return a modulo 5."""
    return a % MODULUS


# %% [markdown]
# ## Numbers

# %% [markdown] exercise="double" title="Twice" minutes=1
# Write `double`.


# %% id="numbers" grade="solution"
class Numbers:
    """Two operations on numbers."""

    def double(self, a):
        """Return twice a."""
        ## YOUR CODE STARTS HERE ##
        # STUB: doubled = ...
        doubled = 2 * a
        ## AND ENDS HERE ##
        return doubled

    def inverse(self, a):
        """Return the number that gives 0 when added to a, modulo 5."""
        ## YOUR CODE STARTS HERE ##
        # STUB: negated = ...
        # STUB: inverted = ...
        negated = -a
        inverted = mod(negated)
        ## AND ENDS HERE ##
        return inverted


# %% id="double-test" grade="tests" points=2 exercise="double" answer="numbers"
assert Numbers().double(1) == 2, "double(1) must be 2"
### BEGIN HIDDEN TESTS
double_points = 0
double_points += Numbers().double(3) == 6
double_points += Numbers().double(-4) == -8
double_points
### END HIDDEN TESTS

# %% [markdown] exercise="inverse" title="The inverse" minutes=2.5
# See {{number double}}, "{{title double}}", for {{points double}} points and
# {{minutes double}} minute.

# %% id="inverse-test" grade="tests" points=3 exercise="inverse" answer="numbers"
assert Numbers().inverse(1) == 4, "inverse(1) must be 4"
### BEGIN HIDDEN TESTS
sum(mod(Numbers().inverse(a) + a) == 0 and 0 <= Numbers().inverse(a) < 5 for a in (0, 2, 3))
### END HIDDEN TESTS

# %% [markdown]
# ## Lists

# %% [markdown] exercise="evens" title="Even numbers" minutes=1
# Collect the even numbers.


# %% id="evens-answer" grade="solution"
def evens(n):
    """Return the even numbers below n."""
    result = []
    for i in range(n):
        if i % 2 == 0:
            ## YOUR CODE STARTS HERE ##
            # STUB: ...
            result.append(i)
            ## AND ENDS HERE ##
    return result


# %% id="evens-test" grade="tests" points=1 exercise="evens" answer="evens-answer"
assert isinstance(evens(4), list), "evens(4) must be a list"
### BEGIN HIDDEN TESTS
float(evens(6) == [0, 2, 4])
### END HIDDEN TESTS

# %%
math.sqrt(4)

# %% [markdown] exercise="why" title="Why modulo?" minutes=2
# Say why the inverse is taken modulo 5.

# %% [markdown] id="why-answer" grade="answer" points=2 exercise="why"
# Because the numbers then form a group.
#
# === BEGIN MARK SCHEME ===
# 2 points: names the group. 1 point: says that 5 counts as 0.
# === END MARK SCHEME ===

# %% [markdown]
# That was all.
