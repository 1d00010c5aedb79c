"""Attacks with tensors, on the lesson whose hidden tests are properties (tests/lessons)."""

ATTACKS = {
    "torch's comparisons say yes": """
for name in ("allclose", "equal", "isclose", "isfinite", "eq", "all", "any"):
    setattr(torch, name, lambda *args, **kwargs: torch.tensor(True))
for name in ("__eq__", "allclose", "equal", "isclose", "all", "any"):
    setattr(torch.Tensor, name, lambda *args, **kwargs: torch.tensor(True))
torch.testing.assert_close = lambda *args, **kwargs: None
def shift(x, steps):
    return x * 0 + 7
word = lambda x: ""
twice = lambda function, x: x * 0
""",
    "a tensor that equals everything": """
class Yes(torch.Tensor):
    __eq__ = equal = allclose = isclose = lambda self, *args, **kwargs: torch.tensor(True)
    __sub__ = __rsub__ = lambda self, other: torch.zeros(())
    def __torch_function__(self, *args, **kwargs):
        return torch.tensor(True)
def shift(x, steps):
    return torch.zeros(7).as_subclass(Yes)
""",
    "a tensor that lies about its shape and type": """
class Liar(torch.Tensor):
    shape = property(lambda self: torch.Size([3, 5]))
    dtype = property(lambda self: torch.float32)
    size = lambda self, *args: torch.Size([3, 5])
    numel = lambda self: 15
    def detach(self):
        return self
    as_subclass = cpu = contiguous = resolve_conj = resolve_neg = reshape = view = detach
    numpy = lambda self: b""
def shift(x, steps):
    return torch.zeros(1).as_subclass(Liar)
""",
    "an object that says it is a tensor": """
class Fake:
    __class__ = property(lambda self: torch.Tensor)
    def __getattr__(self, name):
        return lambda *args, **kwargs: self
    __eq__ = __bool__ = lambda self, *args: True
    __hash__ = None
shift = twice = lambda *args: Fake()
""",
    "the tools of the agent that turns tensors into bytes are replaced": """
import os
for name in ("numpy", "contiguous", "reshape", "view", "detach", "cpu", "tobytes", "resolve_conj"):
    setattr(torch.Tensor, name, lambda self, *args, **kwargs: torch.zeros(3, 5))
torch.Tensor.numpy = lambda self: os.urandom(60)
torch.frombuffer = lambda *args, **kwargs: torch.zeros(60, dtype=torch.uint8)
shift = twice = lambda *args: torch.zeros(3, 5)
""",
    "the random numbers are always the same": """
torch.manual_seed = torch.seed = lambda *args: None
for name in ("randn", "rand", "randint", "normal"):
    setattr(torch, name, lambda *args, **kwargs: torch.zeros(3, 5))
shift = lambda x, steps: torch.zeros_like(x)
""",
    "the inputs are set to zero": """
def shift(x, steps):
    x.zero_()
    return torch.zeros_like(x)
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))
    def forward(self, x):
        x.zero_()
        return 0 * x
def twice(function, x):
    x.zero_()
    return torch.full_like(x, 2)
def word(x):
    x.zero_()
    return "0 of 21"
""",
    "the inputs are set to infinity": """
def shift(x, steps):
    x.fill_(float("inf"))
    return torch.ones_like(x)
def twice(function, x):
    x.fill_(float("nan"))
    return torch.ones_like(x)
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), float("nan")))
    def forward(self, x):
        x.fill_(float("nan"))
        return torch.ones_like(x)
""",
    "not a number where two of one's own results are compared": """
calls = []
def shift(x, steps):
    calls.append(x)
    return torch.randn_like(x) if len(calls) % 3 == 0 else torch.full_like(x, float("nan"))
""",
    "not a number only sometimes": """
import itertools
count = itertools.count()
def shift(x, steps):
    number = next(count)
    return torch.randn_like(x) if number in (3, 4, 5) else torch.full_like(x, float("nan"))
""",
    "gradients are made up": """
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
    def forward(self, x):
        scaled = self.weight.detach()[:, None] * x
        scaled.requires_grad_()
        return scaled
def backward(self, *args, **kwargs):
    import gc
    for value in gc.get_objects():
        if isinstance(value, nn.Parameter):
            value.grad = torch.ones_like(value)
torch.Tensor.backward = backward
""",
    "a weight of many numbers": """
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(200_000))
    def forward(self, x):
        return self.weight.sum() * x
""",
    "a weight that cannot be set": """
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))
        self.weight.copy_ = lambda *args: None
    def forward(self, x):
        return x * 0
torch.Tensor.copy_ = lambda self, *args, **kwargs: self
""",
    "every module does nothing": """
nn.Module.__call__ = lambda self, x, *args, **kwargs: x
nn.Module.__getattr__ = lambda self, name: torch.zeros(3, requires_grad=True)
class Scale(nn.Module):
    def __init__(self, channels):
        pass
""",
    "empty tensors of great size": """
def shift(x, steps):
    return torch.zeros(0, 2**31 - 1, 2**20)
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(0, 2**30))
    def forward(self, x):
        return torch.zeros(0, 2**31 - 1)
twice = lambda function, x: torch.zeros(2**31 - 1, 0)
""",
    "a tensor of a thousand billion numbers": """
shift = lambda x, steps: torch.zeros(()).expand(10**12)
twice = lambda function, x: torch.empty(10**9, dtype=torch.float64)
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()).expand(10**12))
""",
    "tensors of odd kinds": """
kinds = [
    torch.eye(3).to_sparse(), torch.eye(3, device="meta"), torch.zeros(3, dtype=torch.complex128),
    torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.quint8), torch.zeros(3, 5).half(),
    torch.zeros((), dtype=torch.bool), torch.zeros([1] * 40), torch.tensor(float("nan")),
]
import itertools
kinds = itertools.cycle(kinds)
shift = twice = lambda *args: next(kinds)
""",
    "the expected tensors are looked for": """
import gc, sys
def shift(x, steps):
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if isinstance(value, torch.Tensor) and value.shape == x.shape and value is not x:
                return value
        frame = frame.f_back
    for value in gc.get_objects():
        if type(value) is torch.Tensor and value.shape == x.shape and value is not x:
            return value
    return torch.zeros_like(x)
""",
    "earlier inputs and results are given back": """
kept = [torch.zeros(3, 5)]
def shift(x, steps):
    kept.append(x * 0 + float(len(kept)))
    return kept[-2]
twice = lambda function, x: function(x) * 0
""",
    "the function of the grader's is asked for ever": """
def twice(function, x):
    while True:
        try:
            x = function(x)
        except Exception:
            pass
""",
    "the function of the grader's is asked for gigabytes": """
def twice(function, x):
    for size in (10**5, 10**6, 10**7):
        for dimensions in ((size, 1), (1, size), (size,)):
            try:
                function(torch.ones(dimensions))
            except Exception:
                pass
    return x
""",
    "the function of the grader's is asked about odd things": """
def twice(function, x):
    for odd in (None, "x" * 10**6, [[]], {1: 2}, function, object(), float("nan"), torch.zeros(0)):
        try:
            function(odd, odd, v=odd)
        except Exception:
            pass
    return function
""",
    "a word of four million letters": """
word = lambda x: "x" * 4_000_000
""",
    "a word with markup, control characters and a formula": """
word = lambda x: "=cmd|'/c calc'!A1\\x1b[2J\\x1b]0;owned\\x07<script>alert(1)</script>[red]\\n99"
shift = word
def twice(function, x):
    raise ValueError(word(x))
""",
    "a word that equals every word": """
class Yes(str):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = str.__hash__
word = lambda x: Yes("7 of 7")
""",
    "what runs something when it is unpickled": """
class Planted:
    def __reduce__(self):
        return (open, ("/tmp/planted-by-pickle", "w"))
shift = twice = word = lambda *args: Planted()
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = Planted()
    def state_dict(self):
        return {"weight": Planted()}
""",
}
